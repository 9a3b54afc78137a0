"""Learning curves, from the log of a run."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from hypermagnetics.evaluate.report.chart_axes import drawable, framed, labelled, logarithmic
from hypermagnetics.evaluate.report.figures import Note, Undrawn, csv_text
from hypermagnetics.evaluate.report.formats import per_cent
from hypermagnetics.evaluate.report.inputs import Looks, Report
from hypermagnetics.evaluate.report.rendering import Picture, style
from hypermagnetics.run_files import METRICS_NAME, read_metrics

_POTENTIAL, _FIELD = (f"{quantity}_median_relative_error" for quantity in ("potential", "field"))


_MOST_POINTS = 1 << 19
"""Most points of a curve; hm-train plot draws longer ones."""


@dataclass(frozen=True)
class LearningCurve:
    """Losses and errors by training step, in order; NaN where the log has none."""

    training: tuple[tuple[int, float], ...]
    """Steps and losses."""
    validation: tuple[tuple[int, float, float, float], ...]
    """Steps, losses, and median relative errors of potential and field."""


def read_learning_curve(run: Path) -> LearningCurve | None:
    """Read the curve of a run.

    Args:
        run: Its directory.

    Returns:
        The curve; None if the log is missing, without a loss, or of more points than a page
        shows. An unfinished last line is still being written.
    """
    training, validation = [], []
    try:
        for record in read_metrics(run / METRICS_NAME):
            if "loss" in record:
                training.append((int(record["step"]), _number(record["loss"])))
            if "validation" in record:
                validation.append((int(record["step"]), *_validation(record["validation"])))
            if len(training) + len(validation) > _MOST_POINTS:
                return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    if not training and not validation:
        return None
    return LearningCurve(tuple(training), tuple(validation))


def learning_curves(report: Report) -> Iterator[Undrawn | Note]:
    """Loss of training and validation, and errors of validation, against steps."""
    subjects = [one.subject for one in report.evaluated]
    places = {one.name: Path(one.place) for one in subjects if one.kind == "run"}
    found = {name: read_learning_curve(place) for name, place in places.items()}
    curves = {name: curve for name, curve in found.items() if curve is not None}
    if curves:
        yield Undrawn(("learning",), {}, partial(_chart, curves, report.looks))
    if without := ", ".join(name for name in places if name not in curves):
        text = (
            f"No learning curve of {without}: {METRICS_NAME} is missing, empty, too long or "
            "cannot be read."
        )
        yield Note({}, text)
    if not places:
        yield Note({}, "No learning curves: none of the subjects is a run.")


def _chart(curves: Mapping[str, LearningCurve], looks: Looks) -> Picture:
    rows: list[tuple[str, str, int, float]] = []
    with style():
        figure, (losses, errors) = framed([looks[name] for name in curves], panels=2)
        for name, curve in curves.items():
            look = looks[name]
            parts = _parts(curve)
            for part, line in parts.items():
                rows += [(name, part, step, value) for step, value in line]
            for axes, part, dash, scale in (
                (losses, "training loss", (0, (4, 2)), 1.0),
                (losses, "validation loss", "-", 1.0),
                (errors, "validation potential error", "-", 100.0),
                (errors, "validation field error", (0, (4, 2)), 100.0),
            ):
                steps, values = np.array(parts[part], np.float64).reshape(-1, 2).T
                values = drawable(scale * values)
                marker = look.marker if np.isfinite(values).sum() <= 30 else ""
                axes.plot(steps, values, color=look.colour, ls=dash, marker=marker, ms=4, lw=1.4)
        labelled(losses, "Loss: validation (solid), training (dashed)", "step", "loss")
        title = "Validation error: potential (solid), field (dashed)"
        labelled(errors, title, "step", "median relative error [%]")
        for axes in (losses, errors):
            logarithmic(axes, "y")
            axes.locator_params(axis="x", nbins=5)
    return Picture(
        figure,
        csv_text(("subject", "curve", "step", "value"), rows),
        f"Learning curves. {_told(curves)}",
        f"From the {METRICS_NAME} of each run.",
        panels=2,
    )


def _parts(curve: LearningCurve) -> dict[str, list[tuple[int, float]]]:
    """The lines of a run by their names."""
    return {
        "training loss": list(curve.training),
        "validation loss": [(step, loss) for step, loss, _, _ in curve.validation],
        "validation potential error": [(step, error) for step, _, error, _ in curve.validation],
        "validation field error": [(step, error) for step, _, _, error in curve.validation],
    }


def _told(curves: Mapping[str, LearningCurve]) -> str:
    ends = {name: curve.validation[-1] for name, curve in curves.items() if curve.validation}
    told = [
        f"{name}: after {step} steps the median relative error of validation is "
        f"{per_cent(potential)} % for the potential and {per_cent(field)} % for the field."
        for name, (step, _, potential, field) in ends.items()
    ]
    return " ".join(told) or "The runs were never validated."


def _validation(record: Mapping[str, object]) -> tuple[float, float, float]:
    """Loss, and errors of potential and field."""
    loss, potential, field = (_number(record.get(key)) for key in ("loss", _POTENTIAL, _FIELD))
    return loss, potential, field


def _number(value: object) -> float:
    """A number of the log; null, as for an undefined error, becomes NaN and leaves a gap."""
    return math.nan if value is None else float(str(value))
