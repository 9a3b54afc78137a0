"""Values of a dataset changed so that sizes and checksums agree with them."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hypermagnetics.data import Dataset

Edit = Callable[[np.ndarray], None]


def edit_manifest(directory: Path, edit: Callable[[Any], object]) -> None:
    """Change the parsed manifest."""
    path = directory / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    edit(manifest)
    path.write_text(json.dumps(manifest), encoding="utf-8")


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
