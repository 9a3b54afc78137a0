"""Reading a dataset: the manifest once, then blocks as views of memory-mapped files."""

import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hypermagnetics.config import nearest
from hypermagnetics.data.formats import split_storage
from hypermagnetics.data.layout import ArrayName, Block, SplitLayout
from hypermagnetics.data.manifest import FileEntry, Manifest, Statistics, read_manifest
from hypermagnetics.data.storage import SplitPlace
from hypermagnetics.errors import DatasetError


class Split:
    """The samples of one split, read block by block."""

    def __init__(self, manifest: Manifest, place: SplitPlace) -> None:
        """Use `Dataset.split`."""
        self._manifest = manifest
        self.directory, self.name, self.layout = place.directory, place.split, place.layout
        self._storage = split_storage(manifest.storage_format, place)
        self._storage.check_metadata()
        self._shards: dict[int, dict[ArrayName, np.ndarray]] = {}

    def __len__(self) -> int:
        """Number of samples."""
        return self.layout.num_samples

    def block(self, index: int) -> Block:
        """The samples of one block, as read-only views of the mapped files.

        Args:
            index: From 0 to `layout.num_blocks` - 1.

        Returns:
            The arrays of the block; the last block may have fewer samples than the others.

        Raises:
            IndexError: If there is no such block.
            DatasetError: If its shard is damaged.
        """
        layout: SplitLayout = self.layout
        if not 0 <= index < layout.num_blocks:
            raise IndexError(
                f"A block of split {self.name!r} must be 0 to {layout.num_blocks - 1}; got {index}."
            )
        shard_index, inner = divmod(index, layout.blocks_per_shard)
        arrays = self._shard(shard_index)
        samples = slice(
            inner * layout.samples_per_grid,
            inner * layout.samples_per_grid + len(layout.block_samples(index)),
        )
        grids = self._shard(0)["grid"] if layout.shared_grid else arrays["grid"]
        return Block(
            sources=arrays["sources"][samples],
            num_sources=arrays["num_sources"][samples],
            grid=grids[0 if layout.shared_grid else inner],
            potential=arrays["potential"][samples],
            field=arrays["field"][samples],
        )

    def blocks(self) -> Iterator[Block]:
        """All blocks in order."""
        return (self.block(index) for index in range(self.layout.num_blocks))

    def statistics(self, name: ArrayName) -> Statistics:
        """Moments of one array, from the manifest."""
        return self._manifest.splits[self.name].arrays[name].statistics

    def files(self) -> tuple[FileEntry, ...]:
        """The files of this split."""
        return tuple(entry for entry in self._manifest.files if entry.split == self.name)

    def _shard(self, index: int) -> dict[ArrayName, np.ndarray]:
        if index not in self._shards:
            mapped = self._storage.map_shard(self.layout.shard(index))
            # As plain arrays: slicing a np.memmap takes ten times as long.
            self._shards[index] = {name: array.view(np.ndarray) for name, array in mapped.items()}
        return self._shards[index]


class Dataset:
    """A finished dataset."""

    def __init__(self, directory: Path, manifest: Manifest, sha256: str) -> None:
        """Use `Dataset.open`, which checks the files."""
        self.directory, self.manifest, self.sha256 = directory, manifest, sha256

    @classmethod
    def open(cls, path: str | Path) -> "Dataset":
        """Open a dataset and check that every file is there with the size it must have.

        Args:
            path: The directory that holds manifest.json.

        Returns:
            The dataset; its `sha256`, the manifest's, names it.

        Raises:
            DatasetError: If it is incomplete, damaged, of another version, or points outside
                its directory.
        """
        directory = Path(path)
        manifest, sha256 = read_manifest(directory)
        dataset = cls(directory, manifest, sha256)
        dataset._check_files()
        return dataset

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits."""
        return tuple(self.manifest.splits)

    def split(self, name: str) -> Split:
        """One split by name.

        Raises:
            DatasetError: If there is no such split; the message lists those there are.
        """
        if name not in self.manifest.splits:
            raise DatasetError(
                f"A split of {self.directory} must be one of {', '.join(self.splits)}; "
                f"got {name!r}. {nearest(name, self.splits)}"
            )
        return Split(self.manifest, self._place(name))

    def _place(self, name: str) -> SplitPlace:
        manifest = self.manifest
        return SplitPlace(
            self.directory,
            name,
            manifest.splits[name].layout,
            manifest.columns,
            manifest.column_units,
        )

    def _check_files(self) -> None:
        # Before anything is counted one by one: each shard has a file at least.
        num_shards = sum(split.layout.num_shards for split in self.manifest.splits.values())
        if num_shards > len(self.manifest.files):
            raise DatasetError(
                f"The files of a manifest must follow from its splits; got {num_shards} shards and "
                f"{len(self.manifest.files)} files ({self.directory}). Get manifest.json from the "
                "dataset's source again."
            )
        expected: list[str] = []
        for name, split in self.manifest.splits.items():
            storage = split_storage(self.manifest.storage_format, self._place(name))
            expected.extend(storage.metadata_paths())
            for shard in split.layout.shards():
                expected.extend(storage.shard_paths(shard))
        listed = [entry.path for entry in self.manifest.files]
        if listed != expected:
            odd = next(iter(set(listed) ^ set(expected)), "the order of the files")
            raise DatasetError(
                f"The files of a manifest must follow from its splits; got a difference at {odd!r} "
                f"({self.directory}). Get manifest.json from the dataset's source again."
            )
        root = self.directory.resolve()
        for entry in self.manifest.files:
            _check_file(root, entry)


def _check_file(root: Path, entry: FileEntry) -> None:
    path = root / entry.path
    try:
        found = path.lstat()
    except FileNotFoundError as error:
        raise DatasetError(
            f"Every file of the manifest must exist; got none: {entry.path} is missing ({root}). "
            "Copy it from the dataset's source again."
        ) from error
    if not stat.S_ISREG(found.st_mode) or path.resolve() != path:
        raise DatasetError(
            f"A file of a dataset must be a plain file inside it; got a link or special file "
            f"({path}). Copy the real file there."
        )
    if found.st_size != entry.bytes:
        raise DatasetError(
            f"{entry.path} must have {entry.bytes} bytes; got {found.st_size} ({root}). "
            "The file was cut off or changed; copy it from the dataset's source again."
        )
