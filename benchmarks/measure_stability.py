"""By how many rounding units are boxes off where they are hardest: thin ones, near their edges?

A value is as good as it can be if it belongs to coordinates that were changed by a rounding unit.
So the error of the potential is measured against |phi| + |H| d, and that of the field against
|H| + |grad H| d, in units of eps; d is the distance from the centre, and at least half the
diagonal. Truth: textbook_bodies.py in 60 decimal digits. Prints the table of docs/physics.md.

    python benchmarks/measure_stability.py
"""

import jax
import jax.numpy as jnp
import numpy as np
from textbook_bodies import DECIMALS, box, decimals

from hypermagnetics.sources import cuboid, rectangle
from hypermagnetics.sources.values import Values

RATIOS = (1.0, 1e3, 1e6)
"""The longest side over the shortest, at most."""
POINTS = 150
PLACES = ("inside", "at a face", "at an edge", "up to 100 half diagonals")
UNTURNED = {2: np.zeros((1, 1)), 3: np.eye(4)[:, :1]}


def draw(
    dim: int, ratio: float, place: str, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Moments, points and half sides; a point's gap to a face or an edge is 1e-6 to 0.1 sides."""
    half = ratio ** random.uniform(-0.5, 0.5, (dim, POINTS))
    moment, direction = random.normal(size=(2, dim, POINTS))
    point = random.uniform(-1, 1, (dim, POINTS)) * half
    gap = 10 ** random.uniform(-6, -1, POINTS) * half.max(0)
    each, axis = np.arange(POINTS), random.integers(0, dim, POINTS)
    signs = random.choice([-1, 1], (dim, POINTS))
    if place == "at a face":
        point[axis, each] = (signs * half)[axis, each] + random.choice([-1, 1], POINTS) * gap
    elif place == "at an edge":
        along = point[axis, each]
        point = signs * half + gap * direction
        if dim == 3:
            point[axis, each] = along
    elif place != "inside":
        length = 10 ** random.uniform(0, 2, POINTS) * np.linalg.norm(half, axis=0)
        point = direction / np.linalg.norm(direction, axis=0) * length
    return moment, point, half


@jax.jit
def own_values(moment: jax.Array, point: jax.Array, sides: jax.Array) -> Values:
    """What hypermagnetics gives."""
    if len(point) == 2:
        return rectangle(moment, point, sides, jnp.zeros((), point.dtype))
    return cuboid(moment, point, sides, jnp.eye(4, dtype=point.dtype)[0])


@jax.jit
def gradient_of_field(moment: jax.Array, point: jax.Array, sides: jax.Array) -> jax.Array:
    """|grad H| at each point."""

    def field(point: jax.Array) -> jax.Array:
        return jnp.stack(own_values(moment, point, sides).field)

    axes = [jnp.zeros_like(point).at[i].set(1) for i in range(len(point))]
    columns = jnp.stack([jax.jvp(field, (point,), (axis,))[1] for axis in axes])
    return jnp.sqrt((columns * columns).sum((0, 1)))


def worst_errors(arrays: tuple[np.ndarray, ...]) -> tuple[float, float]:
    """The worst errors of potential and field, in rounding units."""
    moment, point, half = arrays
    apart = ((np.abs(point) != half) & (point != 0)).all(0)  # the textbook form divides there
    moment, point, half = (v[:, apart] for v in arrays)
    exact = [decimals(v) for v in (moment, point, 2 * half, UNTURNED[len(point)])]
    potential, field = box(*exact, do=DECIMALS)
    ours = own_values(*(jnp.asarray(v) for v in (moment, point, 2 * half)))
    error = abs(decimals(np.asarray(ours.potential)) - potential).astype(np.float64)
    field_error = (decimals(np.stack(ours.field)) - field).astype(np.float64)
    strength = np.linalg.norm(field.astype(np.float64), axis=0)
    distance = np.maximum(*(np.linalg.norm(v.astype(np.float64), axis=0) for v in (point, half)))
    gradient = np.asarray(gradient_of_field(*(np.float64(v) for v in (moment, point, 2 * half))))
    eps = np.finfo(point.dtype).eps
    size = abs(potential).astype(np.float64) + strength * distance
    field_size = strength + gradient * distance
    return (
        float((error / size).max() / eps),
        float((np.linalg.norm(field_error, axis=0) / field_size).max() / eps),
    )


def main() -> None:
    """Print the table, potential / field."""
    jax.config.update("jax_enable_x64", True)
    print(f"| body | sides up to | float | {' | '.join(PLACES)} |\n|---|--:|---|{'--:|' * 4}")
    for dim, body in ((2, "rectangle"), (3, "cuboid")):
        for ratio in RATIOS:
            drawn = [draw(dim, ratio, place, np.random.default_rng(5)) for place in PLACES]
            for precision in (np.float32, np.float64):
                found = [worst_errors(tuple(v.astype(precision) for v in d)) for d in drawn]
                cells = " | ".join(f"{phi:.1f} / {field:.1f}" for phi, field in found)
                print(f"| {body} | 1 : {ratio:g} | {np.dtype(precision).name} | {cells} |")


if __name__ == "__main__":
    main()
