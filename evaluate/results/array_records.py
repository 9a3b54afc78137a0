"""Results of networks from arrays to arrays as plain values: the content of their results.json."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Literal

from hypermagnetics.evaluate.results.json_file import plain
from hypermagnetics.evaluate.results.numbers import interval_text, per_cent, share_text
from hypermagnetics.evaluate.results.records import SCHEMA_VERSION
from hypermagnetics.evaluate.results.tables import Table, TableFormat, table_text
from hypermagnetics.metrics import Scores
from hypermagnetics.precision import MatmulPrecision

ARRAYS: Literal["arrays"] = "arrays"
"""Content of such a results.json."""


@dataclass(frozen=True)
class ArrayQuantityScores(Scores):
    """Errors of the targets, or of their Jacobian, on one split.

    A point is a value of the targets; of the Jacobian, the vector of its derivatives by all inputs,
    each in units of the scale of its channel in the network.
    """

    rms_sample_relative_l2: float
    """Root of the mean over samples of ||error||₂² / ||truth||₂²."""


@dataclass(frozen=True)
class ArrayEvaluation:
    """Errors of one network on one split."""

    subject: str
    dataset: str
    split: str
    num_samples: int
    targets: ArrayQuantityScores
    jacobian: ArrayQuantityScores | None
    """None for a split without stored derivatives."""


@dataclass(frozen=True)
class ArraySubject:
    """Name, origin and size of a network."""

    name: str
    place: str
    sha256: str
    num_parameters: int
    input: str
    """Name of the array that it reads."""
    target: str
    """Name of the array that it gives."""


@dataclass(frozen=True)
class ArrayDataset:
    """Name and origin of a dataset."""

    name: str
    place: str
    sha256: str
    """sha256 of the manifest, which holds that of every file."""
    title: str


@dataclass(frozen=True)
class ArrayResults:
    """Results of one call of hm-eval on networks from arrays to arrays."""

    subjects: tuple[ArraySubject, ...]
    datasets: tuple[ArrayDataset, ...]
    evaluations: tuple[ArrayEvaluation, ...]
    software: dict[str, str]
    device: str
    """Platform of JAX, such as "cpu"."""
    processor: str
    """Name of the processor, or of the accelerator, and the number of cores."""
    matmul: MatmulPrecision = "float32"
    """Precision of the factors of matrix products, on GPUs and TPUs."""


def array_json(results: ArrayResults) -> str:
    """The text of results.json; a number that is not finite becomes null."""
    table = {"schema": SCHEMA_VERSION, "content": ARRAYS} | dataclasses.asdict(results)
    return json.dumps(plain(table), indent=1, allow_nan=False) + "\n"


def array_text(results: ArrayResults, table_format: TableFormat) -> str:
    """The metrics of all networks on all splits, in per cent.

    Args:
        results: All results.
        table_format: Format of the table.

    Returns:
        Lines of text.
    """
    written = table_text(_table(results), table_format)
    if table_format != "table":
        return written
    return "Errors in per cent of the truth\n\n" + written


_HEADINGS = (
    "samples",
    "median",
    "95 % interval",
    "p90",
    "p99",
    "sample L2",
    "sample rms",
    "global L2",
    "largest sample",
    "non-finite",
)


def _table(results: ArrayResults) -> Table:
    several = len(results.datasets) > 1
    places = dict.fromkeys((one.dataset, one.split) for one in results.evaluations)
    rows: list[tuple[str, ...]] = []
    for dataset, split in places:
        here = [one for one in results.evaluations if (one.dataset, one.split) == (dataset, split)]
        name = f"{dataset} {split}" if several else split
        rows += [(name, "targets", one.subject, *_numbers(one.targets)) for one in here]
        rows += [
            (name, "jacobian", one.subject, *_numbers(one.jacobian))
            for one in here
            if one.jacobian is not None
        ]
    return Table(("split", "quantity", "subject", *_HEADINGS), tuple(rows), 3)


def _numbers(found: ArrayQuantityScores) -> tuple[str, ...]:
    return (
        str(found.num_samples),
        per_cent(found.median_relative_error),
        interval_text(found.ci95),
        per_cent(found.p90_relative_error),
        per_cent(found.p99_relative_error),
        per_cent(found.median_sample_relative_l2),
        per_cent(found.rms_sample_relative_l2),
        per_cent(found.global_relative_l2),
        share_text(found.global_relative_l2_largest_share),
        per_cent(found.nonfinite_fraction),
    )
