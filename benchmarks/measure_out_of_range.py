"""How wrong is a model outside of its domain?

Models of discs, spheres and cuboids, positions and points within 1.2 m, radii or sides of 0.24 to
0.96 m, as in `prisms-3d`: a split by waves on a grid, and a split by trained factors after its fit.
One thing at a time leaves these ranges: points, positions, sizes. 64 configurations of four bodies,
each at 256 points of its own; the median relative error of the field against the exact sum, under
`jax.jit`, with pairs outside computed exactly, as is the default, and by the model alone
(`outside = "ignore"`). The last row of each body is the ratio of the worst of these medians with
exact pairs to that with nothing outside, and its bound.

    python benchmarks/measure_out_of_range.py
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr

from hypermagnetics.models import (
    GridSplit,
    GridSplitConfig,
    Model,
    ModelInputs,
    RangeSplit,
    RangeSplitConfig,
    Scales,
    TrainedRange,
)
from hypermagnetics.sources import SourceColumns, superposition

HALF_SIDE = 1.2
"""[m]"""
SIZES = (0.24, 0.96)
"""Radii or sides [m]."""
CONFIGURATIONS, BODIES, POINTS = 64, 4, 256
BOUND = 2
"""Of the worst median error outside over that inside."""
FACTORS = {"points": (1.0, 1.05, 1.2, 2.0, 100.0), "positions": (1.5, 4.0), "sizes": (5.0,)}
COLUMNS = {
    "discs": SourceColumns.of("disc", varying=["radius"]),
    "spheres": SourceColumns.of("sphere", varying=["radius"]),
    "cuboids": SourceColumns.of(
        "cuboid",
        varying=[
            *("dimension_x", "dimension_y", "dimension_z"),
            *("rotation_w", "rotation_x", "rotation_y", "rotation_z"),
        ],
    ),
}


class Given(NamedTuple):
    """Source tables and points of configurations, or of one."""

    sources: jax.Array
    points: jax.Array


def bodies(columns: SourceColumns, number: int, key: jax.Array) -> jax.Array:
    """Rows as in a dataset."""
    dim, keys = columns.dim, jr.split(key, 4)
    of_sizes = [name for name in columns.names if name.startswith(("radius", "dimension"))]
    parts = [
        jr.normal(keys[0], (number, dim)),
        in_box(dim, number, keys[1]),
        jr.uniform(keys[2], (number, len(of_sizes)), minval=SIZES[0], maxval=SIZES[1]),
    ]
    if columns.has("rotation_w"):
        turn = jr.normal(keys[3], (number, 4))
        parts.append(turn / jnp.linalg.norm(turn, axis=1, keepdims=True))
    return jnp.concatenate(parts, axis=1)


def in_box(dim: int, number: int, key: jax.Array) -> jax.Array:
    """Even positions."""
    return jr.uniform(key, (number, dim), minval=-HALF_SIDE, maxval=HALF_SIDE)


def models(columns: SourceColumns) -> dict[str, Model]:
    """Two models that know the ranges of what they are fitted to."""
    dim = columns.dim
    seen, at = bodies(columns, 10_000, jr.key(0)), in_box(dim, 10_000, jr.key(1))
    each = zip(seen.min(0).tolist(), seen.max(0).tolist(), strict=True)
    inputs = ModelInputs(
        columns=columns,
        trained=TrainedRange(sources=tuple(each), points=((-HALF_SIDE, HALF_SIDE),) * dim),
        scales=Scales(length=HALF_SIDE / 3**0.5, moment=1.0, potential=0.1),
    )
    trained = RangeSplit(RangeSplitConfig(), inputs, jr.key(2))
    return {
        "grid": GridSplit(GridSplitConfig(), inputs).fitted_to_domain(),
        "trained": trained.fitted(seen, at, jr.key(3)),
    }


def cases(columns: SourceColumns) -> dict[str, Given]:
    """Configurations, by what has left its range."""
    dim, rows = columns.dim, CONFIGURATIONS * BODIES
    shape = CONFIGURATIONS, BODIES, columns.size
    inside = Given(
        bodies(columns, rows, jr.key(4)).reshape(shape),
        in_box(dim, CONFIGURATIONS * POINTS, jr.key(5)).reshape(CONFIGURATIONS, POINTS, dim),
    )
    places = {
        "points": [],
        "positions": [i for i, name in enumerate(columns.names) if name.startswith("position")],
        "sizes": [
            i for i, name in enumerate(columns.names) if name.startswith(("radius", "dimension"))
        ],
    }
    return {
        f"{what}, {factor:g} times": Given(
            inside.sources.at[..., jnp.array(places[what], int)].multiply(factor),
            inside.points * (factor if what == "points" else 1),
        )
        for what, factors in FACTORS.items()
        for factor in factors
    }


def field_errors(
    field: Callable[[jax.Array, jax.Array], jax.Array], columns: SourceColumns
) -> Callable[[Given], jax.Array]:
    """Relative errors of the field of configurations, one after another, compiled."""

    def of_one(given: Given) -> jax.Array:
        found, true = field(*given), superposition(columns, *given)[1]
        return jnp.linalg.norm(found - true, axis=-1) / jnp.linalg.norm(true, axis=-1)

    return jax.jit(partial(jax.lax.map, of_one))


def main() -> None:
    """Print a table for each body."""
    for body, columns in COLUMNS.items():
        errors = {
            f"{name}, {guarded.inputs.outside}": field_errors(guarded.field, columns)
            for name, model in models(columns).items()
            for guarded in (model, model.with_outside("ignore"))
        }
        print(f"\n| {body}: field, median % | {' | '.join(errors)} |")
        print(f"|---|{'--:|' * len(errors)}")
        medians: dict[str, list[float]] = {label: [] for label in errors}
        for case, given in cases(columns).items():
            for label, of_given in errors.items():
                medians[label].append(float(jnp.median(of_given(given))))
            row = (f"{100 * found[-1]:.2g}" for found in medians.values())
            print(f"| {case} | {' | '.join(row)} |", flush=True)
        ratios = (f"{max(outside) / inside:.2g}" for inside, *outside in medians.values())
        print(
            f"| worst outside over inside (bound {BOUND} with exact pairs) | {' | '.join(ratios)} |"
        )


if __name__ == "__main__":
    main()
