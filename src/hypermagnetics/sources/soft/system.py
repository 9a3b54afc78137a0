"""The linear system of soft bodies, (1 - D K) x = b, and its solution by elimination or GMRES.

x is the magnetisation of all of them, K x the field that it makes in them, and D the slope of the
law of the material.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int

from hypermagnetics.sources.soft.balls import Balls
from hypermagnetics.sources.soft.divided import Divided

Bodies = tuple[Balls | Divided, ...]
"""Bodies that are solved for, those of each kind together."""

States = tuple[Float[Array, "..."], ...]
"""Magnetisation or field of the bodies of each kind [A/m]; see `Balls` and `Divided`."""

Slopes = tuple[Float[Array, "..."], ...]
"""dM / dH: a number, with a last axis of 1, or a matrix for each site."""

MethodName = Literal["dense", "gmres"]
METHODS: tuple[MethodName, ...] = get_args(MethodName)

RESTART = 30
"""Vectors that GMRES keeps."""


class Solved(NamedTuple):
    """Solution of a linear system."""

    states: States
    iterations: Int[Array, ""]
    """Products with the matrix in GMRES; 1 by elimination."""


def field_of(bodies: Bodies, states: States) -> States:
    """K x: the field that soft bodies make in each other and in themselves.

    Args:
        bodies: The bodies.
        states: Their magnetisation.

    Returns:
        The field.
    """
    found = []
    for place, target in enumerate(bodies):
        total = target.own(states[place])
        for other, (source, state) in enumerate(zip(bodies, states, strict=True)):
            if other != place:
                total += target.received(source.field(state, target.points, target.is_used))
        found.append(total)
    return tuple(found)


@jax.custom_jvp
def field_by_matrix(matrix: Float[Array, "size size"], bodies: Bodies, states: States) -> States:
    """K x by a matrix that is there already, with the derivatives of `field_of`.

    Args:
        matrix: K of these bodies, without gradient.
        bodies: The bodies, for derivatives.
        states: x.

    Returns:
        The field.
    """
    del bodies
    flat, back = ravel_pytree(states)
    found: States = back(jnp.matmul(matrix, flat, precision="highest"))
    return found


@field_by_matrix.defjvp
def _field_by_matrix_jvp(
    primals: tuple[Array, Bodies, States], tangents: tuple[Array, Bodies, States]
) -> tuple[States, States]:
    matrix, bodies, states = primals
    _, change = jax.jvp(field_of, (bodies, states), tangents[1:])
    return field_by_matrix(matrix, bodies, states), change


def field_matrix(bodies: Bodies, like: States) -> Float[Array, "size size"]:
    """K as a matrix of the states in one row.

    Args:
        bodies: The bodies.
        like: States, for their shapes.

    Returns:
        The matrix.
    """
    sizes = [state.size for state in like]
    rows = []
    for place, target in enumerate(bodies):
        blocks = []
        for other, source in enumerate(bodies):
            if other == place:
                block = target.own_matrix()
            else:
                matrix = source.field_matrix(target.points, target.is_used)
                flat = matrix.reshape(*target.points.shape, sizes[other])
                block = jax.vmap(target.received, in_axes=-1, out_axes=-1)(flat)
            blocks.append(block.reshape(sizes[place], sizes[other]))
        rows.append(jnp.concatenate(blocks, axis=1))
    return jnp.concatenate(rows, axis=0)


def times(slopes: Slopes, states: States) -> States:
    """D x, site by site.

    Args:
        slopes: D.
        states: x.

    Returns:
        The product.
    """
    return tuple(
        slope * state
        if slope.ndim == state.ndim
        else jnp.einsum("...ij,...j->...i", slope, state, precision="highest")
        for slope, state in zip(slopes, states, strict=True)
    )


def scales(slopes: Slopes, dim: int) -> States:
    """1 / (1 + D / d) of each site, which brings the equations of all materials to one size.

    Args:
        slopes: D.
        dim: Space dimension d.

    Returns:
        The factors, without gradient.
    """
    found = []
    for slope in slopes:
        is_matrix = slope.shape[-1] == dim
        mean = jnp.trace(slope, axis1=-2, axis2=-1)[..., None] / dim if is_matrix else slope
        found.append(jax.lax.stop_gradient(1 / (1 + mean / dim)))
    return tuple(found)


def norm(states: States) -> Float[Array, ""]:
    """Root of the sum of all squares."""
    return jnp.sqrt(sum((jnp.sum(state * state) for state in states), jnp.zeros(())))


def solved(
    bodies: Bodies,
    slopes: Slopes,
    right: States,
    matrix: Float[Array, "size size"] | None,
    tolerance: float,
    max_iterations: int,
) -> Solved:
    """Solve (1 - D K) x = b, with derivatives by the same system.

    Args:
        bodies: The bodies, which define K.
        slopes: D.
        right: b.
        matrix: K without gradient, for elimination; None for GMRES.
        tolerance: Of GMRES: residual, relative to the right-hand side.
        max_iterations: The most products of GMRES.

    Returns:
        The solution.
    """
    dim = bodies[0].dim
    factors = scales(slopes, dim)

    def product(states: States) -> States:
        made = times(slopes, field_of(bodies, states))
        return _subtracted(factors, states, made)

    scaled = tuple(factor * part for factor, part in zip(factors, right, strict=True))
    if matrix is None:

        def solve(matvec: Callable[[States], States], b: States) -> tuple[States, Int[Array, ""]]:
            return _gmres(matvec, b, tolerance, max_iterations)

        found, iterations = jax.lax.custom_linear_solve(product, scaled, solve, solve, has_aux=True)
        return Solved(found, iterations)
    size = sum(part.size for part in right)
    made = _times_rows(jax.lax.stop_gradient(slopes), matrix, right)
    each = zip(factors, right, strict=True)
    scale = jnp.concatenate([jnp.broadcast_to(f, part.shape).ravel() for f, part in each])
    whole = scale[:, None] * (jnp.eye(size, dtype=made.dtype) - made)
    factored = jax.scipy.linalg.lu_factor(whole)

    def eliminated(transposed: int) -> Callable[[Any, States], tuple[States, Int[Array, ""]]]:
        def solve(_: Any, b: States) -> tuple[States, Int[Array, ""]]:
            row, again = ravel_pytree(b)
            return again(jax.scipy.linalg.lu_solve(factored, row, transposed)), jnp.asarray(1)

        return solve

    found, iterations = jax.lax.custom_linear_solve(
        product, scaled, eliminated(0), eliminated(1), has_aux=True
    )
    return Solved(found, iterations)


def _subtracted(factors: States, states: States, made: States) -> States:
    return tuple(
        factor * (state - part) for factor, state, part in zip(factors, states, made, strict=True)
    )


def _times_rows(slopes: Slopes, matrix: Float[Array, "size size"], like: States) -> Array:
    """D K as a matrix."""
    found, first = [], 0
    for slope, state in zip(slopes, like, strict=True):
        rows = matrix[first : first + state.size].reshape(*state.shape, -1)
        first += state.size
        if slope.ndim == state.ndim:
            made = slope[..., None] * rows
        else:
            made = jnp.einsum("...ij,...jk->...ik", slope, rows, precision="highest")
        found.append(made.reshape(state.size, -1))
    return jnp.concatenate(found, axis=0)


def _gmres(
    matvec: Callable[[States], States], right: States, tolerance: float, max_iterations: int
) -> tuple[States, Int[Array, ""]]:
    """Cycles of restarted GMRES until the residual is small enough, or the products used up.

    That of JAX says neither how many there were nor how well they did.
    """
    flat, back = ravel_pytree(right)
    goal = tolerance * jnp.linalg.norm(flat)
    size = min(RESTART, len(flat), max_iterations)

    def product(vector: Array) -> Array:
        made: Array = ravel_pytree(matvec(back(vector)))[0]
        return made

    def goes_on(so_far: tuple[Array, Array, Array]) -> Array:
        _, rest, count = so_far
        is_open: Array = (jnp.linalg.norm(rest) > goal) & (count < max_iterations)
        return is_open

    def cycle(so_far: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        found, rest, count = so_far
        length = jnp.linalg.norm(rest)
        first = jnp.zeros((size + 1, len(flat)), flat.dtype).at[0].set(rest / length)

        def arnoldi(vectors: Array, step: Array) -> tuple[Array, Array]:
            new = product(vectors[step])
            parts = jnp.zeros(size + 1, flat.dtype)
            for _ in range(2):  # once leaves what rounding brings back
                along = vectors @ new
                new, parts = new - along @ vectors, parts + along
            left = jnp.linalg.norm(new)
            new = jnp.where(left > 0, new / jnp.where(left > 0, left, 1), 0)
            return vectors.at[step + 1].set(new), parts.at[step + 1].set(left)

        vectors, columns = jax.lax.scan(arnoldi, first, jnp.arange(size))
        goal_of_all = jnp.zeros(size + 1, flat.dtype).at[0].set(length)
        shares = jnp.linalg.lstsq(columns.T, goal_of_all)[0]
        found = found + shares @ vectors[:-1]
        return found, flat - product(found), count + size

    zero = jnp.zeros_like(flat)
    found, _, count = jax.lax.while_loop(goes_on, cycle, (zero, flat, jnp.asarray(0)))
    return back(found), count
