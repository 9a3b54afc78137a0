"""HDF5 storage: one self-contained file per shard, its datasets mapped into memory.

Uncompressed datasets are contiguous. Compressed ones have a chunk per block, each a zstd frame: the
registered filter 32015, which other software reads with the plugin of that name. Frames are written
and read past HDF5, which needs no plugin and decodes in several threads.
"""

import mmap
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NoReturn

import h5py
import numpy as np

from hypermagnetics.data.dataset_files import DatasetFiles
from hypermagnetics.data.hdf5_filter import ZSTD_FILTER, unknown_filter
from hypermagnetics.data.layout import AnyBlock, AnyLayout, ArrayName, ArraySpec, Shard, SplitLayout
from hypermagnetics.data.rows import (
    ZSTD_LEVEL,
    ArrayRows,
    CompressedRows,
    ContiguousRows,
    encode,
)
from hypermagnetics.data.storage import SplitPlace
from hypermagnetics.errors import DatasetError, HypermagneticsError, raise_refusal
from hypermagnetics.files import first_file

_AXES = ("x", "y", "z")
_ALIGNMENT = 4096
_ONLY_A_LENGTH = "This is a netCDF dimension but not a netCDF variable."
"""Name by which readers of netCDF-4 know a scale without values."""


class Hdf5ShardSink:
    """Writes blocks into the datasets of one shard."""

    def __init__(self, file: h5py.File, place: SplitPlace, shard: Shard) -> None:
        """Start with empty datasets in the file."""
        self._file, self._layout, self._shard = file, place.layout, shard
        self._compressed = place.compression == "zstd"
        self._blocks = 0

    def append(self, block: AnyBlock) -> None:
        """Append one block."""
        for spec in _specs(self._layout, self._shard):
            values = block.values(spec.name)
            first = self._blocks * spec.rows_per_block
            if spec.per == "block":
                values = values[None]
            # A shared grid has one row, and an array of the first samples may have ended.
            if first < self._file[spec.name].shape[0]:
                self._write(spec, values, first)
        self._blocks += 1

    def _write(self, spec: ArraySpec, values: np.ndarray, first: int) -> None:
        dataset = self._file[spec.name]
        if not self._compressed:
            dataset[first : first + len(values)] = values
            return
        frame = encode(np.asarray(values, spec.dtype), dataset.chunks[0])
        dataset.id.write_direct_chunk((first, *[0] * (values.ndim - 1)), frame)


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

    def check_metadata(self, files: DatasetFiles) -> None:
        """Nothing to check: `map_shard` checks each file."""

    def shard_paths(self, shard: Shard) -> tuple[str, ...]:
        """Path of the one file of a shard."""
        return (f"{self._place.split}/shard-{shard.number:05d}.h5",)

    @contextmanager
    def shard_sink(self, shard: Shard) -> Iterator[Hdf5ShardSink]:
        """Write one shard; its file takes its name when the block ends without an error."""
        with (
            unknown_filter() if self._place.compression == "zstd" else nullcontext(),
            first_file(self._path(shard)) as raw,
            h5py.File(
                raw, "w", alignment_threshold=_ALIGNMENT, alignment_interval=_ALIGNMENT
            ) as file,
        ):
            file.attrs.update(
                split=self._place.split,
                first_sample=shard.first_sample,
                num_samples=shard.num_samples,
            )
            for spec in _specs(self._layout, shard):
                _create(file, spec, self._place, shard)
            _label(file, self._place, shard)
            yield Hdf5ShardSink(file, self._place, shard)

    def map_shard(self, shard: Shard, files: DatasetFiles) -> dict[ArrayName, ArrayRows]:
        """The rows in one shard's file, for each array.

        Args:
            shard: The shard.
            files: Files of the dataset.

        Raises:
            DatasetError: If a dataset is absent, elsewhere, or not stored as in format version 1.
        """
        (name,) = self.shard_paths(shard)
        path = self._path(shard)
        try:
            files.read_hdf5_first(name)
            with files.open(name) as raw:
                mapping = files.map(name, raw)
                # The file as it is mapped, whatever has its name by now. HDF5 would lock one that
                # it opens itself, and fail while another program has it open to write.
                with h5py.File(raw, "r") as file:
                    return {
                        spec.name: self._rows(file, path, mapping, spec, shard)
                        for spec in _specs(self._layout, shard)
                    }
        except HypermagneticsError:  # of a store, for example
            raise
        except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:  # HDF5's
            raise_refusal(error, path)
            raise DatasetError(
                f"A shard must be an HDF5 file; got: {error} ({path}; rule H1). "
                "Get the file from the dataset's source again."
            ) from error

    def _rows(
        self, file: h5py.File, path: Path, mapping: mmap.mmap, spec: ArraySpec, shard: Shard
    ) -> ArrayRows:
        shape = _shape(spec, self._layout, shard)
        dataset = _own_dataset(file, path, spec, shape)
        if self._place.compression == "none":
            offset = _offset(dataset, path, spec, len(mapping))
            return ContiguousRows.of(mapping, offset, spec.dtype, shape)
        places = _frames(dataset, path, spec, len(mapping))
        return CompressedRows(path, mapping, spec, shape[0], dataset.chunks[0], places)

    def _path(self, shard: Shard) -> Path:
        (path,) = self.shard_paths(shard)
        return self._place.directory / path


def _specs(layout: AnyLayout, shard: Shard) -> tuple[ArraySpec, ...]:
    """The arrays with rows in a shard."""
    return tuple(spec for spec in layout.arrays() if _rows(spec, layout, shard))


def _rows(spec: ArraySpec, layout: AnyLayout, shard: Shard) -> range:
    """Rows of an array in a shard; every file holds a grid that all blocks share."""
    return range(1) if layout.is_shared(spec.name) else layout.rows(spec.name, shard)


