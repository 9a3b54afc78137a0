"""Many configurations at once: models against the exact sum in JAX and a fast multipole method.

1000 configurations of 10 spheres at the same 1000 points, potential and field. The models take the
block at once; so does the exact sum of this package. fmm3d, which knows points alone, goes from one
configuration to the next, with a tolerance of 1e-3. Errors against the exact sum are printed beside
the times. The RangeSplit is fitted by its least squares. HyperLayer has random parameters: it takes
the time of a trained one, and its errors say that there is no accuracy behind this time.
"""

from collections.abc import Callable

import equinox as eqx
import fmm3dpy
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from against_exact import errors_of
from measurement import report, time_calls

from hypermagnetics.models import HyperLayer, Model, ModelInputs, RangeSplit, Scales
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.models.split import RangeSplitConfig
from hypermagnetics.sources import SourceColumns, block_superposition

CONFIGURATIONS, SOURCES, POINTS = 1000, 10, 1000
HALF_SIDE = 3.0
"""[m]"""
TOLERANCE = 1e-3
COLUMNS = SourceColumns.of("sphere", constants={"radius": 0.3})


def models() -> dict[str, Model]:
    """The shipped architectures in three dimensions: one as drawn, one fitted."""
    inputs = ModelInputs(
        columns=COLUMNS,
        scales=Scales(length=HALF_SIDE / 3**0.5, moment=1.0, potential=0.1),
    )
    keys = {"hyperkey": jr.key(0), "mainkey": jr.key(1)}
    small = HyperLayerConfig(width=256, depth=2, hwidth=1.0, hdepth=2)
    seen, at = jr.normal(jr.key(5), (10_000, 6)), even_points(10_000, jr.key(6))
    return {
        "untrained_hyper_layer_256": HyperLayer(config=small, inputs=inputs, **keys),
        "fitted_split_256": RangeSplit(RangeSplitConfig(), inputs, jr.key(2)).fitted(
            seen, at, jr.key(7)
        ),
    }


def even_points(count: int, key: jax.Array) -> jax.Array:
    """Points in the cube."""
    return jr.uniform(key, (count, 3), minval=-HALF_SIDE, maxval=HALF_SIDE)


def by_fmm(sources: np.ndarray, points: np.ndarray) -> Callable[[], None]:
    """All configurations, one after the other."""

    def call() -> None:
        for table in sources:
            fmm3dpy.lfmm3d(
                eps=TOLERANCE,
                sources=table[:, 3:].T,
                dipvec=table[:, :3].T,
                targets=points.T,
                pgt=2,
            )

    return call


def main() -> None:
    """Time all on the same input."""
    sources = jr.normal(jr.key(3), (CONFIGURATIONS, SOURCES, 6))
    points = even_points(POINTS, jr.key(4))
    counts = jnp.full(CONFIGURATIONS, SOURCES, jnp.int32)
    true = block_superposition(COLUMNS, sources, counts, points)
    exact = time_calls(
        lambda: jax.block_until_ready(block_superposition(COLUMNS, sources, counts, points))
    )
    wide = np.asarray(sources, np.float64), np.asarray(points, np.float64)
    fmm = time_calls(by_fmm(*wide), repeats=3)
    figures = {"exact_seconds": exact.median, "fmm3d_seconds": fmm.median}
    slowest = 0.0
    for name, model in models().items():
        block = eqx.filter_jit(model.block)
        taken = time_calls(lambda block=block: jax.block_until_ready(block(sources, points)))
        figures |= {f"{name}_seconds": taken.median, f"{name}_spread": taken.spread}
        figures[f"{name}_against_exact"] = exact.median / taken.median
        figures |= errors_of(block(sources, points), true).figures(name)
        slowest = max(slowest, taken.median)
    report(
        f"{CONFIGURATIONS} configurations of {SOURCES} spheres at {POINTS} points: the slower "
        "model against fmm3d, one by one",
        fmm.median / slowest,
        1.0,
        fmm3d_against_exact=fmm.median / exact.median,
        **figures,
    )


if __name__ == "__main__":
    main()
