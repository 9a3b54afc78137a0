"""What the settings of RangeSplit do to its error: the sweep behind its defaults.

Balls of radius 1 (discs) or 0.5 (spheres), positions and moments normal, points even in [-3, 3]^n;
each model is fitted to 4000 sources and 2000 points, without a step of gradients, and evaluated on
100 configurations of four sources that it has not seen. One setting varies at a time.

    python benchmarks/sweep_split.py 2 > plane.md
"""

import sys
import time

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr

from hypermagnetics.models import ModelInputs, RangeSplit, Scales
from hypermagnetics.models.split import RangeSplitConfig
from hypermagnetics.models.split.model import BANDWIDTH, SMOOTHNESS
from hypermagnetics.sources import SourceColumns, block_superposition

LENGTH = 3**0.5
"""Length scale of points between -3 and 3 m [m]."""

COLUMNS = {
    2: SourceColumns.of("disc", constants={"radius": 1.0}),
    3: SourceColumns.of("sphere", constants={"radius": 0.5}),
}
CUTOFFS = {2: (1.0, 1.5, 3.0), 3: (1.0, 2.0, 4.0)}
"""[m]"""
CHANGES: tuple[dict[str, int], ...] = (
    {"rank": 64},
    {"rank": 128},
    {"rank": 512},
    {"waves": 512},
    {"waves": 2048},
    {"rank": 512, "waves": 2048},
)


def settings(dim: int) -> list[RangeSplitConfig]:
    """The defaults, and one change after the other."""
    powers = [RangeSplitConfig(smoothness=SMOOTHNESS[dim] + step) for step in (-2, -1, 1, 2)]
    others = [RangeSplitConfig.model_validate(change) for change in CHANGES]
    cutoffs = [RangeSplitConfig(cutoff=cutoff / LENGTH) for cutoff in CUTOFFS[dim]]
    bandwidths = [
        RangeSplitConfig(bandwidth=factor * BANDWIDTH[dim]) for factor in (0.7, 0.9, 1.1, 1.4)
    ]
    return [RangeSplitConfig(), *powers, *others, *cutoffs, *bandwidths]


def errors(dim: int, config: RangeSplitConfig) -> tuple[float, float, float]:
    """Median relative errors of potential and field, and the seconds of the fit."""
    columns = COLUMNS[dim]
    inputs = ModelInputs(
        columns=columns,
        scales=Scales(length=LENGTH, moment=1.0, potential=0.1),
    )
    sources = jr.normal(jr.key(0), (10_000, 2 * dim))
    points = jr.uniform(jr.key(1), (10_000, dim), minval=-3.0, maxval=3.0)
    start = time.perf_counter()
    model = RangeSplit(config, inputs, jr.key(2)).fitted(sources, points, jr.key(3))
    seconds = time.perf_counter() - start
    tables = jr.normal(jr.key(4), (100, 4, 2 * dim))
    grid = jr.uniform(jr.key(5), (512, dim), minval=-3.0, maxval=3.0)
    exact = block_superposition(columns, tables, jnp.full(100, 4, jnp.int32), grid)
    found = eqx.filter_jit(model.block)(tables, grid)
    potential = jnp.abs(found[0] - exact[0]) / jnp.abs(exact[0])
    field = jnp.linalg.norm(found[1] - exact[1], axis=-1) / jnp.linalg.norm(exact[1], axis=-1)
    return float(jnp.median(potential)), float(jnp.median(field)), seconds


def main() -> None:
    """Print a row for each setting."""
    dim = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    print("| change | potential | field | seconds of the fit |\n|---|--:|--:|--:|", flush=True)
    for config in settings(dim):
        potential, field, seconds = errors(dim, config)
        changed = config.model_dump(exclude_defaults=True)
        name = ", ".join(f"{key} {value:.4g}" for key, value in changed.items()) or "none"
        print(f"| {name} | {100 * potential:.4f} | {100 * field:.4f} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
