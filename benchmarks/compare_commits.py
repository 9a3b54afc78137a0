"""How long do sums and models of this checkout take, over those of another one?

A process of each makes the same calls in turn, so that both meet the same moods of the machine.
The other checkout needs its .venv (`make .venv/bin/hm-train` there). Prints, for each call, the
median time of both and its ratio.

    python benchmarks/compare_commits.py OTHER_CHECKOUT
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr

from hypermagnetics.models import HyperLayer, Model, ModelInputs, RangeSplit
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.models.split import RangeSplitConfig
from hypermagnetics.sources import SourceColumns
from hypermagnetics.sources.superposition import block_sum

ROUNDS = 40
SIDES = {"dimension_x": 1.0, "dimension_y": 0.7}
BODIES = {
    "discs": SourceColumns.of("disc", constants={"radius": 1.0}),
    "rectangles": SourceColumns.of("rectangle", constants=SIDES),
    "spheres": SourceColumns.of("sphere", constants={"radius": 1.0}),
    "cuboids": SourceColumns.of("cuboid", constants={**SIDES, "dimension_z": 0.5}),
}


def even(key: int, *shape: int) -> jax.Array:
    """Numbers between -3 and 3."""
    return jr.uniform(jr.key(key), shape, jnp.float32, -3.0, 3.0)


def labels_of(columns: SourceColumns) -> Callable[[], object]:
    """A call for labels, in float64: 256 samples of 32 sources at 320 points."""
    sources, points = even(0, 256, 32, columns.size), even(1, 320, columns.dim)
    counts, floats = jnp.full(256, 32), jnp.dtype(jnp.float32)

    def call() -> object:
        with jax.enable_x64(True):
            return block_sum(columns, sources, counts, points, dtype=floats)

    return call


def calls() -> dict[str, Callable[[], object]]:
    """All that is timed, by its name; of the package that is imported."""
    found = {f"labels of {name}": labels_of(columns) for name, columns in BODIES.items()}
    columns = BODIES["spheres"]
    inputs = ModelInputs(columns=columns)
    sources, points = even(2, 1000, 10, columns.size), even(3, 1000, 3)
    layer = HyperLayerConfig(width=400, depth=3, hwidth=1.5, hdepth=3)
    models: dict[str, Model] = {
        "HyperLayer": HyperLayer(
            config=layer, inputs=inputs, hyperkey=jr.key(4), mainkey=jr.key(5)
        ),
        "RangeSplit": RangeSplit(RangeSplitConfig(), inputs, jr.key(6)),
    }
    for name, model in models.items():
        block = eqx.filter_jit(model.block)
        found[f"{name}.block"] = lambda block=block: block(sources, points)
        found[f"{name}.field"] = lambda model=model: model.field(sources[0], points)
    return found


def serve(lines: IO[str]) -> None:
    """Make a call for each name that is read, and print its seconds."""
    known = calls()
    for call in known.values():
        jax.block_until_ready(call())
    for line in lines:
        start = time.perf_counter()
        jax.block_until_ready(known[line.strip()]())
        print(time.perf_counter() - start, flush=True)


def seconds(server: "subprocess.Popen[str]", name: str) -> float:
    """Time of one call."""
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(f"{name}\n")
    server.stdin.flush()
    return float(server.stdout.readline())


def compare(here: Path, other: Path) -> None:
    """Print a line for each call."""
    servers = [
        subprocess.Popen(
            [checkout / ".venv" / "bin" / "python", __file__, "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for checkout in (other, here)
    ]
    for name in calls():
        pairs = [[seconds(server, name) for server in servers] for _ in range(ROUNDS)]
        before, now = map(statistics.median, zip(*pairs, strict=True))
        ratio = f"{now / before:.2f}"
        print(f"{name:22s} {1e3 * before:8.2f} ms there {1e3 * now:8.2f} ms here, {ratio}")
    for server in servers:
        server.communicate()


if __name__ == "__main__":
    if sys.argv[1:] == ["--serve"]:
        serve(sys.stdin)
    else:
        compare(Path(__file__).resolve().parents[1], Path(sys.argv[1]).resolve())