def _shape(spec: ArraySpec, layout: AnyLayout, shard: Shard) -> tuple[int, ...]:
    return (len(_rows(spec, layout, shard)), *spec.shape[1:])


def _create(file: h5py.File, spec: ArraySpec, place: SplitPlace, shard: Shard) -> None:
    shape = _shape(spec, place.layout, shard)
    if place.compression == "none":
        dataset = file.create_dataset(
            spec.name, shape, spec.dtype, track_times=False, fill_time="never"
        )
    else:
        dataset = _create_chunked(file, spec, shape)
    dataset.attrs["units"] = spec.unit
    for axis, label in enumerate(spec.dimensions):
        dataset.dims[axis].label = label


def _create_chunked(file: h5py.File, spec: ArraySpec, shape: tuple[int, ...]) -> h5py.Dataset:
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_obj_track_times(False)
    properties.set_chunk(_chunk_shape(spec, shape))
    space = h5py.h5s.create_simple(shape)
    kind = h5py.h5t.py_create(spec.dtype)
    # The low-level calls take the number of a filter that HDF5 does not know.
    properties.set_filter(ZSTD_FILTER, h5py.h5z.FLAG_OPTIONAL, (ZSTD_LEVEL,))
    made = h5py.h5d.create(file.id, spec.name.encode(), kind, space, properties)
    return h5py.Dataset(made)


def _chunk_shape(spec: ArraySpec, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of one block, cut to the dataset, as HDF5 allows no larger chunk."""
    return (min(spec.rows_per_block, shape[0]), *shape[1:])


def _label(file: h5py.File, place: SplitPlace, shard: Shard) -> None:
    """Give each axis of each array a dimension scale, as netCDF-4 asks of all or none."""
    labels: dict[str, tuple[str, ...]] = {}
    if isinstance(place.layout, SplitLayout):
        file["sources"].attrs["columns"] = list(place.columns)
        file["sources"].attrs["column_units"] = list(place.column_units)
        labels = {"column": place.columns, "axis": _AXES[: place.layout.dim]}
    for spec in _specs(place.layout, shard):
        dataset = file[spec.name]
        for axis, name in enumerate(spec.dimensions):
            if name not in file:
                _create_scale(file, name, dataset.shape[axis], labels.get(name))
            dataset.dims[axis].attach_scale(file[name])


def _create_scale(file: h5py.File, name: str, length: int, labels: tuple[str, ...] | None) -> None:
    """Create the scale of a dimension: its labels, or a length without values."""
    if labels:
        scale = file.create_dataset(name, data=np.array(labels, dtype="S"), track_times=False)
        scale.make_scale(name)
    else:
        scale = file.create_dataset(name, (length,), ">f4", track_times=False, fill_time="never")
        scale.make_scale(f"{_ONLY_A_LENGTH}{length:10d}")


def _own_dataset(
    file: h5py.File, path: Path, spec: ArraySpec, shape: tuple[int, ...]
) -> h5py.Dataset:
    # The link is looked at before the object: following an external one would open another file.
    link = file.get(spec.name, getlink=True)
    dataset = file[spec.name] if type(link) is h5py.HardLink else None
    if not isinstance(dataset, h5py.Dataset):
        raise DatasetError(
            f"A shard must hold the dataset {spec.name!r} itself; got "
            f"{'nothing' if link is None else type(link).__name__} ({path}; rule H2). "
            "Get the file from the dataset's source again."
        )
    if (dataset.dtype, dataset.shape) != (spec.dtype, shape):
        raise DatasetError(
            f"{spec.name!r} must be {spec.dtype.name} {list(shape)}, as the manifest says; got "
            f"{dataset.dtype} {list(dataset.shape)} ({path}; rule H3). "
            "Get the file from the dataset's source again."
        )
    if dataset.is_virtual or dataset.external is not None:
        _refuse_storage(path, spec, "virtual or external storage")
    return dataset


def _offset(dataset: h5py.Dataset, path: Path, spec: ArraySpec, size: int) -> int:
    offset = dataset.id.get_offset()
    if dataset.chunks is not None or offset is None:
        _refuse_storage(path, spec, "chunked or absent storage")
    if offset + dataset.nbytes > size:
        _refuse_storage(path, spec, "values beyond the end of the file")
    return int(offset)


def _frames(
    dataset: h5py.Dataset, path: Path, spec: ArraySpec, size: int
) -> tuple[tuple[int, int], ...]:
    """Offset and length of each chunk in a file of that size."""
    chunk = _chunk_shape(spec, dataset.shape)
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
    if dataset.chunks != chunk or filters != [ZSTD_FILTER]:
        _refuse_storage(path, spec, f"chunks {dataset.chunks} with filters {filters}")
    found: dict[int, tuple[int, int]] = {}

    def note(info: h5py.h5d.StoreInfo) -> None:
        if info.filter_mask or info.byte_offset is None or info.byte_offset + info.size > size:
            _refuse_storage(path, spec, "a chunk unfiltered or beyond the end of the file")
        found[info.chunk_offset[0] // chunk[0]] = info.byte_offset, info.size

    dataset.id.chunk_iter(note)
    wanted = range(-(-dataset.shape[0] // chunk[0]))
    if sorted(found) != list(wanted):
        _refuse_storage(path, spec, f"{len(found)} of {len(wanted)} chunks")
    return tuple(found[number] for number in wanted)


def _refuse_storage(path: Path, spec: ArraySpec, got: str) -> NoReturn:
    raise DatasetError(
        f"{spec.name!r} must lie contiguous in its own file, or in zstd chunks of a block each if "
        f"the manifest says so; got {got} ({path}; rule H4). Get the file from the dataset's "
        "source again."
    )
