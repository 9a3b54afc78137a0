"""HDF5 storage: one self-contained file per shard, contiguous datasets mapped into memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from hypermagnetics.data.layout import ArrayName, ArraySpec, Block, Shard, SplitLayout
from hypermagnetics.data.storage import SplitPlace
from hypermagnetics.errors import DatasetError
from hypermagnetics.files import atomic_file

_AXES = ("x", "y", "z")
_ALIGNMENT = 4096


class Hdf5ShardSink:
    """Writes blocks into the datasets of one shard."""

    def __init__(self, file: h5py.File, layout: SplitLayout, shard: Shard) -> None:
        """Start with the datasets made and empty."""
        self._file, self._layout, self._shard = file, layout, shard
        self._blocks = 0

    def append(self, block: Block) -> None:
        """Write one block behind those already written."""
        first = self._blocks * self._layout.samples_per_grid
        rows = slice(first, first + len(block.potential))
        for name in ("sources", "num_sources", "potential", "field"):
            self._file[name][rows] = getattr(block, name)
        if self._blocks < len(_grid_rows(self._layout, self._shard)):
            self._file["grid"][self._blocks] = block.grid
        self._blocks += 1


class Hdf5Storage:
    """One split as a folder of HDF5 files."""

    def __init__(self, place: SplitPlace) -> None:
        """Name the split; nothing is read or written."""
        self._place, self._layout = place, place.layout

    def metadata(self) -> dict[str, bytes]:
        """No files: each shard carries its own."""
        return {}

    def metadata_paths(self) -> tuple[str, ...]:
        """No files: each shard carries its own."""
        return ()

    def check_metadata(self) -> None:
        """Nothing to check: `map_shard` checks each file."""

    def shard_paths(self, shard: Shard) -> tuple[str, ...]:
        """Path of the one file of a shard."""
        return (f"{self._place.split}/shard-{shard.number:05d}.h5",)

    @contextmanager
    def shard_sink(self, shard: Shard) -> Iterator[Hdf5ShardSink]:
        """Write one shard; its file takes its name when the block ends without an error."""
        with (
            atomic_file(self._path(shard)) as raw,
            h5py.File(
                raw, "w", alignment_threshold=_ALIGNMENT, alignment_interval=_ALIGNMENT
            ) as file,
        ):
            file.attrs.update(
                split=self._place.split,
                first_sample=shard.first_sample,
                num_samples=shard.num_samples,
            )
            for spec in self._layout.arrays():
                _create(file, spec, self._layout, shard)
            _label(file, self._place)
            yield Hdf5ShardSink(file, self._layout, shard)

    def map_shard(self, shard: Shard) -> dict[ArrayName, np.ndarray]:
        """Views of one shard's file, one per array.

        Raises:
            DatasetError: If a dataset is absent, elsewhere, or not contiguous as format version 1
                asks.
        """
        path = self._path(shard)
        shapes = {spec.name: _shape(spec, self._layout, shard) for spec in self._layout.arrays()}
        try:
            with h5py.File(path, "r") as file:
                offsets = {
                    spec.name: _offset(file, path, spec, shapes[spec.name])
                    for spec in self._layout.arrays()
                }
        except OSError as error:
            raise DatasetError(
                f"A shard must be an HDF5 file; got: {error} ({path}). "
                "Get the file from the dataset's source again."
            ) from error
        return {
            spec.name: np.memmap(path, spec.dtype, "r", offsets[spec.name], shapes[spec.name])
            for spec in self._layout.arrays()
        }

    def _path(self, shard: Shard) -> Path:
        (path,) = self.shard_paths(shard)
        return self._place.directory / path


def _grid_rows(layout: SplitLayout, shard: Shard) -> range:
    """Every file is self-contained, so each holds the grid that all blocks share."""
    return range(1) if layout.shared_grid else layout.rows("grid", shard)


def _shape(spec: ArraySpec, layout: SplitLayout, shard: Shard) -> tuple[int, ...]:
    rows = _grid_rows(layout, shard) if spec.name == "grid" else layout.rows(spec.name, shard)
    return (len(rows), *spec.shape[1:])


def _create(file: h5py.File, spec: ArraySpec, layout: SplitLayout, shard: Shard) -> None:
    dataset = file.create_dataset(
        spec.name, _shape(spec, layout, shard), spec.dtype, track_times=False, fill_time="never"
    )
    dataset.attrs["units"] = spec.unit
    for axis, label in enumerate(spec.dimensions):
        dataset.dims[axis].label = label


def _label(file: h5py.File, place: SplitPlace) -> None:
    """Attach the names of columns and axes as dimension scales."""
    file["sources"].attrs["columns"] = list(place.columns)
    file["sources"].attrs["column_units"] = list(place.column_units)
    for name, labels in (("column", place.columns), ("axis", _AXES[: place.layout.dim])):
        scale = file.create_dataset(name, data=np.array(labels, dtype="S"), track_times=False)
        scale.make_scale(name)
    file["sources"].dims[2].attach_scale(file["column"])
    file["grid"].dims[2].attach_scale(file["axis"])
    file["field"].dims[2].attach_scale(file["axis"])


def _offset(file: h5py.File, path: Path, spec: ArraySpec, shape: tuple[int, ...]) -> int:
    # The link is looked at before the object: following an external one would open another file.
    link = file.get(spec.name, getlink=True)
    dataset = file[spec.name] if type(link) is h5py.HardLink else None
    if not isinstance(dataset, h5py.Dataset):
        raise DatasetError(
            f"A shard must hold the dataset {spec.name!r} itself; got "
            f"{'nothing' if link is None else type(link).__name__} ({path}). "
            "Get the file from the dataset's source again."
        )
    if (dataset.dtype, dataset.shape) != (spec.dtype, shape):
        raise DatasetError(
            f"{spec.name!r} must be {spec.dtype.name} {list(shape)}, as the manifest says; got "
            f"{dataset.dtype} {list(dataset.shape)} ({path}). "
            "Get the file from the dataset's source again."
        )
    offset = dataset.id.get_offset()
    plain = dataset.chunks is None and not dataset.is_virtual and dataset.external is None
    if not plain or offset is None or offset + dataset.nbytes > path.stat().st_size:
        raise DatasetError(
            f"{spec.name!r} must lie contiguous in its own file; got chunked, virtual, external or "
            f"cut-off storage ({path}). Get the file from the dataset's source again."
        )
    return int(offset)
