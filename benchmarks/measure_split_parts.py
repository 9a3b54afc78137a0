"""How much of what a split gives is exact, and how good is the part that it has learned?

A RangeSplit or GridSplit adds closed forms within reach of every source, which is the cutoff, and
for boxes their outer radius more, to smooth values that it has learned. For 200 samples of a split
of a dataset this counts the pairs of source and point within reach, and prints the median relative
errors of the whole, of the learned part alone, of the same at the points beyond the reach of all
sources, where nothing else is, of exact values within reach alone, and of the exact smooth part
with the near part added in float32, which is the rounding that no training takes away. All are
relative to the exact field of all bodies.

    hm-generate paper-discs-2d discs && hm-train discs run --recipe split-5min
    python benchmarks/measure_split_parts.py run discs test_multi
"""

import sys
from functools import partial
from pathlib import Path
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import hypermagnetics.models
from hypermagnetics.data import Dataset
from hypermagnetics.models import GridSplit, RangeSplit
from hypermagnetics.models.split.near import reach, smooth_superposition
from hypermagnetics.sources import superposition

SAMPLES = 200
BEYOND = "learned part beyond the cutoff of all sources"
PARTS = (
    "whole",
    "learned part alone",
    BEYOND,
    "exact within the cutoff, nothing beyond",
    "rounding alone",
)
Values = tuple[jax.Array, jax.Array]


class Reached(NamedTuple):
    """Which points lie within reach of which sources."""

    pairs: jax.Array
    """Share of the pairs of source and point."""
    points: jax.Array
    """Whether a point has such a source."""


def parts(
    model: RangeSplit | GridSplit, sources: jax.Array, points: jax.Array
) -> tuple[dict[str, Values], Reached]:
    """Potential and field made in several ways, at the points of one sample."""
    columns, dim = model.inputs.columns, model.inputs.dim
    near = model.near.values(sources, points, None)
    potential, field = model.learned_block(sources[None], points)
    learned = potential[0], field[0]
    smooth = smooth_superposition(columns, model.smoothing, sources, points)
    each = jax.vmap(lambda row: superposition(columns, row[None], points))(sources)
    offset = points[None] - sources[:, None, dim : 2 * dim]
    is_source = jnp.any(sources[:, :dim] != 0, axis=1)[:, None]
    distance = jnp.linalg.norm(offset, axis=-1)
    is_near = is_source & (distance < reach(columns, model.smoothing, sources)[:, None])
    found = (
        (learned[0] + near[0], learned[1] + near[1]),
        learned,
        learned,
        (
            jnp.sum(jnp.where(is_near, each[0], 0), axis=0),
            jnp.sum(jnp.where(is_near[..., None], each[1], 0), axis=0),
        ),
        (smooth[0] + near[0], smooth[1] + near[1]),
    )
    share = jnp.sum(is_near) / (jnp.sum(is_source) * len(points))
    return dict(zip(PARTS, found, strict=True)), Reached(share, jnp.any(is_near, axis=0))


def relative(found: Values, potential: np.ndarray, field: np.ndarray) -> tuple[np.ndarray, ...]:
    """Relative errors of potential and field at each point."""
    norm = partial(np.linalg.norm, axis=-1)
    return (
        np.abs(np.asarray(found[0]) - potential) / np.abs(potential),
        norm(np.asarray(found[1]) - field) / norm(field),
    )


def main() -> None:
    """Print a table for one run and split."""
    run, dataset = Path(sys.argv[1]), Path(sys.argv[2])
    name = sys.argv[3] if len(sys.argv) > 3 else "test_multi"
    model = hypermagnetics.models.load(run / "model.hm")
    assert isinstance(model, RangeSplit | GridSplit), "a split is what has these parts"
    split = Dataset.open(dataset).split(name)
    of_sample = eqx.filter_jit(parts)
    errors: dict[str, list[tuple[np.ndarray, ...]]] = {}
    pairs, touched = [], []
    for i in range(SAMPLES):
        sample = split[i]
        found, reached = of_sample(model, jnp.asarray(sample.sources), jnp.asarray(sample.grid))
        is_touched = np.asarray(reached.points)
        pairs.append(reached.pairs)
        touched.append(is_touched)
        for part, values in found.items():
            made = relative(values, sample.potential, sample.field)
            some = ~is_touched if part == BEYOND else np.ones_like(is_touched)
            errors.setdefault(part, []).append(tuple(each[some] for each in made))
    print(f"{name}, {SAMPLES} samples: cutoff {model.smoothing.cutoff:.3g} m")
    print(
        f"{np.mean(pairs):.0%} of the pairs within reach, "
        f"{np.mean(touched):.0%} of the points within that of a source"
    )
    print("\n| % | potential, median / p99 | field, median / p99 |\n|---|--:|--:|")
    for part in PARTS:
        cells = []
        for kind in zip(*errors[part], strict=True):
            median, p99 = 100 * np.quantile(np.concatenate(kind), [0.5, 0.99])
            cells.append(f"{median:.2g} / {p99:.2g}")
        print(f"| {part} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
