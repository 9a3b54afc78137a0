"""The page of networks that give the next state: tables, errors against time, trajectories."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from hypermagnetics.evaluate.report.array_provenance import array_provenance
from hypermagnetics.evaluate.report.cells import (
    ERRORS,
    count_cell,
    error_cell,
    global_l2_cells,
    quantile_cells,
)
from hypermagnetics.evaluate.report.chart_axes import looks
from hypermagnetics.evaluate.report.figures import Note, Undrawn
from hypermagnetics.evaluate.report.inputs import RANK_NAMES
from hypermagnetics.evaluate.report.markup import Cell, Row, note, slot, table
from hypermagnetics.evaluate.report.page import control, filled_page, lead
from hypermagnetics.evaluate.report.writing import write_figures
from hypermagnetics.evaluate.results.array_records import ArrayEvaluation, ArrayResults
from hypermagnetics.evaluate.results.tables import withheld_of
from hypermagnetics.evaluate.rollouts.charts import energy_chart, error_chart
from hypermagnetics.evaluate.rollouts.evaluation import RolloutSplit
from hypermagnetics.evaluate.rollouts.grid_pictures import grid_picture
from hypermagnetics.evaluate.rollouts.line_pictures import line_picture
from hypermagnetics.evaluate.rollouts.measurement import STORED
from hypermagnetics.evaluate.rollouts.records import RolloutScores
from hypermagnetics.evaluate.rollouts.samples import SHOWN, TimeAxis, sample_rollouts
from hypermagnetics.evaluate.rollouts.text import LAWS, half_exceed_text
from hypermagnetics.files import write_text_atomically
from hypermagnetics.run_files import PAGE_NAME

_FIGURES_OF_EACH = 2
"""Figures per network and split: two samples; a split has two charts."""
_NOTHING = "No numbers for this choice."
_CHARTS, _SAMPLES = "rollout-charts", "rollouts"
"""Names of slots."""


def write_page(results: ArrayResults, splits: Sequence[RolloutSplit], out: Path) -> Path:
    """Write index.html, and figures/<name>.png, .svg and .csv for every figure in it.

    Args:
        results: All numbers.
        splits: The splits on which networks were evaluated.
        out: Directory of the files; made if absent. Files of an earlier page are replaced where
            they have the same names.

    Returns:
        The page, which needs no other file and no network. Equal arguments give equal bytes.
    """
    found = [(one, one.rollout) for one in results.evaluations if one.rollout is not None]
    networks = list(dict.fromkeys(one.record.name for split in splits for one in split.networks))
    number = (_FIGURES_OF_EACH * len(networks) + 2) * len(splits)
    templates = write_figures(_figures(found, splits), number, out)
    several = len(results.datasets) > 1
    data = dict.fromkeys(_data_name(one) if several else one.split for one, _ in found)
    text = filled_page(
        networks,
        lead(list(data), [one.name for one in results.datasets]),
        (),
        _controls(found),
        {
            "Summary": slot(_CHARTS, "", "pair") + _whole(found),
            "Samples": _samples_note(splits) + slot(_SAMPLES, "Nothing was drawn for this choice."),
            "Errors": _errors(found),
            "Provenance": array_provenance(results, networks),
        },
        templates,
    )
    place = out / PAGE_NAME
    write_text_atomically(place, text)
    return place


_Found = Sequence[tuple[ArrayEvaluation, RolloutScores]]


def _figures(found: _Found, splits: Sequence[RolloutSplit]) -> Iterator[tuple[str, Undrawn | Note]]:
    names = dict.fromkeys(one.subject for one, scores in found if scores.errors)
    colours = looks(list(names))
    for split in splits:
        data = _data(split.about.name, split.split)
        measured = {name: one for name, one in split.measured.items() if name != STORED}
        stored, words = split.data, (split.about.name, split.split)
        time = TimeAxis.of(stored)
        relative = {name: one.relative for name, one in measured.items()}
        draw = partial(error_chart, data, stored.name, time, relative, colours)
        yield _CHARTS, Undrawn(("errors", *words), {"data": data}, draw)
        energy = {
            name: one.energy
            for name, one in measured.items()
            if one.energy is not None and not np.isnan(one.energy[:, 0]).all()
        }
        if energy:
            draw = partial(energy_chart, data, time, energy, colours)
            yield _CHARTS, Undrawn(("energy", *words), {"data": data}, draw)
        on_grid = stored.moments is None and len(stored.state_shape) > 1
        for one in sample_rollouts(split):
            yield (
                _SAMPLES,
                Undrawn(
                    ("rollout", one.rank, one.subject, one.dataset, one.split),
                    {"data": data, "rank": one.rank},
                    partial(grid_picture if on_grid else line_picture, one),
                ),
            )


def _data(dataset: str, split: str) -> str:
    """Name of a split of a dataset on the page."""
    return f"{dataset}, {split}"


def _data_name(one: ArrayEvaluation) -> str:
    return _data(one.dataset, one.split)


def _controls(found: _Found) -> list[str]:
    data = dict.fromkeys(_data_name(one) for one, _ in found)
    return [
        control("data", "Data", [(name, name, {}) for name in data]),
        control("rank", "Sample", [(rank, RANK_NAMES[rank], {}) for rank in SHOWN]),
    ]


def _whole(found: _Found) -> str:
    """Half times and laws of all subjects."""
    laws = {name: of for name, of in LAWS.items() if any(of(scores) for _, scores in found)}
    rows = []
    for one, scores in found:
        step = scores.half_exceed_step
        half = Cell(half_exceed_text(scores), float("inf") if step is None else float(step))
        cells = [Cell(one.subject), Cell(_data_name(one)), half]
        for of in laws.values():
            law = of(scores)
            cells += [
                error_cell(value) for value in ((None, None) if law is None else vars(law).values())
            ]
        rows.append(Row(cells))
    headings = [text for name in laws for text in (f"{name} [%]", "largest [%]")]
    sentences = [
        "Half above 10 %: the first step at which half of the samples have an error of more than "
        "10 %."
    ]
    sentences += [_MEANINGS[name] for name in laws]
    return table(
        "Rollouts as a whole",
        ("Subject", "Data", "Half above 10 % at step", *map(str.capitalize, headings)),
        rows,
        empty=_NOTHING,
    ) + note(sentences)


_MEANINGS = {
    "drift of |m|": "Drift of |m|: largest change of the magnitude of a moment along a rollout, "
    "median and largest of the samples.",
    "rise of energy": "Rise of energy: largest rise between two states, which damping forbids, in "
    "units of the sum of µ₀ |m| |H| at the start.",
    "residual": "Residual: difference of the last moments from those that their own field gives.",
}


def _errors(found: _Found) -> str:
    """Errors of all subjects by step."""
    steps = [(one, errors) for one, scores in found for errors in scores.errors]
    places = list(dict.fromkeys(_data_name(one) for one, _ in steps))
    steps.sort(key=lambda row: (places.index(_data_name(row[0])), row[1].step))
    rows = [
        Row(
            (
                Cell(one.subject),
                Cell(_data_name(one)),
                count_cell(errors.step),
                *quantile_cells(errors.errors),
                error_cell(errors.errors.rms_sample_relative_l2),
                *global_l2_cells(errors.errors),
                error_cell(errors.errors.nonfinite_fraction),
                count_cell(one.num_samples),
            ),
            {"data": _data_name(one)},
        )
        for one, errors in steps
    ]
    headings = ("Subject", "Data", "Step", *ERRORS, "Sample rms [%]", "Global L2 [%]",
                "Largest sample [%]", "Non-finite [%]", "Samples")  # fmt: skip
    notes = withheld_of(errors.errors.global_relative_l2_largest_share for _, errors in steps)
    return table("Errors by step", headings, rows, empty=_NOTHING) + note(notes)


def _samples_note(splits: Sequence[RolloutSplit]) -> str:
    """A sentence on how the samples were chosen."""
    name = splits[0].networks[0].record.name
    return note(
        [f"Samples with the median and the largest relative L2 error of {name} at the last step."]
    )
