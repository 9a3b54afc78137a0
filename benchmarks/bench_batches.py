"""How fast are batches of whole blocks, against np.memmap and three libraries reading the same?

Ours: `read_batch`, uncompressed. Against np.memmap: one plain file of each array, indexed by the
numbers of the blocks. Against zarr-python, h5py and tensorstore: the very files of the dataset,
opened beforehand, each block read into its place of one array. Batches of four shuffled blocks of
256 samples, page cache warm, all timed in turn.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import tensorstore
import zarr
from measurement import report

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Block, Dataset, DatasetWriter, Split, StorageFormat, read_batch
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.plan import make_plan

BOUNDS = {"np.memmap": 0.9, "zarr-python": 5.0, "h5py": 2.0, "tensorstore": 2.0}
BLOCKS, BLOCKS_PER_BATCH, ROUNDS = 64, 4, 60
NAMES = ("sources", "num_sources", "grid", "potential", "field")

Gather = Callable[[np.ndarray], list[np.ndarray]]
"""The arrays of the blocks with these numbers, `field` last."""


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
    with DatasetWriter.open(directory, plan.identity) as writer:
        for split, shard in plan.shards():
            with writer.shard(split, shard) as sink:
                for _ in range(shard.num_blocks):
                    sink.append(random_block(generator))
        writer.write_metadata()
        writer.finish()
    return Dataset.open(directory).split("train")


def random_block(generator: np.random.Generator) -> Block:
    """256 samples at 1024 points."""
    return Block(
        sources=generator.normal(size=(256, 1, 4)).astype(np.float32),
        num_sources=np.ones(256, np.int32),
        grid=generator.normal(size=(1024, 2)).astype(np.float32),
        potential=generator.normal(size=(256, 1024)).astype(np.float32),
        field=generator.normal(size=(256, 1024, 2)).astype(np.float32),
    )


def by_memmap(split: Split, directory: Path) -> Gather:
    """The same arrays, each in one plain file, with an axis of blocks in front."""
    arrays = []
    directory.mkdir()
    for name in NAMES:
        stacked = np.stack([getattr(block, name) for block in split.blocks()])
        stacked.tofile(directory / name)
        arrays.append(np.memmap(directory / name, stacked.dtype, "r", shape=stacked.shape))
    return lambda blocks: [array[blocks] for array in arrays]


def rows_of(name: str) -> int:
    """Entries of the first axis in a block."""
    return 1 if name == "grid" else 256


def by_zarr(split: Split) -> Gather:
    """zarr-python, one read for each block."""
    group = zarr.open_group(split.directory / "train.zarr", mode="r")
    arrays = [(group[name], rows_of(name)) for name in NAMES]
    return lambda blocks: [
        np.concatenate([array[rows * b : rows * (b + 1)] for b in blocks]) for array, rows in arrays
    ]


def by_tensorstore(split: Split) -> Gather:
    """tensorstore, all reads of a batch at once."""
    arrays = []
    for name in NAMES:
        path = str(split.directory / "train.zarr" / name)
        store = {"driver": "zarr3", "kvstore": {"driver": "file", "path": path}}
        arrays.append((tensorstore.open(store, read=True, open=True).result(), rows_of(name)))

    def gather(blocks: np.ndarray) -> list[np.ndarray]:
        tasks = [
            [array[rows * int(b) : rows * (int(b) + 1)].read() for b in blocks]
            for array, rows in arrays
        ]
        return [np.concatenate([task.result() for task in row]) for row in tasks]

    return gather


def by_h5py(split: Split) -> Gather:
    """h5py, each block read straight into its place."""
    per_shard = split.layout.blocks_per_shard
    files = [h5py.File(path) for path in sorted((split.directory / "train").glob("*.h5"))]
    datasets = [[file[name] for name in NAMES] for file in files]

    def gather(blocks: np.ndarray) -> list[np.ndarray]:
        gathered = []
        for place, name in enumerate(NAMES):
            rows, like = rows_of(name), datasets[0][place]
            whole = np.empty((rows * len(blocks), *like.shape[1:]), like.dtype)
            for number, block in enumerate(blocks.tolist()):
                shard, inner = divmod(block, per_shard)
                source = np.s_[rows * inner : rows * (inner + 1)]
                target = np.s_[rows * number : rows * (number + 1)]
                datasets[shard][place].read_direct(whole, source, target)
            gathered.append(whole)
        return gathered

    return gather


def compare(split: Split, others: dict[str, Gather], storage_format: str) -> None:
    """Gather the same shuffled batches in all ways, in turn."""
    generator = np.random.default_rng(1)
    seconds: dict[str, list[float]] = {name: [] for name in (*others, "ours")}
    size = 0
    for _ in range(ROUNDS):
        blocks = generator.choice(BLOCKS, BLOCKS_PER_BATCH, replace=False)
        start = time.perf_counter()
        batch = read_batch(split, blocks.tolist())
        seconds["ours"].append(time.perf_counter() - start)
        size = sum(getattr(batch, name).nbytes for name in NAMES)
        for name, gather in others.items():
            start = time.perf_counter()
            arrays = gather(blocks)
            seconds[name].append(time.perf_counter() - start)
            assert np.array_equal(batch.field.ravel(), arrays[-1].ravel())
    median = {name: statistics.median(times) for name, times in seconds.items()}
    for name in others:
        report(
            f"batches from {storage_format} against {name}",
            median[name] / median["ours"],
            BOUNDS[name],
            ours_gb_per_second=size / median["ours"] / 1e9,
            theirs_gb_per_second=size / median[name] / 1e9,
        )


def main() -> None:
    """Both formats."""
    with tempfile.TemporaryDirectory() as scratch:
        split = write(Path(scratch) / "zarr", "zarr")
        others = {"np.memmap": by_memmap(split, Path(scratch) / "plain")}
        others |= {"zarr-python": by_zarr(split), "tensorstore": by_tensorstore(split)}
        compare(split, others, "Zarr")
        split = write(Path(scratch) / "hdf5", "hdf5")
        others = {"np.memmap": by_memmap(split, Path(scratch) / "again"), "h5py": by_h5py(split)}
        compare(split, others, "HDF5")


if __name__ == "__main__":
    main()
