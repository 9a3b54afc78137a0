"""How fast are batches of whole blocks, against np.memmap gathering the same bytes?

Theirs: one file of each array, mapped by np.memmap, indexed by the numbers of the blocks. Ours:
`read_batch` on Zarr and on HDF5. Batches of four shuffled blocks of 256 samples, page cache warm,
the two timed in turn.
"""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from measurement import report

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Block, Dataset, DatasetWriter, Split, StorageFormat, read_batch
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.plan import make_plan

BOUND = 0.8
BLOCKS, BLOCKS_PER_BATCH, ROUNDS = 64, 4, 60
FORMATS: tuple[StorageFormat, ...] = ("zarr", "hdf5")


def write(directory: Path, storage_format: StorageFormat) -> Split:
    """A split of random numbers; how they came about does not matter here."""
    samples = 256 * BLOCKS
    recipe = load_recipe(
        DatasetRecipe,
        "dataset",
        "paper-discs-2d",
        [f"splits={{train={{num_samples={samples}, num_sources=1}}}}", "storage.shard_mb=64"],
    )
    plan = make_plan(recipe, storage_format)
    generator = np.random.default_rng(0)
    block = Block(
        sources=generator.normal(size=(256, 1, 4)).astype(np.float32),
        num_sources=np.ones(256, np.int32),
        grid=generator.normal(size=(1024, 2)).astype(np.float32),
        potential=generator.normal(size=(256, 1024)).astype(np.float32),
        field=generator.normal(size=(256, 1024, 2)).astype(np.float32),
    )
    with DatasetWriter.open(directory, plan.identity) as writer:
        for split, shard in plan.shards():
            with writer.shard(split, shard) as sink:
                for _ in range(shard.num_blocks):
                    sink.append(block)
        writer.write_metadata()
        writer.finish()
    return Dataset.open(directory).split("train")


def plain_files(split: Split, directory: Path) -> list[np.memmap]:
    """The same arrays, each in one plain file, with an axis of blocks in front."""
    arrays = []
    directory.mkdir()
    for name in ("sources", "num_sources", "grid", "potential", "field"):
        stacked = np.stack([getattr(block, name) for block in split.blocks()])
        stacked.tofile(directory / name)
        arrays.append(np.memmap(directory / name, stacked.dtype, "r", shape=stacked.shape))
    return arrays


def main() -> None:
    """Gather the same shuffled batches both ways."""
    generator = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as scratch:
        for storage_format in FORMATS:
            split = write(Path(scratch) / storage_format, storage_format)
            arrays = plain_files(split, Path(scratch) / f"{storage_format}-plain")
            ours, theirs = [], []
            for _ in range(ROUNDS):
                blocks = generator.choice(BLOCKS, BLOCKS_PER_BATCH, replace=False)
                start = time.perf_counter()
                batch = read_batch(split, tuple(int(block) for block in blocks))
                middle = time.perf_counter()
                plain = [array[blocks] for array in arrays]
                theirs.append(time.perf_counter() - middle)
                ours.append(middle - start)
                assert np.array_equal(batch.field, plain[-1])
            size = sum(array.nbytes for array in plain)
            report(
                f"batches from {storage_format} against np.memmap gather",
                statistics.median(theirs) / statistics.median(ours),
                BOUND,
                ours_gb_per_second=size / statistics.median(ours) / 1e9,
                memmap_gb_per_second=size / statistics.median(theirs) / 1e9,
            )


if __name__ == "__main__":
    main()
