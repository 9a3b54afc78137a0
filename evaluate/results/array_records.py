"""Results of networks from arrays to arrays as plain values: the content of their results.json."""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from hypermagnetics.evaluate.fisher.records import FisherScores
from hypermagnetics.evaluate.fisher.text import estimates_table, information_table
from hypermagnetics.evaluate.maps.records import MapScores, WaveNumberError
from hypermagnetics.evaluate.results.json_file import plain
from hypermagnetics.evaluate.results.numbers import interval_text, per_cent, share_text
from hypermagnetics.evaluate.results.quantity_scores import ArrayQuantityScores
from hypermagnetics.evaluate.results.records import SCHEMA_VERSION
from hypermagnetics.evaluate.results.tables import (
    Table,
    TableFormat,
    matmul_lines,
    table_text,
    with_lines,
)
from hypermagnetics.evaluate.rollouts.records import RolloutScores
from hypermagnetics.evaluate.rollouts.text import errors_table, whole_table
from hypermagnetics.precision import MatmulPrecision

ARRAYS: Literal["arrays"] = "arrays"
"""Content of such a results.json."""


@dataclass(frozen=True)
class ArrayEvaluation:
    """Errors, or Fisher information, of one network or baseline on one split."""

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
    maps: tuple[MapScores, ...] = ()
    """Errors of each map that it gives; none of a network of other arrays."""
    rollout: RolloutScores | None = None
    """None of a network that gives no next state; then results.json has no such key."""


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
    found = dataclasses.asdict(results)
    for evaluation in found["evaluations"]:
        if evaluation["rollout"] is None:
            del evaluation["rollout"]
    table = {"schema": SCHEMA_VERSION, "content": ARRAYS} | found
    return json.dumps(plain(table), indent=1, allow_nan=False) + "\n"


def array_text(results: ArrayResults, table_format: TableFormat) -> str:
    """The metrics of all networks on all splits: errors in per cent, or Fisher information.

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
    return with_lines("\n\n".join(parts), matmul_lines(results.matmul), table_format)


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
    errors, information, waves, rollouts = [], [], [], []
    for one in _ordered(results):
        place = _place(results, one)
        for quantity, found in (("targets", one.targets), ("jacobian", one.jacobian)):
            if found is not None:
                errors.append((place, quantity, one.subject, *_numbers(found)))
        for maps in one.maps:
            errors.append((place, maps.quantity, one.subject, *_numbers(maps.all_points)))
            if maps.new_points is not None:
                quantity = f"{maps.quantity}, new points"
                errors.append((place, quantity, one.subject, *_numbers(maps.new_points)))
            waves.append((place, maps.quantity, one.subject, maps.by_wave_number))
        if one.fisher is not None:
            information.append((place, one.subject, one.fisher))
        if one.rollout is not None:
            rollouts.append((place, one.subject, one.rollout))
    if errors:
        rows = sorted(errors, key=lambda row: [row[:2] for row in errors].index(row[:2]))
        table = Table(("split", "quantity", "subject", *_HEADINGS), tuple(rows), 3)
        yield "Errors in per cent of the truth", table
    if waves:
        yield "Errors by wave number, in per cent of the truth in each shell", _wave_table(waves)
    if rollouts:
        yield "Errors of rollouts in per cent of the state", errors_table(rollouts)
        yield "Rollouts as a whole: laws in per cent, median and largest", whole_table(rollouts)
    if information:
        yield "Fisher information of the summaries", information_table(information)
        yield "Estimates of the parameters", estimates_table(information)


def _wave_table(
    waves: Sequence[tuple[str, str, str, tuple[WaveNumberError, ...]]],
) -> Table:
    """Global L2 errors in shells of wave numbers, named by their ends."""
    ends = sorted({shell.below for *_, shells in waves for shell in shells})
    rows = []
    for *names, shells in sorted(waves, key=lambda row: [one[:2] for one in waves].index(row[:2])):
        found = {shell.below: per_cent(shell.relative_l2) for shell in shells}
        rows.append((*names, *(found.get(end, "") for end in ends)))
    headings = ("split", "quantity", "subject", *(f"|k| < {end}" for end in ends))
    return Table(headings, tuple(rows), 3)


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
