"""Input files of `hm-eval compare`: results.json, and samples.zarr beside it."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from hypermagnetics.errors import HypermagneticsError, raise_refusal
from hypermagnetics.evaluate.measuring.sample_file import (
    SampleTable,
    read_sample_table,
)
from hypermagnetics.evaluate.results.json_file import RESULTS_FILE, from_json
from hypermagnetics.evaluate.results.records import Evaluation, Results
from hypermagnetics.files import sha256_of
from hypermagnetics.models import Knowledge
from hypermagnetics.run_files import RESULTS_NAME, SAMPLES_NAME


class SplitKey(NamedTuple):
    """Identity of a split: the sha256 of its dataset, and its name."""

    dataset_sha256: str
    split: str


class Contestant(NamedTuple):
    """A subject of a results.json."""

    label: str
    """Name in tables."""
    name: str
    results: Path
    sha256: str
    """That of the results.json as it was read."""
    splits: dict[SplitKey, str]
    """Splits on which it was evaluated in full, with the names of their datasets."""
    num_samples: dict[SplitKey, int]
    """Samples of each of these splits."""
    knowledge: Knowledge | None = None
    """Origin of its predictions; None if its file has none."""

    def table(self, key: SplitKey) -> SampleTable:
        """Its errors on a split.

        Raises:
            HypermagneticsError: If they cannot be read, or are of a later evaluation.
        """
        samples = self.results.with_name(SAMPLES_NAME)
        try:
            return read_sample_table(
                samples, self.splits[key], key.split, self.name, self.num_samples[key]
            )
        finally:  # after an error too: those of another evaluation are no damage
            self._refuse_later_results()

    def _refuse_later_results(self) -> None:
        # An evaluation deletes its results.json before it exchanges the samples.
        if not self.results.is_file() or sha256_of(self.results) != self.sha256:
            raise HypermagneticsError(
                "Results must stay the same while they are compared; got another "
                f"{RESULTS_NAME} than before ({self.results}). Wait until no hm-eval writes there, "
                "and compare again."
            )


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
        (path, sha256, subject, results)
        for path, (results, sha256) in ((path, _read(path)) for path in map(_file, paths))
        for subject in results.subjects
        if subject.kind != "baseline"
    ]
    names = [subject.name for _, _, subject, _ in found]
    return tuple(
        Contestant(
            subject.name if names.count(subject.name) == 1 else f"{subject.name} ({path.parent})",
            subject.name,
            path,
            sha256,
            {key: one.dataset for key, one in _evaluations(results, subject.name).items()},
            {key: one.num_samples for key, one in _evaluations(results, subject.name).items()},
            subject.knowledge,
        )
        for path, sha256, subject, results in found
    )


def _evaluations(results: Results, subject: str) -> dict[SplitKey, Evaluation]:
    sha256 = {dataset.name: dataset.sha256 for dataset in results.datasets}
    return {
        SplitKey(sha256.get(one.dataset, ""), one.split): one
        for one in results.evaluations
        if one.subject == subject
    }


def _file(path: Path) -> Path:
    return path / RESULTS_NAME if path.is_dir() else path


def _read(path: Path) -> tuple[Results, str]:
    try:
        content = RESULTS_FILE.read(path)
        text = content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise_refusal(error, path)
        got = (
            str(error.strerror or error).lower()
            if isinstance(error, OSError)
            else "bytes, not text"
        )
        raise HypermagneticsError(
            f"A file to compare must be a {RESULTS_NAME} of hm-eval; got {got} ({path}). Check the "
            "path, or run hm-eval again."
        ) from error
    return from_json(text, path), hashlib.sha256(content).hexdigest()
