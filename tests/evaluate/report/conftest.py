"""Reports of small evaluations, written once."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from report_records import Wrong, at_points_only, logged_run, report_inputs, subject

from hypermagnetics.data import Dataset
from hypermagnetics.evaluate.measuring.detail import Evaluated
from hypermagnetics.evaluate.report.writing import write_report
from hypermagnetics.evaluate.results.records import Results


@dataclass(frozen=True)
class Written:
    """A report, and what it was written from."""

    results: Results
    evaluated: list[Evaluated]
    out: Path

    @property
    def page(self) -> str:
        """The text of index.html."""
        return (self.out / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def written(tiny: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A run, a baseline that is not drawn, and predictions from a file; not to be changed."""
    place, columns = tmp_path_factory.mktemp("report"), tiny.columns
    run = logged_run(place / "run")
    results, evaluated = report_inputs(
        {"discs": tiny},
        [
            subject("wavy", Wrong(columns, 1.01, 0.05), "run", str(run)),
            subject("exact sum", Wrong(columns), "baseline"),
            at_points_only(subject("blind", Wrong(columns, 1.2, 0.1, blind_below=-1.0))),
        ],
        ["test_single", "test_multi"],
    )
    evaluated = [
        one
        for one in evaluated
        if one.evaluation.subject == "wavy"
        or (one.evaluation.subject, one.evaluation.split) == ("blind", "test_multi")
    ]
    write_report(results, evaluated, place / "out")
    return Written(results, evaluated, place / "out")


@pytest.fixture(scope="session")
def single(tiny: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """One run on one split, without times; not to be changed."""
    place, columns = tmp_path_factory.mktemp("single"), tiny.columns
    results, evaluated = report_inputs(
        {"discs": tiny},
        [subject("wavy", Wrong(columns, 1.01, 0.05), "run", str(place / "no run"))],
        ["test_multi"],
    )
    write_report(results, evaluated, place / "out")
    return Written(results, evaluated, place / "out")
