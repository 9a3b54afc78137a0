"""Initial fit of a RangeSplit: factors by singular value decomposition.

For given plane waves, features and weights are linear in what has to be found, so the best rank-K
factors of the smooth kernel are a matter of linear algebra, of seconds, and to machine precision.
"""

from typing import Annotated, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float, Float64
from pydantic import Field

from hypermagnetics.config import Config
from hypermagnetics.grids import components
from hypermagnetics.models.orthonormal import orthonormal_columns
from hypermagnetics.models.split.density import Density
from hypermagnetics.models.split.factors import Factors
from hypermagnetics.models.split.kernel import smooth_dipole
from hypermagnetics.models.split.waves import PlaneWaves
from hypermagnetics.shapes import AnyKey, Points

_Count = Annotated[int, Field(ge=1, le=2**16)]
_AT_ONCE = 500
"""Positions processed at a time: some 100 MB."""

_Matrix = Float64[np.ndarray, "rows columns"]


class FitConfig(Config):
    """Settings of the fit of the factors."""

    method: Literal["svd", "none"] = "svd"
    """"svd": the best factors, by a singular value decomposition; "none" keeps the random factors,
    to be trained by gradients alone."""
    num_sources: _Count = 4000
    """Largest number of positions in the fit; each dipole that stands for a body has one."""
    num_points: _Count = 2000
    """Largest number of points in the fit."""
    spread_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of positions drawn uniformly from the box around all positions, to include rare far
    sources."""
    margin: Annotated[float, Field(ge=0, le=4)] = 0.3
    """Enlargement of the box around all positions, as a fraction of its sides."""
    ridge: Annotated[float, Field(gt=0, lt=1)] = 1e-9
    """Combinations of waves with less than this share of the largest mean square are left out."""


class Kernel(NamedTuple):
    """Smooth kernel, with lengths in length scales."""

    cutoff: float
    density: Density
    unit: float
    """Value of moment over length^(n-1), in units of the potential's scale."""


def fit(
    config: FitConfig,
    factors: Factors,
    kernel: Kernel,
    positions: Float[Array, "sources dim"],
    points: Points,
    key: AnyKey,
) -> Factors:
    """Least-squares factors of rank K, for potential and field alike.

    With orthonormal bases of the values of the waves at the positions (left) and at the points
    (right), the kernel between both is a small matrix whose K leading singular vectors are the
    factors. Potential and field are divided by their root mean squares.

    Args:
        config: Settings.
        factors: Whose waves are taken.
        kernel: The kernel.
        positions: Positions of dipoles [length scales]; some are drawn.
        points: Points [length scales]; some are drawn.
        key: Random key.

    Returns:
        Factors with the same waves.

    References:
        Eckart, Young, The approximation of one matrix by another of lower rank (1936).
    """
    where = _positions(config, positions, key)
    at = _drawn(points, config.num_points, jax.random.fold_in(key, 1))
    scales = _root_mean_squares(kernel, where[:_AT_ONCE], at)
    right = _right_matrix(factors.trunk, at, scales)
    left = np.cos(_angles(factors.hypernetwork, where))
    to_right = orthonormal_columns(right, config.ridge)
    to_left = orthonormal_columns(left, config.ridge)
    projected = _projected(kernel, where, at, scales, right @ to_right)
    core = (left @ to_left).T @ projected
    u, singular, vt = scipy.linalg.svd(
        core.reshape(-1, core.shape[-1]), full_matrices=False, check_finite=False
    )
    rank = factors.mixing.shape[1]
    # Either factor takes the root of the singular values; unused features are zero.
    root = np.sqrt(singular[:rank])
    mixing = to_right @ (vt[:rank].T * root)
    making = to_left @ (u[:, :rank] * root).reshape(len(core), -1, len(root))
    spare = ((0, 0), (0, rank - len(root)))
    fitted: Factors = eqx.tree_at(
        lambda f: (f.mixing, f.making),
        factors,
        (
            jnp.asarray(np.pad(mixing, spare), jnp.float32),
            jnp.asarray(np.pad(making, ((0, 0), *spare)), jnp.float32),
        ),
    )
    return fitted


