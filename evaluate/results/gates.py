"""Gates: bounds on metrics that a script demands, as in `test_multi.potential.median < 0.01`."""

import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypermagnetics.config import nearest
from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.evaluate.results.numbers import per_cent
from hypermagnetics.evaluate.results.records import Evaluation, QuantityScores
from hypermagnetics.metrics import is_withheld

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_SHORT = {
    "median": "median_relative_error",
    "p90": "p90_relative_error",
    "p99": "p99_relative_error",
    "sample_l2": "median_sample_relative_l2",
    "global_l2": "global_relative_l2",
    "nonfinite": "nonfinite_fraction",
}
"""Short names of metrics."""
_OF_POINTS = ("median", "p90", "p99", "zero_truth_points")
"""Metrics of groups of points, which are not whole samples."""
_GROUPS = ("by_region", "by_body", "by_num_sources")
_QUANTITIES = ("potential", "field", "by_sources")
_GATE = re.compile(
    r"\s*([\w-]+)\.([\w-]+)\.(?:([\w-]+)\.([\w-]+)\.)?([\w-]+)\s*(<=|>=|<|>)\s*(\S+)\s*"
)


@dataclass(frozen=True)
class Gate:
    """A bound on one metric of one quantity on one split."""

    text: str
    """The gate as text."""
    split: str
    quantity: str
    group: tuple[str, str] | None
    """by_region, by_body or by_num_sources, with a key of it; None for all points."""
    metric: str
    """Name of a field of `Scores`."""
    comparison: str
    bound: float


@dataclass(frozen=True)
class GateResult:
    """Result of a gate for one subject on one dataset."""

    gate: Gate
    subject: str
    dataset: str
    value: float
    passed: bool
    reason: str
    """Reason of a failure other than the comparison; else empty."""

    @property
    def sentence(self) -> str:
        """The result in one line."""
        verdict = "passed" if self.passed else "FAILED"
        value = f"{self.value:.6g} ({per_cent(self.value)} %)"
        return f"gate {verdict}: {self.gate.text}: {self.subject} on {self.dataset}: {value}" + (
            f"; {self.reason}" if self.reason else ""
        )


def parse_gate(text: str) -> Gate:
    """Read a gate.

    Args:
        text: `SPLIT.QUANTITY.METRIC < NUMBER`, or with a group of points before the metric, as in
            `test_multi.field.by_region.near.p90 <= 0.2`. Numbers are fractions.

    Returns:
        The gate.

    Raises:
        HypermagneticsError: If the text is no gate.
    """
    found = _GATE.fullmatch(text)
    if found is None:
        raise _no_gate(text, "something else", "Use this form, with a fraction as the number.")
    split, quantity, group, key, metric, comparison, number = found.groups()
    metrics = _OF_POINTS if group in ("by_region", "by_body") else _metrics()
    for given, known in ((quantity, _QUANTITIES), (group, _GROUPS), (metric, metrics)):
        if given is not None and given not in known:
            raise _no_gate(text, repr(given), nearest(given, known))
    try:
        bound = float(number)
    except ValueError as error:
        raise _no_gate(text, f"{number!r} for the number", "Give a fraction, as 0.01.") from error
    if not math.isfinite(bound):
        raise _no_gate(text, f"{number!r} for the number", "Give a finite one.")
    of = None if group is None else (group, key)
    return Gate(text.strip(), split, quantity, of, _SHORT.get(metric, metric), comparison, bound)


def _no_gate(text: str, got: str, repair: str) -> HypermagneticsError:
    return HypermagneticsError(
        "A gate must read SPLIT.QUANTITY[.GROUP.NAME].METRIC < NUMBER, as "
        f"test_multi.potential.median < 0.01; got {got} (--gate {text!r}). {repair}"
    )


def refuse_unknown_splits(gates: Sequence[Gate], splits: Sequence[str]) -> None:
    """Refuse a gate on a split that is not evaluated.

    Raises:
        HypermagneticsError: If its split is not among these.
    """
    for gate in gates:
        if gate.split not in splits:
            raise HypermagneticsError(
                f"The split of a gate must be one of the evaluated splits, {', '.join(splits)}; "
                f"got {gate.split!r} (--gate {gate.text!r}). {nearest(gate.split, splits)}"
            )


def apply_gate(gate: Gate, evaluation: Evaluation) -> GateResult:
    """Apply a gate to an evaluation on its split.

    A gate fails where its metric is undefined, or is a global L2 whose interval is withheld, and
    where any prediction of its quantity on the split is not finite, whatever the metric is.

    Args:
        gate: The gate.
        evaluation: Evaluation of a subject on that split.

    Returns:
        The result.
    """
    found: QuantityScores | None = getattr(evaluation, gate.quantity)
    group = gate.group
    if found is None:
        reason = "derivatives by the sources were not measured; see --by-sources"
        return GateResult(gate, evaluation.subject, evaluation.dataset, math.nan, False, reason)
    if group is not None and group[1] not in getattr(found, group[0]):
        names = ", ".join(getattr(found, group[0]))
        reason = f"{group[0]} has no {group[1]!r}, but {names}"
        return GateResult(gate, evaluation.subject, evaluation.dataset, math.nan, False, reason)
    chosen = found if group is None else getattr(found, group[0])[group[1]]
    value, reason = float(getattr(chosen, gate.metric)), ""
    if found.nonfinite_fraction > 0 and gate.metric != "nonfinite_fraction":
        reason = f"{per_cent(found.nonfinite_fraction)} % of the predictions are not finite"
    elif gate.metric == "global_relative_l2" and is_withheld(
        chosen.global_relative_l2_largest_share
    ):
        reason = (
            "its interval is withheld, as one sample holds too much of it; gate sample_l2 instead"
        )
    elif math.isnan(value):
        reason = "the metric is undefined"
    passed = not reason and _COMPARISONS[gate.comparison](value, gate.bound)
    return GateResult(gate, evaluation.subject, evaluation.dataset, value, passed, reason)


def _metrics() -> tuple[str, ...]:
    """Names of metrics, short and long."""
    return (*_SHORT, *_SHORT.values(), "zero_truth_points")
