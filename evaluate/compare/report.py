"""Comparisons of subjects with the first of them, as a table or as JSON."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.evaluate.compare.files import Contestant, SplitKey
from hypermagnetics.evaluate.compare.pairing import PairedComparison, compare_errors
from hypermagnetics.evaluate.results.json_file import plain
from hypermagnetics.evaluate.results.numbers import per_cent, three_digits
from hypermagnetics.evaluate.results.tables import Table
from hypermagnetics.metrics import LARGEST_SHARE
from hypermagnetics.models import Knowledge

_REPAIR = "Evaluate both on the same dataset, with the same splits."


@dataclass(frozen=True)
class ComparedRow:
    """Comparison of two subjects by one metric of one quantity on one split."""

    dataset: str
    split: str
    quantity: str
    first: str
    second: str
    num_samples: int
    comparison: PairedComparison
    first_knows: Knowledge | None = None
    """Origin of the predictions of the first; None if its file has none."""
    second_knows: Knowledge | None = None


def compare_all(contestants: Sequence[Contestant]) -> tuple[ComparedRow, ...]:
    """Compare every subject with the first.

    Args:
        contestants: At least two.

    Returns:
        A row for each split both were evaluated on, quantity and metric.

    Raises:
        HypermagneticsError: If there are fewer than two, or no split is shared.
    """
    if len(contestants) < 2:
        raise HypermagneticsError(
            "A comparison must have two subjects; got "
            f"{len(contestants)} ({', '.join(one.label for one in contestants) or 'none'}). Give "
            "two files, or one with several runs."
        )
    first, *others = contestants
    return tuple(row for other in others for row in _compare(first, other))


def _compare(first: Contestant, second: Contestant) -> list[ComparedRow]:
    shared = [key for key in first.splits if key in second.splits]
    if not shared:
        raise HypermagneticsError(
            "Subjects that are compared must have been evaluated on the same samples; got "
            f"{_places(first)} for {first.label} and {_places(second)} for {second.label}. "
            f"{_REPAIR}"
        )
    return [row for key in shared for row in _compare_on(first, second, key)]


def _compare_on(first: Contestant, second: Contestant, key: SplitKey) -> list[ComparedRow]:
    one, other = first.table(key), second.table(key)
    if len(one.num_sources) != len(other.num_sources):
        raise HypermagneticsError(
            "Subjects that are compared must have been evaluated on the same samples; got "
            f"{len(one.num_sources)} samples of split {key.split!r} for {first.label} and "
            f"{len(other.num_sources)} for {second.label}. {_REPAIR}"
        )
    return [
        ComparedRow(
            first.splits[key],
            key.split,
            quantity,
            first.label,
            second.label,
            len(one.num_sources),
            found,
            first.knowledge,
            second.knowledge,
        )
        for quantity, errors, other_errors in (
            ("potential", one.potential, other.potential),
            ("field", one.field, other.field),
        )
        for found in compare_errors(errors, other_errors)
    ]


def compared_json(rows: Sequence[ComparedRow]) -> str:
    """The rows as JSON, each with its verdict."""
    table = [
        {key: value for key, value in asdict(row).items() if key != "comparison"}
        | asdict(row.comparison)
        | {"verdict": row.comparison.verdict}
        for row in rows
    ]
    return json.dumps(plain(table), indent=1, allow_nan=False)


def compared_table(rows: Sequence[ComparedRow]) -> Table:
    """The rows as a table, errors in per cent."""
    headings = ("split", "quantity", "metric", "first", "second")
    numbers = ("error", "error of second", "ratio", "95 % interval", "second better", "verdict")
    return Table((*headings, *numbers), tuple(map(_row, rows)), len(headings))


def _row(row: ComparedRow) -> tuple[str, ...]:
    found = row.comparison
    return (
        row.split,
        row.quantity,
        found.metric,
        row.first,
        row.second,
        per_cent(found.first_error),
        per_cent(found.second_error),
        _number(found.ratio),
        _interval(found),
        f"{per_cent(found.second_better)} %",
        found.verdict,
    )


def _interval(found: PairedComparison) -> str:
    if found.withheld:
        return "withheld"
    return "undefined" if found.ratio_ci95 is None else " to ".join(map(_number, found.ratio_ci95))


def withheld_lines(rows: Sequence[ComparedRow]) -> list[str]:
    """A line on the global L2 where its interval is withheld, if it is anywhere."""
    shares = [row.comparison.largest_share for row in rows if row.comparison.withheld]
    if not shares:
        return []
    most = per_cent(max(share for share in shares if share is not None))
    return [
        "global_l2 decides nothing where its interval is withheld: one sample holds more than "
        f"{per_cent(LARGEST_SHARE)} % of a norm, here up to {most} %."
    ]


def kind_lines(rows: Sequence[ComparedRow]) -> list[str]:
    """A line for each pair of subjects that are not made from the same knowledge."""
    unlike = {
        (row.first, row.first_knows, row.second, row.second_knows): None
        for row in rows
        if None not in (row.first_knows, row.second_knows) and row.first_knows != row.second_knows
    }
    return [
        f"Not like with like: {first} knows {knows}, {second} knows {others}."
        for first, knows, second, others in unlike
    ]


def sentences(rows: Sequence[ComparedRow]) -> list[str]:
    """Sentences on the sample medians: the better subject, the factor and its certainty."""
    return [_sentence(row) for row in rows if row.comparison.metric == "sample_median"]


def _sentence(row: ComparedRow) -> str:
    found, where = row.comparison, f"{row.split}, {row.quantity}"
    if found.verdict == "equal":
        return f"{where}: both have the same error."
    if found.verdict == "undecided":
        return f"{where}: undecided between {row.first} and {row.second} on these samples."
    better, worse = row.first, row.second
    factor, sure = found.ratio, 1 - found.second_better
    if found.verdict == "second":
        better, worse, sure = row.second, row.first, found.second_better
        factor = math.inf if found.ratio == 0 else 1 / found.ratio
    return (
        f"{where}: {better} is better than {worse}, its error {_number(factor)} times smaller, in "
        f"{per_cent(sure)} % of the resamples."
    )


def _number(value: float) -> str:
    return "-" if math.isnan(value) else three_digits(value)


def _places(contestant: Contestant) -> str:
    found = [f"{name}/{key.split}" for key, name in contestant.splits.items()]
    return ", ".join(found) or "nothing"