def _positions(
    config: FitConfig, positions: Float[Array, "sources dim"], key: AnyKey
) -> Float[Array, "some dim"]:
    """Draw some of the positions, and others uniformly from the box around all."""
    drawn = _drawn(positions, config.num_sources, key)
    low, high = jnp.min(positions, axis=0), jnp.max(positions, axis=0)
    slack = 0.5 * config.margin * (high - low)
    share = jax.random.uniform(jax.random.fold_in(key, 2), drawn.shape, drawn.dtype)
    spread = (low - slack)[None] + share * (high - low + 2 * slack)[None]
    is_spread = jnp.arange(len(drawn))[:, None] < config.spread_share * len(drawn)
    return jnp.where(is_spread, spread, drawn)


def _drawn(rows: Float[Array, "rows dim"], most: int, key: AnyKey) -> Float[Array, "some dim"]:
    order = jax.random.permutation(key, len(rows))
    return rows[order[:most]]


@jax.jit(static_argnames="kernel")
def _unit_values(
    kernel: Kernel, positions: Float[Array, "sources dim"], points: Points
) -> tuple[Float[Array, "dim sources points"], Float[Array, "dim sources points dim"]]:
    """Potential and field of unit moments along each axis."""
    dim = points.shape[1]
    axes = zip(components(points), components(positions), strict=True)
    offset = [point[None] - position[:, None] for point, position in axes]
    found = [
        smooth_dipole(
            [kernel.unit * float(i == j) for j in range(dim)],
            offset,
            kernel.cutoff,
            kernel.density,
        )
        for i in range(dim)
    ]
    return (
        jnp.stack([values.potential for values in found]),
        jnp.stack([jnp.stack(values.field, axis=-1) for values in found]),
    )


def _root_mean_squares(
    kernel: Kernel, positions: Float[Array, "sources dim"], points: Points
) -> tuple[float, float]:
    """Root mean squares of potential and field."""
    potential, field = _unit_values(kernel, positions, points)
    squares = jnp.mean(potential**2), jnp.mean(jnp.sum(field**2, axis=-1))
    return float(jnp.sqrt(squares[0])), float(jnp.sqrt(squares[1]))


def _projected(
    kernel: Kernel,
    positions: Float[Array, "sources dim"],
    points: Points,
    scales: tuple[float, float],
    basis: _Matrix,
) -> Float64[np.ndarray, "dim sources basis"]:
    """Project potential and field of each position onto the basis, a few positions at a time."""
    parts = []
    for first in range(0, len(positions), _AT_ONCE):
        some = positions[first : first + _AT_ONCE]
        potential, field = (
            np.asarray(values, np.float64) for values in _unit_values(kernel, some, points)
        )
        wanted = np.concatenate([potential[..., None] / scales[0], field / scales[1]], axis=-1)
        parts.append(wanted.reshape(*wanted.shape[:2], -1) @ basis)
    return np.concatenate(parts, axis=1)


def _angles(waves: PlaneWaves, positions: Float[Array, "rows dim"]) -> _Matrix:
    """Phases in float64, so that rounding does not limit a fit of many waves."""
    wide = [np.asarray(part, np.float64) for part in (positions, waves.wave_vectors, waves.phases)]
    angles: np.ndarray = wide[0] @ wide[1] + wide[2]
    return angles


def _right_matrix(waves: PlaneWaves, points: Points, scales: tuple[float, float]) -> _Matrix:
    """Potential and field of each wave at the points, in units of the root mean squares."""
    angles = _angles(waves, points)
    along = np.asarray(waves.wave_vectors, np.float64)
    parts = [np.cos(angles) / scales[0], *(np.sin(angles) * q / scales[1] for q in along)]
    return np.stack(parts, axis=1).reshape(-1, angles.shape[1])
