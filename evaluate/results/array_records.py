"""Results of networks from arrays to arrays as plain values: the content of their results.json."""

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from hypermagnetics.evaluate.fisher.records import FisherScores
from hypermagnetics.evaluate.fisher.text import estimates_table, information_table
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
    """Errors, or Fisher information, of one network on one split."""

    subject: str
    dataset: str
    split: str
    num_samples: int
    targets: ArrayQuantityScores | None
    """None for a network from readings to summaries."""
    jacobian: ArrayQuantityScores | None
    """None for a split without stored derivatives of the targets."""
    fisher: FisherScores | None = None
    """None for a network that is trained on targets."""


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
    """The metrics of all networks on all splits: errors in per cent, and Fisher information.

    Args:
        results: All results.
        table_format: Format of the table.

    Returns:
        Lines of text.
    """
    parts = []
    for title, table in _tables(results):
        written = table_text(table, table_format)
        parts.append(f"{title}\n\n{written}" if table_format == "table" else written)
    return "\n\n".join(parts)


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


def _tables(results: ArrayResults) -> Iterator[tuple[str, Table]]:
    """Tables that have rows, each with its title."""
    errors, information = [], []
    for one in _ordered(results):
        place = _place(results, one)
        for quantity, found in (("targets", one.targets), ("jacobian", one.jacobian)):
            if found is not None:
                errors.append((place, quantity, one.subject, *_numbers(found)))
        if one.fisher is not None:
            information.append((place, one.subject, one.fisher))
    if errors:
        rows = sorted(errors, key=lambda row: [row[:2] for row in errors].index(row[:2]))
        table = Table(("split", "quantity", "subject", *_HEADINGS), tuple(rows), 3)
        yield "Errors in per cent of the truth", table
    if information:
        yield "Fisher information of the summaries", information_table(information)
        yield "Estimates of the parameters", estimates_table(information)


def _ordered(results: ArrayResults) -> list[ArrayEvaluation]:
    """The evaluations, split by split."""
    places = list(dict.fromkeys((one.dataset, one.split) for one in results.evaluations))
    return sorted(results.evaluations, key=lambda one: places.index((one.dataset, one.split)))


def _place(results: ArrayResults, one: ArrayEvaluation) -> str:
    return f"{one.dataset} {one.split}" if len(results.datasets) > 1 else one.split


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
