"""A dataset: the manifest, read once, and its splits."""

from dataclasses import replace
from pathlib import Path
from typing import assert_never

from hypermagnetics.config import nearest
from hypermagnetics.data.dataset_files import DatasetFiles
from hypermagnetics.data.file_cache import FileCache
from hypermagnetics.data.file_checks import check_files, check_names
from hypermagnetics.data.layout import ArrayLayout, SplitLayout
from hypermagnetics.data.manifest import Manifest, read_manifest
from hypermagnetics.data.split import AnySplit, ArraySplit, Split
from hypermagnetics.data.storage import SplitPlace
from hypermagnetics.data.stored_dataset import StoredFiles, find_dataset
from hypermagnetics.data.stores import Store, is_url
from hypermagnetics.errors import DatasetError, SourceError
from hypermagnetics.table import SourceColumns


class Dataset:
    """A finished dataset."""

    def __init__(
        self,
        directory: Path,
        manifest: Manifest,
        sha256: str,
        files: DatasetFiles | None = None,
        place: str | None = None,
    ) -> None:
        """Use `Dataset.open`, which checks the files."""
        self.directory, self.manifest, self.sha256 = directory, manifest, sha256
        self.files = DatasetFiles(directory, manifest.files) if files is None else files
        self.place = str(directory) if place is None else place
        """Its directory as given, or its URL."""

    @classmethod
    def open(cls, path: str | Path, cache: str | Path | FileCache | None = None) -> "Dataset":
        """Open a dataset and check the presence and size of every file, which is remembered.

        Args:
            path: The directory that holds manifest.json; or a URL, s3://, gs://, az://, https:// or
                hf://, of a dataset in a store. Files of a store are fetched when they are read, and
                checked by their sha256.
            cache: Where files of a store are kept; HYPERMAGNETICS_CACHE if None, or a directory of
                the user's cache.

        Returns:
            The dataset; its `sha256`, that of the manifest, identifies it.

        Raises:
            DatasetError: If it is incomplete, damaged, of another version, points outside its
                directory, or has a file that may not be read.
            HypermagneticsError: If the store does not answer or forbids it, or the extra `stores`
                is not installed.
        """
        if isinstance(path, str) and is_url(path):
            return cls._of_store(path, _cache_of(cache))
        dataset = cls.unchecked(path)
        try:
            dataset._check()
        finally:  # after an error too: the files of another dataset are no damage
            dataset.files.refuse_another_manifest(dataset.sha256)
        return dataset

    @classmethod
    def _of_store(cls, url: str, cache: FileCache) -> "Dataset":
        found = find_dataset(Store(url))
        directory, manifest = found.kept(cache), found.manifest
        files = StoredFiles(directory, manifest.files, url, cache)
        dataset = cls(directory, manifest, found.sha256, files, found.store.url)
        dataset.refuse_other_names()
        return dataset

    def through(self, cache: FileCache) -> "Dataset":
        """The same dataset in a store, whose files are fetched through another cache.

        One on this machine needs none, and is returned as it is.
        """
        if not isinstance(self.files, StoredFiles):
            return self
        files = self.files.through(cache)
        return Dataset(self.directory, self.manifest, self.sha256, files, self.place)

    @classmethod
    def unchecked(cls, path: str | Path) -> "Dataset":
        """A dataset of which nothing but the manifest was read; errors as `open`."""
        directory = Path(path)
        return cls(directory, *read_manifest(directory))

    @classmethod
    def described_by(cls, directory: Path, manifest: Manifest, sha256: str) -> "Dataset":
        """A dataset whose manifest was read or is about to be written; errors as `open`."""
        dataset = cls(directory, manifest, sha256)
        dataset._check()
        return dataset

    def _check(self) -> None:
        self.refuse_other_names()
        check_files(self.files, self.directory, self.manifest, self.sha256)

    def refuse_other_names(self) -> None:
        """Refuse a manifest that lists other files than its splits imply; errors as `open`."""
        check_names(self.place, self.manifest, self.places())

    def refuse_unless(self, sha256: str) -> None:
        """Refuse any dataset but that of a sha256.

        Args:
            sha256: The wanted `sha256`.

        Raises:
            DatasetError: If this is another one.
        """
        if self.sha256 != sha256:
            raise DatasetError(
                f"The dataset must be that of sha256 {sha256[:12]}...; got one of "
                f"{self.sha256[:12]}... ({self.directory}). Give the dataset whose manifest.json "
                "has that sha256, or put it back in its place."
            )

    def __repr__(self) -> str:
        """The directory, the samples of each split, and the bodies."""
        splits = self.manifest.splits.items()
        counts = ", ".join(f"{name} {split.layout.num_samples}" for name, split in splits)
        content = ", ".join(self.manifest.bodies or self.arrays)
        return f"Dataset({str(self.directory)!r}): {counts} samples of {content}"

    @property
    def columns(self) -> SourceColumns:
        """Columns of the source tables of all splits.

        Raises:
            DatasetError: If this release does not know such sources, their units are others, or
                there is no split, or it is a dataset of arrays alone.
        """
        manifest = self.manifest
        if not manifest.splits:
            raise DatasetError(
                f"A dataset must have a split; got none ({self.directory}). Make one with "
                "hm-generate."
            )
        dims = {layout.dim for layout in manifest.source_layouts.values()}
        if not dims:
            raise self._has_no_sources()
        try:
            columns = SourceColumns.described(
                dims.pop(), manifest.bodies, manifest.columns, manifest.constants
            )
        except SourceError as error:
            finding, _, _ = str(error).rpartition(". ")
            raise DatasetError(
                "The source table of a dataset must be one that this release knows; got: "
                f"{finding} ({self.directory}). Read it with the release of hypermagnetics that "
                "wrote it."
            ) from error
        if columns.units != manifest.column_units:
            raise DatasetError(
                f"The units of the columns of sources must be {', '.join(columns.units)}; got "
                f"{', '.join(manifest.column_units)} ({self.directory}). Values are in SI units, "
                "so get manifest.json from the dataset's source again."
            )
        return columns

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits."""
        return tuple(self.manifest.splits)

    @property
    def arrays(self) -> tuple[str, ...]:
        """Names of the arrays beyond those of sources, of all splits."""
        layouts = (split.layout for split in self.manifest.splits.values())
        return tuple(dict.fromkeys(a.name for layout in layouts for a in layout.declared))

    @property
    def has_sources(self) -> bool:
        """Whether it is of sources, their potential and field; else it is of arrays alone."""
        return not self.manifest.array_layouts

    def split(self, name: str) -> Split:
        """One split of sources by name.

        Raises:
            DatasetError: If there is no such split, the message lists those there are; or if the
                dataset is one of arrays alone.
        """
        found = self.any_split(name)
        if isinstance(found, ArraySplit):
            raise self._has_no_sources()
        return found

    def array_split(self, name: str) -> ArraySplit:
        """One split of arrays alone by name.

        Raises:
            DatasetError: If there is no such split; or if the dataset is one of sources.
        """
        found = self.any_split(name)
        if isinstance(found, Split):
            raise DatasetError(
                "The dataset must be one of arrays alone; got one of sources, their potential and "
                f"field ({self.directory}). Give one that hm-data import-arrays made."
            )
        return found

    def any_split(self, name: str) -> AnySplit:
        """One split by name, of sources or of arrays alone.

        Raises:
            DatasetError: If there is no such split; the message lists those there are.
        """
        if name not in self.manifest.splits:
            raise DatasetError(
                f"A split of {self.directory} must be one of {', '.join(self.splits)}; "
                f"got {name!r}. {nearest(name, self.splits)}"
            )
        place = self.places()[name]
        match place.layout:
            case SplitLayout() as layout:
                return Split(self.manifest, place, layout, self.files)
            case ArrayLayout() as arrays:
                return ArraySplit(self.manifest, place, arrays, self.files)
            case _:
                assert_never(place.layout)

    def _has_no_sources(self) -> DatasetError:
        return DatasetError(
            "The dataset must be one of sources, their potential and field; got one of arrays "
            f"alone, {', '.join(self.arrays)} ({self.directory}). Give a dataset of hm-generate; "
            "on arrays hm-train trains a network with --recipe mlp, and hm-eval evaluates that."
        )

    def places(self) -> dict[str, SplitPlace]:
        """Places of the splits, by name."""
        manifest, directory = self.manifest, self.directory.resolve()
        return {
            name: SplitPlace(
                directory,
                name,
                split.layout,
                manifest.compression,
                manifest.columns,
                manifest.column_units,
            )
            for name, split in manifest.splits.items()
        }


def _cache_of(given: str | Path | FileCache | None) -> FileCache:
    match given:
        case None:
            return FileCache.of_environment()
        case FileCache():
            return given
        case str() | Path():
            return replace(FileCache.of_environment(), directory=Path(given))
        case _:
            assert_never(given)
