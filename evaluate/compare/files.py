"""Input files of `hm-eval compare`: results.json, and samples.zarr beside it."""

from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.evaluate.measuring.sample_file import (
    SampleTable,
    read_sample_table,
)
from hypermagnetics.evaluate.results.records import SCHEMA_VERSION
from hypermagnetics.run_files import RESULTS_NAME, SAMPLES_NAME


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


class _Subject(_Part):
    name: str
    kind: str


class _Dataset(_Part):
    name: str
    sha256: str


class _Evaluation(_Part):
    subject: str
    dataset: str
    split: str
    num_samples: int


class _Version(_Part):
    schema_: int

    model_config = ConfigDict(alias_generator=lambda name: name.rstrip("_"))


class _Results(_Part):
    """The part of results.json that a comparison needs."""

    subjects: tuple[_Subject, ...]
    datasets: tuple[_Dataset, ...]
    evaluations: tuple[_Evaluation, ...]


class SplitKey(NamedTuple):
    """Identity of a split: the sha256 of its dataset, and its name."""

    dataset_sha256: str
    split: str


class Contestant(NamedTuple):
    """A subject of a results.json."""

    label: str
    """Name in tables."""
    name: str
    samples: Path
    splits: dict[SplitKey, str]
    """Splits on which it was evaluated in full, with the names of their datasets."""

    def table(self, key: SplitKey) -> SampleTable:
        """Its errors on a split.

        Raises:
            HypermagneticsError: If they cannot be read.
        """
        return read_sample_table(self.samples, self.splits[key], key.split, self.name)


def read_contestants(paths: tuple[Path, ...]) -> tuple[Contestant, ...]:
    """Read the subjects of results files, baselines left out.

    Args:
        paths: Files named results.json, or directories that hold one.

    Returns:
        The subjects in order; equal names are distinguished by their paths.

    Raises:
        HypermagneticsError: If a file cannot be read, or is of another schema.
    """
    found = [
        (path, subject, results)
        for path, results in ((path, _read(path)) for path in map(_file, paths))
        for subject in results.subjects
        if subject.kind != "baseline"
    ]
    names = [subject.name for _, subject, _ in found]
    return tuple(
        Contestant(
            subject.name if names.count(subject.name) == 1 else f"{subject.name} ({path.parent})",
            subject.name,
            path.parent / SAMPLES_NAME,
            _splits(results, subject.name),
        )
        for path, subject, results in found
    )


def _splits(results: _Results, subject: str) -> dict[SplitKey, str]:
    sha256 = {dataset.name: dataset.sha256 for dataset in results.datasets}
    return {
        SplitKey(sha256.get(one.dataset, ""), one.split): one.dataset
        for one in results.evaluations
        if one.subject == subject
    }


def _file(path: Path) -> Path:
    return path / RESULTS_NAME if path.is_dir() else path


def _read(path: Path) -> _Results:
    try:
        text = path.read_text(encoding="utf-8")
        version = _Version.model_validate_json(text).schema_
    except (OSError, ValueError) as error:
        raise HypermagneticsError(
            f"What is compared must be a {RESULTS_NAME} of hm-eval; got {_said(error)} ({path}). "
            "Check the path, or run hm-eval again."
        ) from error
    if version != SCHEMA_VERSION:
        raise HypermagneticsError(
            f"A {RESULTS_NAME} must be of schema {SCHEMA_VERSION}; got schema {version} ({path}). "
            "Run hm-eval again."
        )
    try:
        return _Results.model_validate_json(text)
    except ValidationError as error:
        raise HypermagneticsError(
            f"A {RESULTS_NAME} must hold what hm-eval writes; got {_said(error)} ({path}). Run "
            "hm-eval again."
        ) from error


def _said(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        return f"{first['msg'].lower()}{f' at {place}' if place else ''}"
    if isinstance(error, OSError):
        return str(error.strerror or error).lower()
    return f"no text: {type(error).__name__}"
