"""How fast is writing, compute excluded, against numpy's tofile and fsync of the same bytes?

Ours: DatasetWriter, in three threads, as hm-generate has on two cores: checks of every value,
statistics, files under another name, fsync, sha256 of what was written, rename, journal, manifest.
Theirs: each array of each shard to a file, fsync. 0.8 GB, the two in turn.
"""

import os
import shutil
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from bench_batches import NAMES, random_block
from measurement import report

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Block, DatasetWriter, Shard, StorageFormat
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.plan import SourcePlan, make_plan

BOUND = 0.6
BLOCKS, DISTINCT, THREADS, ROUNDS = 256, 16, 3, 5
FORMATS: tuple[StorageFormat, ...] = ("zarr", "hdf5")


def make_blocks() -> list[Block]:
    """Some blocks that are written again and again."""
    generator = np.random.default_rng(0)
    return [random_block(generator) for _ in range(DISTINCT)]


def planned(storage_format: StorageFormat) -> SourcePlan:
    """Shards of 64 MB."""
    split = f"splits={{train={{num_samples={256 * BLOCKS}, num_sources=1}}}}"
    overrides = [split, "storage.shard_mb=64"]
    recipe = load_recipe(DatasetRecipe, "dataset", "paper-discs-2d", overrides)
    return make_plan(recipe, storage_format)


def ours(directory: Path, plan: SourcePlan, blocks: list[Block]) -> float:
    """Seconds to write a dataset."""
    start = time.perf_counter()
    with DatasetWriter.open(directory, plan.identity) as writer:

        def write(split: str, shard: Shard) -> None:
            with writer.shard(split, shard) as sink:
                for index in range(shard.num_blocks):
                    sink.append(blocks[(shard.first_block + index) % DISTINCT])

        with ThreadPoolExecutor(THREADS) as pool:
            for task in [pool.submit(write, *shard) for shard in plan.shards()]:
                task.result()
        writer.write_metadata()
        writer.finish()
    return time.perf_counter() - start


def theirs(directory: Path, plan: SourcePlan, blocks: list[Block]) -> float:
    """Seconds to write the same bytes to plain files."""
    directory.mkdir()
    start = time.perf_counter()
    for _, shard in plan.shards():
        for name in NAMES:
            with (directory / f"{shard.number}-{name}").open("wb") as file:
                for index in range(shard.num_blocks):
                    getattr(blocks[(shard.first_block + index) % DISTINCT], name).tofile(file)
                os.fsync(file.fileno())
    return time.perf_counter() - start


def main() -> None:
    """Both formats."""
    blocks = make_blocks()
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch) / "written"
        for storage_format in FORMATS:
            plan = planned(storage_format)
            seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
            for _ in range(ROUNDS):
                for name, write in (("theirs", theirs), ("ours", ours)):
                    seconds[name].append(write(place, plan, blocks))
                    shutil.rmtree(place)
                    os.sync()
            median = {name: statistics.median(times) for name, times in seconds.items()}
            report(
                f"writing {storage_format} against tofile and fsync",
                median["theirs"] / median["ours"],
                BOUND,
                ours_gb_per_second=plan.num_bytes / median["ours"] / 1e9,
                theirs_gb_per_second=plan.num_bytes / median["theirs"] / 1e9,
                ours_slowest=max(seconds["ours"]),
                theirs_slowest=max(seconds["theirs"]),
            )


if __name__ == "__main__":
    main()
