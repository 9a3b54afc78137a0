"""Sorts command-line words into subjects and datasets."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

import h5py

from hypermagnetics.data import Dataset, is_url
from hypermagnetics.data.in_directory import LOCK_NAME
from hypermagnetics.data.manifest import MANIFEST_NAME
from hypermagnetics.errors import RunError, is_passing
from hypermagnetics.evaluate.subjects.exported_model import EXPORT_NAMES
from hypermagnetics.evaluate.subjects.subject import SubjectKind
from hypermagnetics.files import name_in_text
from hypermagnetics.run_files import MODEL_NAME, RECIPE_NAME
from hypermagnetics.user_code import checked_user_name, is_user_name

_ZARR_NAME = "zarr.json"
_HDF5_SUFFIXES = (".h5", ".hdf5")

_WordKind = SubjectKind | Literal["dataset", "unfinished dataset", "directory"]


@dataclass(frozen=True)
class SubjectArgument:
    """A command-line word that names a subject."""

    word: str
    kind: SubjectKind
    name: str
    """Name in tables; unique within an evaluation."""

    @property
    def path(self) -> Path:
        """Path of the subject, except for functions; for a run, that of its model."""
        return Path(self.word) / MODEL_NAME if self.kind == "run" else Path(self.word)


@dataclass(frozen=True)
class DatasetArgument:
    """A command-line word that names a dataset."""

    path: Path | str
    """Its directory, or its URL."""
    name: str
    """Name in tables; unique within an evaluation."""


@dataclass(frozen=True)
class Arguments:
    """Subjects and datasets of a command line, in order."""

    subjects: tuple[SubjectArgument, ...]
    datasets: tuple[DatasetArgument, ...]


def sort_arguments(words: Sequence[str]) -> Arguments:
    """Sort words into subjects and datasets, by the files on the disk.

    A directory with a manifest.json, or a URL, is a dataset. Anything else is a subject: a run, a
    model file, an export, predictions in HDF5 or Zarr, or, if no path has that name, a function
    `module:function`.

    Args:
        words: Words of the command line: at least one subject and one dataset, in any order.

    Returns:
        Subjects and datasets, each in the order of the words.

    Raises:
        RunError: If a word is none of these or is given twice, or if there is no subject or no
            dataset.
        DatasetError: If a word seems to mean a dataset, and is none.
    """
    subjects: list[tuple[str, SubjectKind]] = []
    datasets: list[str] = []
    for number, word in enumerate(words):
        if not word:  # would mean the working directory
            _refuse_word(word, None)
        kind = _kind(word)
        # Datasets come last, so a last word that is nothing was meant to be one.
        was_meant = number == len(words) - 1 and (not datasets or bool(subjects))
        if kind == "dataset":
            datasets.append(word)
        elif kind == "unfinished dataset" or (
            was_meant and (kind == "directory" or (kind is None and not is_user_name(word)))
        ):
            Dataset.open(word)  # which says what it lacks
        elif kind is None or kind == "directory":
            _refuse_word(word, kind)
        else:
            subjects.append((word, kind))
    _refuse_none_of(subjects, datasets)
    return Arguments(_named_subjects(subjects), named_datasets(datasets))


def _kind(word: str) -> _WordKind | None:
    if is_url(word):
        return "dataset"
    path = Path(word)
    try:
        if path.is_dir():
            return _kind_of_directory(path)
        if path.is_file():
            is_hdf5 = path.suffix in _HDF5_SUFFIXES or h5py.is_hdf5(path)
            return "predictions" if is_hdf5 else "model"
        exists = path.exists()
    except (OSError, ValueError) as error:  # a path that no file can have, or forbidden
        if isinstance(error, OSError) and is_passing(error):
            raise
        raise RunError(
            f"A subject or dataset must be a path that can be read; got {error} ({word!r:.80}). "
            "Check the path and its permissions."
        ) from error
    return "function" if is_user_name(word) and not exists and _is_name(word) else None


def _kind_of_directory(path: Path) -> _WordKind:
    # A link that leads nowhere is refused when the dataset is opened.
    if (path / MANIFEST_NAME).exists() or (path / MANIFEST_NAME).is_symlink():
        return "dataset"
    if (path / MODEL_NAME).exists() or (path / RECIPE_NAME).exists():
        return "run"
    if any((path / name).exists() for name in EXPORT_NAMES):
        return "export"
    if (path / _ZARR_NAME).is_file():
        return "predictions"
    is_unfinished = (path / LOCK_NAME).exists() or any(path.glob("*.zarr"))
    return "unfinished dataset" if is_unfinished else "directory"


def _is_name(word: str) -> bool:
    try:
        checked_user_name(word)
    except ValueError:
        return False
    return True


def _refuse_word(word: str, kind: Literal["directory"] | None) -> NoReturn:
    if kind == "directory":
        raise RunError(
            f"The directory of a subject must hold {MODEL_NAME} (a run), "
            f"{' and '.join(EXPORT_NAMES)} (an export) or {_ZARR_NAME} (predictions in Zarr "
            f"version 3); got a directory without them ({word}). If its training was interrupted, "
            f"hm-train DATASET {word} --resume completes it (in Python if_exists='resume')."
        )
    raise RunError(
        "A subject must be the directory of a training or of an export, a model file, predictions "
        f"in HDF5 or Zarr, or a function as module:function; got {word!r}, which is "
        "neither a directory nor a file. Check the path, or train with hm-train."
    )


def _refuse_none_of(subjects: Sequence[tuple[str, SubjectKind]], datasets: Sequence[str]) -> None:
    if not datasets:
        given = ", ".join(f"{word} ({kind})" for word, kind in subjects) or "nothing"
        raise RunError(
            f"An evaluation must have a dataset, a directory with a {MANIFEST_NAME}; got {given}. "
            "Add the directory of a dataset, on the command line after the subjects."
        )
    if not subjects:
        raise RunError(
            "An evaluation must have a subject, such as the directory of a training; got only "
            f"{', '.join(datasets)} (dataset). Add one, on the command line before the datasets."
        )


def _named_subjects(subjects: Sequence[tuple[str, SubjectKind]]) -> tuple[SubjectArgument, ...]:
    places = [
        (word,) if kind == "function" else place_of(Path(word)).parts for word, kind in subjects
    ]
    seen: dict[str | Path, str] = {}
    for word, kind in subjects:
        found: str | Path = word
        if kind != "function":
            # A run and its model file are the same subject.
            found = (Path(word) / MODEL_NAME if kind == "run" else Path(word)).resolve()
        _refuse_twice("subject", seen, found, word)
    return tuple(
        SubjectArgument(word, kind, name)
        for (word, kind), name in zip(subjects, distinct_names(places), strict=True)
    )


def named_datasets(words: Sequence[str]) -> tuple[DatasetArgument, ...]:
    """Datasets by directory, with unique names.

    Args:
        words: Their paths or URLs.

    Returns:
        The datasets, in the same order.

    Raises:
        RunError: If one is given twice.
    """
    seen: dict[str | Path, str] = {}
    for word in words:
        found = word.rstrip("/") if is_url(word) else Path(word).resolve()
        _refuse_twice("dataset", seen, found, word)
    names = distinct_names([_parts_of(word) for word in words])
    paths = (word if is_url(word) else Path(word) for word in words)
    return tuple(DatasetArgument(path, name) for path, name in zip(paths, names, strict=True))


def _parts_of(word: str) -> tuple[str, ...]:
    """Parts of the place of a dataset, of which the last ones name it."""
    if is_url(word):
        return tuple(part for part in word.split("/")[2:] if part)
    return place_of(Path(word)).parts


def _refuse_twice(what: str, seen: dict[str | Path, str], found: str | Path, word: str) -> None:
    if found in seen:
        again = word if seen[found] == word else f"{seen[found]} and {word}, which are the same"
        raise RunError(
            f"Each {what} must be given once; got {again}{' twice' * (seen[found] == word)}. "
            "Leave one of them out."
        )
    seen[found] = word


def place_of(path: Path) -> Path:
    """The absolute path of a file or directory, the same for all spellings of the path.

    A link at the end is not followed, since its name is the one that was chosen.

    Args:
        path: The path as written.

    Returns:
        The path, without `.`, `..` and links above the last part.
    """
    if path.name in ("", ".."):
        return path.resolve()
    return path.parent.resolve() / path.name


def distinct_names(places: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """A short unique name for each place: its last part, or more parts where places share it.

    Args:
        places: The parts of the paths, no two alike.

    Returns:
        The names, all different.

    Examples:
        >>> distinct_names([("a", "run"), ("a", "old", "run"), ("a", "other")])
        ('a/run', 'old/run', 'other')
    """
    shared = Counter(place[-1] for place in places)
    return tuple(
        name_in_text(place[-1] if shared[place[-1]] == 1 else _longer(place, places))
        for place in places
    )


def _longer(place: tuple[str, ...], places: Sequence[tuple[str, ...]]) -> str:
    """The fewest parts that distinguish all places with the same last part."""
    alike = [other for other in places if other[-1] == place[-1]]
    for length in range(2, max(map(len, alike)) + 1):
        if len({other[-length:] for other in alike}) == len(alike):
            return Path(*place[-length:]).as_posix()
    raise AssertionError(f"places must be different; got {alike}")
