"""Smooth part by waves on a grid against trained factors: time of a source or point, and errors.

Discs of radius 1 in a square and spheres in a cube, both of sides of 6 m, one configuration of 8192
bodies at 8192 points. The trained factors are those of `split-5min` (256 features of 1024 waves) in
the plane and of `split-30min` (512 of 2048) in space, fitted by their least squares; the waves on a
grid are as many as their default accuracy asks for. Calls take turns, so that whatever else the
machine does slows both. Errors are of the whole, near part included.
"""

from functools import partial

import jax
import jax.numpy as jnp
import jax.random as jr
from against_exact import errors_of, shortest_seconds, smooth_part
from measurement import report

from hypermagnetics.models import Model, RangeSplit, RangeSplitConfig, split_of_domain
from hypermagnetics.models.split.grid_settings import GridSplitConfig, inputs_of_domain
from hypermagnetics.sources import SourceColumns, superposition

HALF_SIDE = 3.0
NUMBER = 8192
COMPARED = 1000
CASES = {
    "discs": (SourceColumns.of("disc", constants={"radius": 1.0}), (256, 1024), 0.15),
    "spheres": (SourceColumns.of("sphere", constants={"radius": 1.0}), (512, 2048), 0.3),
}
"""Columns, features and waves of the trained factors, and bound of the ratio of times."""


def spread(columns: SourceColumns, number: int, seed: int) -> tuple[jax.Array, jax.Array]:
    """Bodies and points that are even in the box."""
    keys = jr.split(jr.key(seed), 3)
    even = partial(jr.uniform, shape=(number, columns.dim), minval=-HALF_SIDE, maxval=HALF_SIDE)
    moments = jr.normal(keys[0], (number, columns.dim))
    return jnp.concatenate([moments, even(keys[1])], axis=1), even(keys[2])


def trained(columns: SourceColumns, rank: int, waves: int) -> Model:
    """A RangeSplit, fitted."""
    inputs = inputs_of_domain(columns, GridSplitConfig(domain=HALF_SIDE))
    model = RangeSplit(RangeSplitConfig(rank=rank, waves=waves), inputs, jr.key(0))
    return model.fitted(*spread(columns, 10_000, 1), jr.key(1))


def main() -> None:
    """Both bodies."""
    for body, (columns, (rank, waves), bound) in CASES.items():
        models = {
            "trained": trained(columns, rank, waves),
            "grid": split_of_domain(columns, HALF_SIDE),
        }
        given = spread(columns, NUMBER, 2)
        few, at = spread(columns, 4, 3)[0], spread(columns, COMPARED, 4)[1]
        figures: dict[str, float | None] = {}
        seconds = dict.fromkeys(models, float("inf"))
        for _ in range(5):
            for name, model in models.items():
                taken = shortest_seconds(partial(smooth_part(model), *given))
                seconds[name] = min(seconds[name], taken)
        for name, model in models.items():
            figures[f"{name}_us"] = 1e6 * seconds[name] / (2 * NUMBER)
            found = model.potential(few, at), model.field(few, at)
            figures |= errors_of(found, superposition(columns, few, at)).figures(name)
        report(
            f"smooth part of {body} by waves on a grid against trained factors, in time",
            seconds["grid"] / seconds["trained"],
            bound,
            num_waves=models["grid"].rank,
            **figures,
        )


if __name__ == "__main__":
    main()
