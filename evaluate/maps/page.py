"""The page of networks from maps to maps: tables of errors, pictures of samples, and charts."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from hypermagnetics.evaluate.maps.evaluation import MapSplit
from hypermagnetics.evaluate.maps.pictures import map_picture
from hypermagnetics.evaluate.maps.records import MapScores
from hypermagnetics.evaluate.maps.samples import SHOWN, sample_maps
from hypermagnetics.evaluate.maps.spectrum_chart import spectrum_chart
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
from hypermagnetics.evaluate.results.quantity_scores import ArrayQuantityScores
from hypermagnetics.evaluate.results.tables import withheld_of
from hypermagnetics.files import write_text_atomically
from hypermagnetics.models.map_network import frame_of
from hypermagnetics.run_files import PAGE_NAME

_FIGURES_OF_EACH = 8
"""Approximate number per network and split: two samples, of two subjects and quantities."""
_NOTHING = "No numbers for this choice."
_MAPS, _SPECTRUM = "maps", "spectrum"
"""Names of slots."""


def write_page(results: ArrayResults, splits: Sequence[MapSplit], out: Path) -> Path:
    """Write index.html, and figures/<name>.png, .svg and .csv for every figure in it.

    Args:
        results: All numbers; those of other networks are left out.
        splits: The splits on which networks of maps were evaluated.
        out: Directory of the files; made if absent. Files of an earlier page are replaced where
            they have the same names.

    Returns:
        The page, which needs no other file and no network. Equal arguments give equal bytes.
    """
    evaluations = [one for one in results.evaluations if one.maps]
    networks = {network.record.name: network.record for one in splits for network in one.networks}
    number = _FIGURES_OF_EACH * len(splits) * len(networks)
    templates = write_figures(_figures(evaluations, splits), number, out)
    several = len(results.datasets) > 1
    data = dict.fromkeys(_data_name(one) if several else one.split for one in evaluations)
    text = filled_page(
        list(networks),
        lead(list(data), [one.name for one in results.datasets]),
        (),
        _controls(evaluations),
        {
            "Summary": _summary(evaluations),
            "Samples": _samples_note(splits) + slot(_MAPS, "No maps were drawn for this choice."),
            "Spectrum": slot(_SPECTRUM, "", "pair") + _wave_table(evaluations),
            "Provenance": array_provenance(results, list(networks)),
        },
        templates,
    )
    place = out / PAGE_NAME
    write_text_atomically(place, text)
    return place


def _figures(
    evaluations: Sequence[ArrayEvaluation], splits: Sequence[MapSplit]
) -> Iterator[tuple[str, Undrawn | Note]]:
    for split in splits:
        for one in sample_maps(split):
            yield (
                _MAPS,
                Undrawn(
                    ("map", one.quantity, one.rank, one.subject, one.dataset, one.split),
                    {
                        "data": _data(one.dataset, one.split),
                        "rank": one.rank,
                        "quantity": one.quantity,
                    },
                    partial(map_picture, one),
                ),
            )
    colours = looks(list(dict.fromkeys(one.subject for one in evaluations)))
    for data in dict.fromkeys(map(_data_name, evaluations)):
        here = [one for one in evaluations if _data_name(one) == data]
        for quantity in dict.fromkeys(maps.quantity for one in here for maps in one.maps):
            shells = {
                one.subject: maps.by_wave_number
                for one in here
                for maps in one.maps
                if maps.quantity == quantity
            }
            words = ("spectrum", quantity, here[0].dataset, here[0].split)
            draw = partial(spectrum_chart, data, quantity, shells, colours)
            yield _SPECTRUM, Undrawn(words, {"data": data}, draw)


def _data(dataset: str, split: str) -> str:
    """Name of a split of a dataset on the page."""
    return f"{dataset}, {split}"


def _data_name(one: ArrayEvaluation) -> str:
    return _data(one.dataset, one.split)


def _controls(evaluations: Sequence[ArrayEvaluation]) -> list[str]:
    data = dict.fromkeys(map(_data_name, evaluations))
    quantities = dict.fromkeys(maps.quantity for one in evaluations for maps in one.maps)
    return [
        control("data", "Data", [(name, name, {}) for name in data]),
        control("rank", "Sample", [(rank, RANK_NAMES[rank], {}) for rank in SHOWN]),
        control("quantity", "Quantity", [(name, name, {}) for name in quantities]),
    ]


def _summary(evaluations: Sequence[ArrayEvaluation]) -> str:
    """Errors of all maps of all networks and baselines, subjects below each other."""
    found = [(one, *named) for one in evaluations for maps in one.maps for named in _scores(maps)]
    groups = list(dict.fromkeys((_data_name(one), quantity) for one, quantity, _ in found))
    found.sort(key=lambda row: groups.index((_data_name(row[0]), row[1])))
    rows = [
        Row(
            (
                Cell(one.subject),
                Cell(_data_name(one)),
                Cell(quantity),
                *quantile_cells(scores),
                error_cell(scores.median_sample_relative_l2, scores.median_sample_relative_l2_ci95),
                error_cell(scores.rms_sample_relative_l2),
                *global_l2_cells(scores),
                error_cell(scores.nonfinite_fraction),
                count_cell(one.num_samples),
            )
        )
        for one, quantity, scores in found
    ]
    headings = ("Subject", "Data", "Quantity", *ERRORS, "Sample L2 [%]", "Sample rms [%]",
                "Global L2 [%]", "Largest sample [%]", "Non-finite [%]", "Samples")  # fmt: skip
    notes = withheld_of(scores.global_relative_l2_largest_share for *_, scores in found)
    if any(maps.new_points is not None for one in evaluations for maps in one.maps):
        notes.append("New points are those that the input does not hold.")
    if any(maps.quantity == "field by differences" for one in evaluations for maps in one.maps):
        notes.append(
            "The field by differences is that of neighbouring points of the potential, where no "
            "field is given."
        )
    return table("Errors of all subjects", headings, rows, empty=_NOTHING) + note(notes)


def _scores(maps: MapScores) -> Iterator[tuple[str, ArrayQuantityScores]]:
    """Yield the errors of a map, by name."""
    yield maps.quantity, maps.all_points
    if maps.new_points is not None:
        yield f"{maps.quantity}, new points", maps.new_points


def _samples_note(splits: Sequence[MapSplit]) -> str:
    """A sentence on how the samples were chosen."""
    first = splits[0].networks[0]
    quantity = frame_of(first.model.inputs).targets[0]
    what = first.record.target if quantity == "targets" else quantity
    return note(
        [
            f"Samples with the median and the largest relative L2 error of the {what} by "
            f"{first.record.name}. Truth and prediction have one colour scale, and the error its "
            "own."
        ]
    )


def _wave_table(evaluations: Sequence[ArrayEvaluation]) -> str:
    """Errors in shells of wave numbers."""
    found = [(one, maps) for one in evaluations for maps in one.maps]
    groups = list(dict.fromkeys((_data_name(one), maps.quantity) for one, maps in found))
    found.sort(key=lambda row: groups.index((_data_name(row[0]), row[1].quantity)))
    ends = sorted({shell.below for _, maps in found for shell in maps.by_wave_number})
    rows = []
    for one, maps in found:
        errors = {shell.below: shell.relative_l2 for shell in maps.by_wave_number}
        names = (Cell(one.subject), Cell(_data_name(one)), Cell(maps.quantity))
        rows.append(Row((*names, *(error_cell(errors.get(end)) for end in ends))))
    headings = ("Subject", "Data", "Quantity", *(f"|k| < {end} [%]" for end in ends))
    return table("Errors by wave number", headings, rows, empty=_NOTHING)
