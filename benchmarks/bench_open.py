"""How long does it take to open a dataset of 10 000 shards, and how much memory?

One small sample a shard: 50 000 files in Zarr, 10 000 in HDF5. Opened by a fresh process, page
cache warm; imports are not in the time, but in the memory.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from measurement import report

from hypermagnetics.data import (
    Block,
    DatasetWriter,
    Identity,
    SplitLayout,
    StorageFormat,
)

SHARDS = 10_000
SECONDS, MEGABYTES = 1.0, 100.0
FORMATS: tuple[StorageFormat, ...] = ("zarr", "hdf5")

_OPEN = r"""
import json, re, sys, time
from pathlib import Path
from hypermagnetics.data import Dataset
start = time.perf_counter()
split = Dataset.open(sys.argv[1]).split("train")
seconds = time.perf_counter() - start
assert len(split) == 10_000
kilobytes = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]
print(json.dumps([seconds, int(kilobytes) * 1024 / 1e6]))
"""


def write(directory: Path, storage_format: StorageFormat) -> None:
    """Shards of one sample of four points; syncing each is not what is asked here."""
    layout = SplitLayout(
        num_samples=SHARDS,
        samples_per_grid=1,
        shared_grid=False,
        samples_per_shard=1,
        max_sources=1,
        source_size=4,
        num_points=4,
        dim=2,
    )
    identity = Identity(
        title="Many shards",
        bodies={"disc": 1},
        constants={"radius": 1.0},
        columns=("moment_x", "moment_y", "position_x", "position_y"),
        column_units=("A m", "A m", "m", "m"),
        seed=0,
        storage_format=storage_format,
        compression="none",
        recipe={},
        software={},
        splits={"train": layout},
    )
    ones = (np.ones(shape, np.float32) for shape in ((1, 1, 4), (4, 2), (1, 4), (1, 4, 2)))
    sources, grid, potential, field = ones
    block = Block(sources, np.ones(1, np.int32), grid, potential, field)
    os.fsync = lambda descriptor: None
    with DatasetWriter.open(directory, identity) as writer:
        for shard in layout.shards():
            with writer.shard("train", shard) as sink:
                sink.append(block)
        writer.write_metadata()
        writer.finish()


def main() -> None:
    """Both formats; the first opening warms the page cache."""
    with tempfile.TemporaryDirectory() as scratch:
        for storage_format in FORMATS:
            directory = Path(scratch) / storage_format
            write(directory, storage_format)
            runs = [
                subprocess.run(
                    [sys.executable, "-c", _OPEN, directory], check=True, capture_output=True
                ).stdout
                for _ in range(4)
            ]
            seconds, megabytes = (
                sorted(values) for values in zip(*map(json.loads, runs[1:]), strict=True)
            )
            report(
                f"seconds to open {SHARDS} shards of {storage_format}",
                seconds[1],
                SECONDS,
                megabytes=megabytes[1],
                megabytes_bound=MEGABYTES,
            )


if __name__ == "__main__":
    main()
