"""Errors of rollouts as tables for a terminal, in Markdown or in LaTeX."""

from collections.abc import Callable, Sequence

from hypermagnetics.evaluate.results.numbers import interval_text, per_cent, share_text
from hypermagnetics.evaluate.results.tables import Table
from hypermagnetics.evaluate.rollouts.records import OverSamples, RolloutScores, StepErrors

Row = tuple[str, str, RolloutScores]
"""Name of the split, name of the subject, and its scores."""

_HEADINGS = (
    *("samples", "median", "95 % interval", "p90", "p99", "sample rms", "global L2"),
    *("largest sample", "non-finite"),
)
LAWS: dict[str, Callable[[RolloutScores], OverSamples | None]] = {
    "drift of |m|": lambda found: found.magnitude_drift,
    "rise of energy": lambda found: found.energy_rise,
    "residual": lambda found: found.residual,
}
"""Laws by their headings in tables."""


def errors_table(rows: Sequence[Row]) -> Table:
    """Errors by split and step, subjects below each other."""
    steps = [
        (split, errors.step, subject, errors)
        for split, subject, found in rows
        for errors in found.errors
    ]
    splits = list(dict.fromkeys(split for split, *_ in steps))
    steps.sort(key=lambda row: (splits.index(row[0]), row[1]))
    return Table(
        ("split", "step", "subject", *_HEADINGS),
        tuple((split, str(step), name, *_numbers(one)) for split, step, name, one in steps),
        3,
    )


def whole_table(rows: Sequence[Row]) -> Table:
    """The step at which half of the samples have large errors, and laws that are broken."""
    laws = {name: of for name, of in LAWS.items() if any(of(found) for *_, found in rows)}
    headings = [text for name in laws for text in (name, "largest")]
    return Table(
        ("split", "subject", "half above 10 % at step", *headings),
        tuple(
            (
                *(split, subject, half_exceed_text(found)),
                *(text for of in laws.values() for text in _median_and_largest(of(found))),
            )
            for split, subject, found in rows
        ),
        2,
    )


def half_exceed_text(found: RolloutScores) -> str:
    """The step at which half of the samples exceed 10 %, or that it is none of the rollout."""
    if found.half_exceed_step is None:
        return f"> {found.num_steps}"
    return str(found.half_exceed_step)


def _median_and_largest(found: OverSamples | None) -> tuple[str, str]:
    return ("-", "-") if found is None else (per_cent(found.median), per_cent(found.largest))


def _numbers(one: StepErrors) -> tuple[str, ...]:
    errors = one.errors
    return (
        str(errors.num_samples),
        per_cent(errors.median_relative_error),
        interval_text(errors.ci95),
        per_cent(errors.p90_relative_error),
        per_cent(errors.p99_relative_error),
        per_cent(errors.rms_sample_relative_l2),
        per_cent(errors.global_relative_l2),
        share_text(errors.global_relative_l2_largest_share),
        per_cent(errors.nonfinite_fraction),
    )
