"""Laws of soft material: magnetisation over the field inside, isotropic and without hysteresis."""

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hypermagnetics.sources.values import dot

LawName = Literal["linear", "langevin", "tanh"]
LAWS: tuple[LawName, ...] = get_args(LawName)
"""Laws by name."""

Magnitude = Callable[[Float[Array, ""]], Float[Array, ""]]
"""Magnitude of M [A/m] at a magnitude of H [A/m], by functions that JAX differentiates."""

Law = LawName | Magnitude

_LEAST = 1e-140
"""Magnitude of H [A/m] that stands for smaller ones: its square must not be 0."""

_SMALL = 0.15
"""Argument below which Langevin's function is its series, whose next term is less than 1e-16."""

_SERIES = (1 / 3, -1 / 45, 2 / 945, -1 / 4725, 2 / 93555, -1382 / 638512875)
"""Coefficients of x, x³ and so on of Langevin's function."""


class Response(NamedTuple):
    """M of a law at a field, and its derivative, per component of the field."""

    magnetisation: Float[Array, "*sites dim"]
    slope: Float[Array, "*sites dim dim"]
    """dM_i / dH_j."""


def langevin(argument: Float[Array, "..."]) -> Float[Array, "..."]:
    """Langevin's function coth x - 1 / x.

    Args:
        argument: x.

    Returns:
        Its value, to 1e-13 of it.
    """
    is_small = jnp.abs(argument) < _SMALL
    away = jnp.where(is_small, 1.0, argument)
    small = jnp.where(is_small, argument, 0.0)
    series = jnp.polyval(jnp.asarray(_SERIES[::-1]), small * small)
    return jnp.where(is_small, small * series, 1 / jnp.tanh(away) - 1 / away)


def magnitude(
    law: Law,
    field: Float[Array, ""],
    susceptibility: Float[Array, ""],
    saturation: Float[Array, ""],
) -> Float[Array, ""]:
    """Magnitude of M at a magnitude of the field inside.

    linear: chi H; langevin: M_s L(3 chi H / M_s); tanh: M_s tanh(chi H / M_s).

    Args:
        law: The law.
        field: |H| [A/m].
        susceptibility: Slope chi at H = 0.
        saturation: M_s [A/m]; read by langevin and tanh alone.

    Returns:
        |M| [A/m].
    """
    if callable(law):
        return jnp.where(susceptibility != 0, law(field), 0)  # of a hard magnet nothing is induced
    if law == "langevin":
        return saturation * langevin(3 * susceptibility * field / saturation)
    if law == "tanh":
        return saturation * jnp.tanh(susceptibility * field / saturation)
    return susceptibility * field


def response(
    law: Law,
    field: Float[Array, "*sites dim"],
    susceptibility: Float[Array, "*sites"],
    saturation: Float[Array, "*sites"],
) -> Response:
    """Magnetisation M = f(|H|) H / |H| at sites, and its derivative by H.

    Args:
        law: The law f.
        field: H inside [A/m].
        susceptibility: Slope chi at H = 0.
        saturation: M_s [A/m].

    Returns:
        Both.
    """
    dim = field.shape[-1]
    parts_of = list(jnp.moveaxis(field, -1, 0))
    square = dot(parts_of, parts_of)
    is_zero = square < _LEAST**2
    size = jnp.where(is_zero, _LEAST, jnp.sqrt(jnp.where(is_zero, 1.0, square)))

    def of_site(*values: Float[Array, ""]) -> Float[Array, ""]:
        return magnitude(law, *values)

    parts = (size, susceptibility, saturation)
    flat = [jnp.ravel(jnp.broadcast_to(part, size.shape)) for part in parts]
    value, slope = jax.vmap(jax.value_and_grad(of_site))(*flat)
    value, slope = value.reshape(size.shape), slope.reshape(size.shape)
    secant = (value / size)[..., None, None]
    direction = field / size[..., None]
    along = direction[..., :, None] * direction[..., None, :]
    unit = jnp.eye(dim)[(None,) * (slope.ndim)]
    tensor = secant * unit + (slope[..., None, None] - secant) * along
    return Response(secant[..., 0] * field, tensor)
