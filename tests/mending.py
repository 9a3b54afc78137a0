"""Values of a dataset changed so that sizes and checksums agree with them."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hypermagnetics.data import (
    Block,
    Compression,
    Dataset,
    DatasetWriter,
    Identity,
    SplitLayout,
    StorageFormat,
)

Edit = Callable[[np.ndarray], None]


def edit_manifest(directory: Path, edit: Callable[[Any], object]) -> None:
    """Change the parsed manifest."""
    path = directory / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    edit(manifest)
    text = json.dumps(manifest)
    path.write_text(text, encoding="utf-8")
    listed = directory / "manifest-sha256.txt"
    *others, _ = listed.read_text(encoding="utf-8").splitlines()
    digest = hashlib.sha256(text.encode()).hexdigest()
    listed.write_text("\n".join([*others, f"{digest}  manifest.json", ""]), encoding="utf-8")


def mend_manifest(directory: Path, file: Path) -> None:
    """Make the manifest agree with a file that was changed."""

    def agree(manifest: Any) -> None:
        path = str(file.relative_to(directory))
        (entry,) = (entry for entry in manifest["files"] if entry[0] == path)
        data = file.read_bytes()
        entry[4:] = [len(data), hashlib.sha256(data).hexdigest()]

    edit_manifest(directory, agree)


def change_values(directory: Path, split: str, array: str, edit: Edit) -> None:
    """Edit what the first shard holds of an array, and mend the manifest.

    Args:
        directory: The dataset.
        split: Name of the split.
        array: Name of the array.
        edit: Changes the values in place.
    """
    dataset = Dataset.open(directory)
    layout = dataset.split(split).layout
    if dataset.manifest.storage_format == "hdf5":
        file = directory / split / "shard-00000.h5"
        with h5py.File(file, "r+") as opened:
            values = opened[array][:]
            edit(values)
            opened[array][:] = values
    else:
        spec = layout.array(array)  # type: ignore[arg-type]
        inner = ["0"] * (len(spec.shape) - 1)
        file = directory.joinpath(f"{split}.zarr", array, "c", "0", *inner)
        shape = (len(layout.rows(spec.name, layout.shard(0))), *spec.shape[1:])
        mapped = np.memmap(file, spec.dtype, "r+", shape=shape)
        edit(mapped)
        mapped.flush()
    mend_manifest(directory, file)


def random_blocks(layout: SplitLayout, seed: int = 0) -> list[Block]:
    """Values for every block of a split, drawn at random, with padding as the format asks."""
    random = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return random.normal(size=shape).astype(np.float32)

    shared, made = normal(layout.num_points, layout.dim), []
    for index in range(layout.num_blocks):
        size = len(layout.block_samples(index))
        counts = random.integers(1, layout.max_sources + 1, size).astype(np.int32)
        is_source = np.arange(layout.max_sources) < counts[:, None]
        sources = normal(size, layout.max_sources, layout.source_size) * is_source[..., None]
        grid = shared if layout.shared_grid else normal(layout.num_points, layout.dim)
        labels = normal(size, layout.num_points), normal(size, layout.num_points, layout.dim)
        made.append(Block(sources, counts, grid, *labels))
    return made


def write_dataset(
    directory: Path,
    splits: Mapping[str, tuple[SplitLayout, Sequence[Block]]],
    storage_format: StorageFormat = "zarr",
    compression: Compression = "none",
    backwards: bool = False,
) -> Dataset:
    """Write the given blocks, the last shard first if `backwards`, and open what was written."""
    source_size = next(iter(splits.values()))[0].source_size
    identity = Identity(
        title="A test",
        bodies={"dipole": 0},
        constants={},
        columns=tuple(f"column_{i}" for i in range(source_size)),
        column_units=("m",) * source_size,
        seed=0,
        storage_format=storage_format,
        compression=compression,
        recipe={},
        splits={name: layout for name, (layout, _) in splits.items()},
        software={},
    )
    shards = [(name, shard) for name, (layout, _) in splits.items() for shard in layout.shards()]
    with DatasetWriter.open(directory, identity) as writer:
        for name, shard in reversed(shards) if backwards else shards:
            with writer.shard(name, shard) as sink:
                for index in range(shard.first_block, shard.first_block + shard.num_blocks):
                    sink.append(splits[name][1][index])
        writer.write_metadata()
        writer.finish()
    return Dataset.open(directory)
