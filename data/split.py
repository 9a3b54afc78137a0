"""Reading one split: blocks and samples, as views of mapped files or decoded in threads."""

import abc
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Generic, SupportsIndex, TypeVar, cast, overload

import numpy as np

from hypermagnetics.data.dataset_files import DatasetFiles
from hypermagnetics.data.formats import split_storage
from hypermagnetics.data.layout import (
    ArrayBlock,
    ArrayLayout,
    ArrayName,
    ArraySpec,
    Block,
    Shard,
    SplitLayout,
)
from hypermagnetics.data.manifest import FileEntry, Manifest, Statistics
from hypermagnetics.data.mapped_shards import MappedShards
from hypermagnetics.data.rows import ArrayRows
from hypermagnetics.data.samples import Index, Sample, Samples, number_of, resolve
from hypermagnetics.data.storage import SplitPlace
from hypermagnetics.extras import refuse_missing

if TYPE_CHECKING:
    import xarray

_DECODING_THREADS = 4

_Layout = TypeVar("_Layout", bound=SplitLayout | ArrayLayout)
_Block = TypeVar("_Block", bound=Block | ArrayBlock)
_Self = TypeVar("_Self", bound="_StoredSplit[Any, Any]")


class _StoredSplit(abc.ABC, Generic[_Layout, _Block]):
    """The samples of one split. Any number of threads and processes may read it at once."""

    def __init__(
        self, manifest: Manifest, place: SplitPlace, layout: _Layout, files: DatasetFiles
    ) -> None:
        """Use `Dataset.split`, `array_split` or `any_split`.

        Args:
            manifest: Manifest of the dataset.
            place: Place of the split.
            layout: Its layout.
            files: Files of the dataset.
        """
        self._manifest, self._place, self._files = manifest, place, files
        self.directory, self.name = place.directory, place.split
        self.layout: _Layout = layout
        self._compressed = place.compression != "none"
        self._storage = split_storage(manifest.storage_format, place)
        self._storage.check_metadata(files)
        self._shards = MappedShards(self._storage, place.layout, files)
        self._here: set[int] = set()
        """Shards that were found on this machine."""

    def __len__(self) -> int:
        """Number of samples."""
        return self.layout.num_samples

    def __deepcopy__(self: _Self, memo: object) -> _Self:
        """Itself: it is read alone, by any number of threads."""
        return self

    def __reduce__(
        self: _Self,
    ) -> tuple[type[_Self], tuple[Manifest, SplitPlace, SplitLayout | ArrayLayout, DatasetFiles]]:
        """Copies, also in other processes, map the files anew."""
        return type(self), (self._manifest, self._place, self.layout, self._files)

    @abc.abstractmethod
    def _made(self, block: int, parts: Mapping[ArrayName, np.ndarray]) -> _Block:
        """A block of its arrays."""

    def block(self, index: int) -> _Block:
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

    def blocks(self) -> Iterator[_Block]:
        """All blocks in order."""
        return (self.block(index) for index in range(self.layout.num_blocks))

    def read(self, blocks: Sequence[int]) -> list[_Block]:
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
        tasks = [
            {name: decoders.submit(part) for name, part in self._parts(block)} for block in blocks
        ]
        return [
            self._made(block, {name: task.result() for name, task in row.items()})
            for block, row in zip(blocks, tasks, strict=True)
        ]

    def will_need(self, blocks: Sequence[int]) -> None:
        """Tell the operating system that blocks will be read soon, so that it reads ahead."""
        for block in blocks:
            shard, _ = self.layout.shard_of_block(block)
            if not self.is_here(shard):
                continue
            for name, rows in self._shards.rows(shard).items():
                spec = self.layout.array(name)
                if spec.per == "sample":
                    within = self._within(spec, block)
                    rows.will_need(within.start, within.stop)

    def is_here(self, shard: int) -> bool:
        """Whether the files of a shard are on a disk of this machine."""
        if shard not in self._here:
            if not all(map(self._files.is_here, self.shard_paths(self.layout.shard(shard)))):
                return False
            self._here.add(shard)
        return True

    def fetch_ahead(self, blocks: Sequence[int]) -> bool:
        """Begin to fetch the shards of blocks that are in a store.

        Args:
            blocks: Numbers of blocks that will be read, in order.

        Returns:
            Whether more may be asked for; False where all is here, or enough is under way.
        """
        shards = dict.fromkeys(self.layout.shard_of_block(block)[0] for block in blocks)
        absent = [self.layout.shard(number) for number in shards if not self.is_here(number)]
        return self._files.fetch_ahead([path for one in absent for path in self.shard_paths(one)])

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns of the source tables; none of arrays alone."""
        return self._manifest.columns

    @property
    def digest(self) -> str:
        """Digest of the files of the split, by their sha256."""
        text = " ".join(entry.sha256 for entry in self.files())
        return hashlib.sha256(text.encode()).hexdigest()

    def digest_of_setting(self) -> str:
        """Digest of the bodies, constants and points that samples of sources belong to.

        Of arrays alone nothing is known, and it is empty.
        """
        layout, manifest = self.layout, self._manifest
        if not isinstance(layout, SplitLayout):
            return ""
        setting = {"bodies": manifest.bodies, "constants": manifest.constants, "dim": layout.dim}
        hashed = hashlib.sha256(json.dumps(setting, sort_keys=True).encode())
        hashed.update(np.ascontiguousarray(self.block(0).values("grid")).tobytes())
        return hashed.hexdigest()

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
        spec = layout.array(name)
        per_shard = layout.blocks_per_shard if spec.per == "block" else layout.samples_per_shard
        if isinstance(numbers, range):
            first, last = numbers.start // per_shard, max(numbers.stop - 1, 0) // per_shard
            parts = []
            for shard in range(first, last + 1):
                start = max(numbers.start - shard * per_shard, 0)
                stop = min(numbers.stop - shard * per_shard, per_shard)
                parts.append(self._shards.rows(shard)[name].part(start, stop))
            return parts[0] if len(parts) == 1 else np.concatenate(parts)
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

    def stop_fetching(self) -> None:
        """Give up shards that are under way, as when a program ends."""
        self._files.stop_fetching()

    def has_file(self, path: str) -> bool:
        """Whether one file is on a disk of this machine, by its path in the manifest."""
        return self._files.is_here(path)

    def sha256_of(self, path: str) -> str:
        """The sha256 of one file as it is now, by its path in the manifest.

        Raises:
            DatasetError: If it is another one than when the dataset was opened.
        """
        return self._files.sha256_of(path)

    def shard_paths(self, shard: Shard) -> tuple[str, ...]:
        """Paths of the files of one shard, relative to the dataset."""
        return self._storage.shard_paths(shard)

    def _mapped(self, block: int) -> _Block:
        """A block of views, made once."""
        number, inner = self.layout.shard_of_block(block)
        known: dict[int, _Block] = self._known(number)
        found = known.get(inner)
        if found is None:
            parts = {name: part() for name, part in self._parts(block)}
            found = known[inner] = self._made(block, parts)
        return found

    def _known(self, shard: int) -> dict[int, _Block]:
        """Blocks of a shard that were made before, all of this split."""
        return cast(dict[int, _Block], self._shards.shard(shard).blocks)

    def _parts(self, block: int) -> Iterator[tuple[ArrayName, Callable[[], np.ndarray]]]:
        """Functions that make each array of a block, with its name, in their order."""
        shard, _ = self.layout.shard_of_block(block)
        for spec in self.layout.arrays():
            yield spec.name, self._part(spec, block, shard)

    def _part(self, spec: ArraySpec, block: int, shard: int) -> Callable[[], np.ndarray]:
        within = self._within(spec, block)
        if not within:  # the samples with a row have come before
            return partial(np.empty, (0, *spec.shape[1:]), spec.dtype)
        rows = self._shards.rows(shard)[spec.name]
        if spec.per == "block":
            return partial(self._row, rows, within.start)
        return partial(rows.part, within.start, within.stop)

    def _within(self, spec: ArraySpec, block: int) -> range:
        """The entries of a block along the first axis of an array in its shard."""
        layout = self.layout
        shard, _ = layout.shard_of_block(block)
        per_shard = layout.blocks_per_shard if spec.per == "block" else layout.samples_per_shard
        found = layout.block_rows(spec.name, block)
        return range(found.start - shard * per_shard, found.stop - shard * per_shard)

    @staticmethod
    def _row(rows: ArrayRows, number: int) -> np.ndarray:
        row: np.ndarray = rows.part(number, number + 1)[0]
        return row


class Split(_StoredSplit[SplitLayout, Block]):
    """The samples of one split of sources, with their potential and field."""

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

    def _made(self, block: int, parts: Mapping[ArrayName, np.ndarray]) -> Block:
        return Block(
            sources=parts["sources"],
            num_sources=parts["num_sources"],
            grid=parts["grid"],
            potential=parts["potential"],
            field=parts["field"],
            declared={array.name: parts[array.name] for array in self.layout.declared},
        )

    def _part(self, spec: ArraySpec, block: int, shard: int) -> Callable[[], np.ndarray]:
        if self.layout.is_shared(spec.name):
            return partial(self._row, self._shards.rows(0)[spec.name], 0)
        return super()._part(spec, block, shard)

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


class ArraySplit(_StoredSplit[ArrayLayout, ArrayBlock]):
    """The samples of one split of arrays alone."""

    def _made(self, block: int, parts: Mapping[ArrayName, np.ndarray]) -> ArrayBlock:
        return ArrayBlock(len(self.layout.block_samples(block)), dict(parts))


AnySplit = Split | ArraySplit


@cache
def _decoders(process: int) -> ThreadPoolExecutor:
    """The decoding threads of one process, as a fork has none of its parent's."""
    return ThreadPoolExecutor(_DECODING_THREADS, "decode")
