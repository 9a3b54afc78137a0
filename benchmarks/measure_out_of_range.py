"""How wrong is a RangeSplit outside of what it was fitted to, and does it warn?

A RangeSplit of cuboids as in `prisms-3d`, sides of 0.24 to 0.96 m, positions and points within 1.2
m, is fitted by its least squares. Then one thing at a time leaves this range: points, positions,
sides. Four cuboids, 1000 points, median relative error of the field against the exact sum; then
whether `OutOfRangeWarning` came, called with values and under `jax.jit`.

    python benchmarks/measure_out_of_range.py
"""

import warnings
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import jax.random as jr
from against_exact import errors_of

from hypermagnetics.models import ModelInputs, OutOfRangeWarning, RangeSplit, Scales, TrainedRange
from hypermagnetics.models.split import RangeSplitConfig
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
FACTORS = (1.0, 1.05, 1.2, 1.5, 2.0)
LARGE = (2.0, 3.0, 5.0)
"""[m]"""
Function = Callable[[jax.Array, jax.Array], jax.Array]


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


def fitted() -> RangeSplit:
    """The model, which knows the range of what it is fitted to."""
    seen, at = cuboids(10_000, jr.key(0)), in_cube(10_000, jr.key(1))
    each = zip(seen.min(0).tolist(), seen.max(0).tolist(), strict=True)
    inputs = ModelInputs(
        columns=COLUMNS,
        trained=TrainedRange(sources=tuple(each), points=((-HALF_SIDE, HALF_SIDE),) * 3),
        scales=Scales(length=HALF_SIDE / 3**0.5, moment=1.0, potential=0.1),
    )
    return RangeSplit(RangeSplitConfig(), inputs, jr.key(2)).fitted(seen, at, jr.key(3))


def cases() -> dict[str, tuple[jax.Array, jax.Array]]:
    """Sources and points, by what has left the range."""
    rows, points = cuboids(4, jr.key(4)), in_cube(1000, jr.key(5))
    found = {f"points, {factor:g} times": (rows, factor * points) for factor in FACTORS}
    found |= {
        f"positions, {factor:g} times": (rows.at[:, 3:6].multiply(factor), points)
        for factor in FACTORS[1:]
    }
    return found | {f"sides of {side:g} m": (rows.at[:, 6:9].set(side), points) for side in LARGE}


def warned(function: Function, sources: jax.Array, points: jax.Array) -> str:
    """Whether a call warns."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function(sources, points)
    return "yes" if any(issubclass(one.category, OutOfRangeWarning) for one in caught) else "no"


def main() -> None:
    """Print a row for each case."""
    model = fitted()
    whole = jax.jit(lambda sources, points: (model(sources, points), model.field(sources, points)))
    exact = jax.jit(partial(superposition, COLUMNS))
    print("| what leaves the range | field, median % | warning | under jit |\n|---|--:|---|---|")
    for name, given in cases().items():
        error = errors_of(whole(*given), exact(*given)).field_median
        plain, compiled = warned(model.field, *given), warned(whole, *given)
        print(f"| {name} | {100 * error:.2g} | {plain} | {compiled} |", flush=True)


if __name__ == "__main__":
    main()
