"""How wrong is a model outside of its domain?

Models of cuboids as in `prisms-3d`, sides of 0.24 to 0.96 m, positions and points within 1.2 m: a
split by waves on a grid, and a split by trained factors after its fit. One thing at a time leaves
these ranges: points, positions, sides. Four cuboids, 1000 points, median relative error of the
field against the exact sum, under `jax.jit`, with pairs outside computed exactly, as is the
default, and by the model alone (`outside = "ignore"`).

    python benchmarks/measure_out_of_range.py
"""

from functools import partial

import jax
import jax.numpy as jnp
import jax.random as jr
from against_exact import errors_of

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
SIDES = (0.24, 0.96)
"""[m]"""
COLUMNS = SourceColumns.of(
    "cuboid",
    varying=[
        *("dimension_x", "dimension_y", "dimension_z"),
        *("rotation_w", "rotation_x", "rotation_y", "rotation_z"),
    ],
)
FACTORS = {"points": (1.0, 1.05, 1.2, 2.0, 100.0), "positions": (1.5, 4.0), "sides": (5.0,)}
COLUMNS_OF = {"points": slice(0), "positions": slice(3, 6), "sides": slice(6, 9)}


def cuboids(number: int, key: jax.Array) -> jax.Array:
    """Rows as in the dataset."""
    keys = jr.split(key, 4)
    position = in_cube(number, keys[1])
    sides = jr.uniform(keys[2], (number, 3), minval=SIDES[0], maxval=SIDES[1])
    turn = jr.normal(keys[3], (number, 4))
    turn /= jnp.linalg.norm(turn, axis=1, keepdims=True)
    return jnp.concatenate([jr.normal(keys[0], (number, 3)), position, sides, turn], axis=1)


def in_cube(number: int, key: jax.Array) -> jax.Array:
    """Even positions."""
    return jr.uniform(key, (number, 3), minval=-HALF_SIDE, maxval=HALF_SIDE)


def models() -> dict[str, Model]:
    """Two models that know the ranges of what they are fitted to."""
    seen, at = cuboids(10_000, jr.key(0)), in_cube(10_000, jr.key(1))
    each = zip(seen.min(0).tolist(), seen.max(0).tolist(), strict=True)
    inputs = ModelInputs(
        columns=COLUMNS,
        trained=TrainedRange(sources=tuple(each), points=((-HALF_SIDE, HALF_SIDE),) * 3),
        scales=Scales(length=HALF_SIDE / 3**0.5, moment=1.0, potential=0.1),
    )
    trained = RangeSplit(RangeSplitConfig(), inputs, jr.key(2))
    return {
        "grid": GridSplit(GridSplitConfig(), inputs).fitted_to_domain(),
        "trained": trained.fitted(seen, at, jr.key(3)),
    }


def cases() -> dict[str, tuple[jax.Array, jax.Array]]:
    """Sources and points, by what has left its range."""
    rows, points = cuboids(4, jr.key(4)), in_cube(1000, jr.key(5))
    return {
        f"{what}, {factor:g} times": (
            rows.at[:, COLUMNS_OF[what]].multiply(factor),
            points * (factor if what == "points" else 1),
        )
        for what, factors in FACTORS.items()
        for factor in factors
    }


def main() -> None:
    """Print a row for each case."""
    exact = jax.jit(partial(superposition, COLUMNS))
    wholes = {}
    for name, model in models().items():
        for guarded in (model, model.with_outside("ignore")):
            label = f"{name}, {guarded.inputs.outside}"
            wholes[label] = jax.jit(lambda s, p, m=guarded: (m.potential(s, p), m.field(s, p)))
    print(f"| field, median % | {' | '.join(wholes)} |\n|---|{'--:|' * len(wholes)}")
    for name, given in cases().items():
        found = [errors_of(whole(*given), exact(*given)).field_median for whole in wholes.values()]
        print(f"| {name} | {' | '.join(f'{100 * error:.2g}' for error in found)} |", flush=True)


if __name__ == "__main__":
    main()
