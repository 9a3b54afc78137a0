"""Reading one split: blocks and samples, as views of mapped files or decoded in threads."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TYPE_CHECKING, SupportsIndex, overload

import numpy as np

from hypermagnetics.data.dataset_files import DatasetFiles
from hypermagnetics.data.formats import split_storage
from hypermagnetics.data.layout import ARRAY_NAMES, ArrayName, Block, Shard
from hypermagnetics.data.manifest import FileEntry, Manifest, Statistics
from hypermagnetics.data.mapped_shards import MappedShards
from hypermagnetics.data.rows import ArrayRows
from hypermagnetics.data.samples import Index, Sample, Samples, number_of, resolve
from hypermagnetics.data.storage import SplitPlace
from hypermagnetics.extras import refuse_missing

if TYPE_CHECKING:
    import xarray

_DECODING_THREADS = 4


class Split:
    """The samples of one split. Any number of threads and processes may read it at once."""

    def __init__(self, manifest: Manifest, place: SplitPlace, files: DatasetFiles) -> None:
        """Use `Dataset.split`."""
        self._manifest, self._place, self._files = manifest, place, files
        self.directory, self.name, self.layout = place.directory, place.split, place.layout
        self._compressed = place.compression != "none"
        self._storage = split_storage(manifest.storage_format, place)
        self._storage.check_metadata(files)
        self._shards = MappedShards(self._storage, place.layout, files)

    def __len__(self) -> int:
        """Number of samples."""
        return self.layout.num_samples

    def __deepcopy__(self, memo: object) -> "Split":
        """Itself: it is read alone, by any number of threads."""
        return self

    def __reduce__(self) -> tuple[type["Split"], tuple[Manifest, SplitPlace, DatasetFiles]]:
        """Copies, also in other processes, map the files anew."""
        return Split, (self._manifest, self._place, self._files)

    def block(self, index: int) -> Block:
        """The samples of one block.

        Args:
            index: From 0 to `layout.num_blocks` - 1.

        Returns:
            The arrays of the block, read-only; the last block may have fewer samples than the
            others. Uncompressed, they are views of the mapped files.

        Raises:
            IndexError: If there is no such block.
            DatasetError: If its shard is damaged.
        """
        return self.read((index,))[0]

    def blocks(self) -> Iterator[Block]:
        """All blocks in order."""
        return (self.block(index) for index in range(self.layout.num_blocks))

    def read(self, blocks: Sequence[int]) -> list[Block]:
        """Several blocks; compressed ones are decoded in several threads.

        Args:
            blocks: Numbers of blocks, in any order.

        Returns:
            As `block`, for each.
        """
        for index in blocks:
            if not 0 <= index < self.layout.num_blocks:
                raise IndexError(
                    f"A block of split {self.name!r} must be 0 to {self.layout.num_blocks - 1}; "
                    f"got {index}. The split has no more blocks."
                )
        if not self._compressed:
            return [self._mapped(block) for block in blocks]
        decoders = _decoders(os.getpid())
        tasks = [[decoders.submit(part) for part in self._parts(block)] for block in blocks]
        return [Block(*(task.result() for task in row)) for row in tasks]

    def will_need(self, blocks: Sequence[int]) -> None:
        """Tell the operating system that blocks will be read soon, so that it reads ahead."""
        for block in blocks:
            shard, inner = self.layout.shard_of_block(block)
            first = inner * self.layout.samples_per_grid
            stop = first + len(self.layout.block_samples(block))
            for name, rows in self._shards.rows(shard).items():
                if name != "grid":
                    rows.will_need(first, stop)

    @overload
    def __getitem__(self, index: SupportsIndex) -> Sample: ...  # type: ignore[overload-overlap]

    @overload
    def __getitem__(self, index: Index) -> Samples: ...

    def __getitem__(self, index: object) -> Sample | Samples:
        """Samples by number, slice, array of numbers or mask, by numpy's rules.

        Args:
            index: Selection of samples.

        Returns:
            One sample, or several. Consecutive samples of one uncompressed shard are views of the
            mapped files; anything else is a copy.

        Raises:
            IndexError: If there is no such sample.
            DatasetError: If a shard is damaged.
        """
        if isinstance(index, slice | Sequence | np.ndarray):
            return self._samples(resolve(index, len(self)))
        one = self._samples(resolve((number_of(index),), len(self)))
        return Sample(
            one.sources[0, : one.num_sources[0]], one.grids[0], one.potential[0], one.field[0]
        )

    def to_xarray(self) -> "xarray.Dataset":
        """The split as a labelled dataset of xarray, which reads values on access.

        Raises:
            HypermagneticsError: If xarray is not installed.
        """
        refuse_missing("xarray", "A split as a dataset of xarray")
        from hypermagnetics.data.labelled import labelled  # xarray, which few need

        return labelled(self, self._manifest.columns, self._manifest.column_units)

    def entries(self, name: ArrayName, numbers: range | np.ndarray) -> np.ndarray:
        """Entries along the first axis of one array: samples, or grids for `grid`.

        Args:
            name: Name of the array.
            numbers: Numbers of the entries, each in range.

        Returns:
            A view if the entries are consecutive and lie uncompressed in one shard, else a copy.
        """
        layout = self.layout
        per_shard = layout.blocks_per_shard if name == "grid" else layout.samples_per_shard
        if isinstance(numbers, range):
            first, last = numbers.start // per_shard, max(numbers.stop - 1, 0) // per_shard
            parts = []
            for shard in range(first, last + 1):
                start = max(numbers.start - shard * per_shard, 0)
                stop = min(numbers.stop - shard * per_shard, per_shard)
                parts.append(self._shards.rows(shard)[name].part(start, stop))
            return parts[0] if len(parts) == 1 else np.concatenate(parts)
        spec = layout.array(name)
        taken = np.empty((len(numbers), *spec.shape[1:]), spec.dtype)
        shards = numbers // per_shard
        for shard in np.unique(shards).tolist():
            wanted = shards == shard
            local = numbers[wanted] - shard * per_shard
            taken[wanted] = self._shards.rows(shard)[name].take(local)
        return taken

    @property
    def is_imported(self) -> bool:
        """Whether the labels come from elsewhere, as of a file that was imported."""
        return "imported" in self._manifest.recipe

    def statistics(self, name: ArrayName) -> Statistics:
        """Moments of one array, from the manifest."""
        return self._manifest.splits[self.name].arrays[name].statistics

    def files(self) -> tuple[FileEntry, ...]:
        """The files of this split."""
        return tuple(entry for entry in self._manifest.files if entry.split == self.name)

    def sha256_of(self, path: str) -> str:
        """The sha256 of one file as it is now, by its path in the manifest.

        Raises:
            DatasetError: If it is another one than when the dataset was opened.
        """
        return self._files.sha256_of(path)

    def shard_paths(self, shard: Shard) -> tuple[str, ...]:
        """Paths of the files of one shard, relative to the dataset."""
        return self._storage.shard_paths(shard)

    def _mapped(self, block: int) -> Block:
        """A block of views, made once."""
        number, inner = self.layout.shard_of_block(block)
        known = self._shards.shard(number).blocks
        found = known.get(inner)
        if found is None:
            found = known[inner] = Block(*(part() for part in self._parts(block)))
        return found

    def _parts(self, block: int) -> Iterator[Callable[[], np.ndarray]]:
        """Functions that make each array of a block, in the order of `Block`."""
        shard, inner = self.layout.shard_of_block(block)
        rows = self._shards.rows(shard)
        first = inner * self.layout.samples_per_grid
        stop = first + len(self.layout.block_samples(block))
        for name in ARRAY_NAMES:
            if name != "grid":
                yield partial(rows[name].part, first, stop)
            elif self.layout.shared_grid:
                yield partial(self._grid, self._shards.rows(0)["grid"], 0)
            else:
                yield partial(self._grid, rows["grid"], inner)

    @staticmethod
    def _grid(rows: ArrayRows, number: int) -> np.ndarray:
        grid: np.ndarray = rows.part(number, number + 1)[0]
        return grid

    def _samples(self, numbers: range | np.ndarray) -> Samples:
        grids, grid_of = self._grids(numbers)
        return Samples(
            sources=self.entries("sources", numbers),
            num_sources=self.entries("num_sources", numbers),
            grids=grids,
            grid_of=grid_of,
            potential=self.entries("potential", numbers),
            field=self.entries("field", numbers),
        )

    def _grids(self, numbers: range | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The distinct grids of some samples, and the index of the grid of each sample."""
        if self.layout.shared_grid:
            return self.entries("grid", range(1)), np.zeros(len(numbers), np.int64)
        blocks = np.asarray(numbers, np.int64) // self.layout.samples_per_grid
        if isinstance(numbers, range):
            first = numbers.start // self.layout.samples_per_grid
            stop = int(blocks[-1]) + 1 if len(blocks) else first
            return self.entries("grid", range(first, stop)), blocks - first
        distinct, grid_of = np.unique(blocks, return_inverse=True)
        return self.entries("grid", distinct), grid_of


@cache
def _decoders(process: int) -> ThreadPoolExecutor:
    """The decoding threads of one process, as a fork has none of its parent's."""
    return ThreadPoolExecutor(_DECODING_THREADS, "decode")
