"""Does the time of the sum grow in proportion to sources times points?

From 8 sources at 128 points to 100 sources at 1024 points, that is 1e3 to 1e5 pairs a sample, in
blocks of 256 samples, summed in float64 and rounded as hm-generate does. The figure is the largest
deviation of the time per pair from that of the middle size, for each body.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import jax.random as jr
from measurement import report, time_calls

from hypermagnetics.sources import SourceColumns
from hypermagnetics.sources.superposition import block_sum

BOUND = 0.2
SIZES = ((8, 128), (32, 320), (100, 1024))
SAMPLES = 256
BODIES = {
    "discs": SourceColumns.of("disc", constants={"radius": 1.0}),
    "rectangles": SourceColumns.of("rectangle", constants={"dimension_x": 1.0, "dimension_y": 0.5}),
    "spheres": SourceColumns.of("sphere", constants={"radius": 1.0}),
    "cuboids": SourceColumns.of(
        "cuboid", constants={"dimension_x": 1.0, "dimension_y": 0.7, "dimension_z": 0.5}
    ),
}


def call(columns: SourceColumns, num_sources: int, num_points: int) -> Callable[[], object]:
    """A function that sums one block and waits for it."""
    sources = jr.normal(jr.key(0), (SAMPLES, num_sources, columns.size))
    points = jr.uniform(jr.key(1), (num_points, columns.dim), minval=-3.0, maxval=3.0)
    counts = jnp.full(SAMPLES, num_sources)
    dtype = jnp.dtype(jnp.float32)
    return lambda: jax.block_until_ready(block_sum(columns, sources, counts, points, dtype=dtype))


def main() -> None:
    """Time every body at every size."""
    jax.config.update("jax_enable_x64", True)
    for name, columns in BODIES.items():
        per_pair = [
            time_calls(call(columns, *size)).median / (SAMPLES * size[0] * size[1])
            for size in SIZES
        ]
        middle = per_pair[len(per_pair) // 2]
        report(
            f"deviation from linear scaling, {name}, at most",
            max(abs(seconds / middle - 1) for seconds in per_pair),
            BOUND,
            **{
                f"ns_per_pair_{sources}x{points}": seconds * 1e9
                for (sources, points), seconds in zip(SIZES, per_pair, strict=True)
            },
        )


if __name__ == "__main__":
    main()
