"""The maps of the chosen samples of a subject on a split."""

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

from hypermagnetics.data import Block, Split
from hypermagnetics.errors import SourceError
from hypermagnetics.evaluate.measuring.detail import RANKS, Evaluated, Rank
from hypermagnetics.evaluate.report.figures import Note, Undrawn, csv_of_grid
from hypermagnetics.evaluate.report.formats import counted, number, per_cent
from hypermagnetics.evaluate.report.inputs import QUANTITIES, RANK_NAMES, Quantity, data_name
from hypermagnetics.evaluate.report.maps import field_maps, potential_maps, strengths
from hypermagnetics.evaluate.report.rendering import Picture
from hypermagnetics.evaluate.subjects.subject import PointModel
from hypermagnetics.pictures import (
    CELLS_OF_TRUTH,
    Drawing,
    Plane,
    draw_plane,
    draw_points,
    equally_long,
    extent,
    in_plane,
    one_sample,
    plane_of,
)
from hypermagnetics.sources import SourceColumns

_RESOLUTION = 112
"""Points along a side: enough to see surfaces, and half of the bytes of 160."""


def sample_maps(evaluated: Evaluated) -> Iterator[Undrawn | Note]:
    """Maps of the samples with the median, the p90 and the worst error.

    Args:
        evaluated: The subject, the split, and the numbers of the samples.

    Yields:
        A figure for each sample, quantity and plane: in three dimensions that of constant z through
        the middle source, and for the sample of median error also those of constant y and x. Or a
        note on why there is none.
    """
    one = evaluated.evaluation
    choice = {"data": data_name(one), "subject": one.subject}
    if evaluated.subject.model is None and evaluated.columns.dim == 3:
        yield Note(
            choice,
            f"No maps: {one.subject} is predictions at the points of the samples, which lie in no "
            "plane. Give the model itself to see it in a plane.",
        )
        return
    for rank, drawing in _drawings(evaluated):
        if isinstance(drawing, str):
            yield Note({**choice, "rank": rank}, f"No map: {drawing}")
            continue
        plane = () if drawing.height is None else ("xyz"[drawing.across],)
        title = _title(evaluated, rank, drawing)
        for quantity in QUANTITIES:
            words = ("map", quantity, rank, one.subject, one.dataset, one.split, *plane)
            own = {**choice, "rank": rank, "quantity": quantity}
            yield Undrawn(words, own, partial(_maps, title, drawing, quantity))


def _drawings(evaluated: Evaluated) -> Iterator[tuple[Rank, Drawing | str]]:
    """The chosen samples in their planes by rank, or a sentence on why one cannot be drawn."""
    model, columns, split = evaluated.subject.model, evaluated.columns, evaluated.split
    blocks = {rank: one_sample(split, evaluated.chosen[rank]) for rank in RANKS}
    if model is None:
        yield from _from_points(evaluated, blocks)
    elif columns.dim == 2:
        yield from _in_the_plane(model, columns, split, blocks)
    else:
        for rank, block in blocks.items():
            low, high = extent(columns, block)
            for across in (2, 1, 0) if rank == "median" else (2,):
                plane = plane_of(columns, block, low, high, across=across, resolution=_RESOLUTION)
                values = model.predict(equally_long(block.sources), plane.points, 1)
                yield rank, _in_a_plane(plane, columns, block, *values)


def _in_a_plane(
    plane: Plane, columns: SourceColumns, block: Block, potential: np.ndarray, field: np.ndarray
) -> Drawing | str:
    """Drawing of a sample, or a sentence on why its soft bodies are not solved for again."""
    try:
        return draw_plane(plane, columns, block, potential, field)
    except SourceError as error:
        return str(error)


def _from_points(
    evaluated: Evaluated, blocks: dict[Rank, Block]
) -> Iterator[tuple[Rank, Drawing | str]]:
    """Drawings from predictions at the points of the samples alone."""
    predict = evaluated.subject.on_split(evaluated.split, 1)
    for rank, block in blocks.items():
        values = predict(block, evaluated.chosen[rank])
        try:
            yield rank, draw_points(*values, evaluated.columns, block, resolution=_RESOLUTION)
        except SourceError as error:
            yield rank, str(error)


def _in_the_plane(
    model: PointModel, columns: SourceColumns, split: Split, blocks: dict[Rank, Block]
) -> Iterator[tuple[Rank, Drawing | str]]:
    """Drawings of all samples from one prediction at the same points."""
    low, high = _box(split)
    first = next(iter(blocks.values()))
    if (low == high).any():
        low, high = extent(columns, first)
    plane = plane_of(columns, first, low, high, resolution=_RESOLUTION)
    tables = equally_long(np.concatenate([block.sources for block in blocks.values()]))
    potential, field = model.predict(tables, plane.points, len(tables))
    for row, (rank, block) in enumerate(blocks.items()):
        one = slice(row, row + 1)
        yield rank, _in_a_plane(plane, columns, block, potential[one], field[one])


def _box(split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest coordinates of all points of a split [m]."""
    found = split.statistics("grid")
    return np.asarray(found.min), np.asarray(found.max)


def _title(evaluated: Evaluated, rank: Rank, drawing: Drawing) -> str:
    """Title of a map: the sample, its errors and the plane."""
    one, sample = evaluated.evaluation, evaluated.chosen[rank]
    potential, field = (
        per_cent(float(detail.sample_relative_l2[sample]))
        for detail in (evaluated.potential, evaluated.field)
    )
    # Predictions from a file stand beside the labels of the sample.
    is_solved = evaluated.columns.is_soft and evaluated.subject.model is not None
    cells = CELLS_OF_TRUTH[evaluated.columns.dim]
    truth = f" Truth by a solve of {cells} cells a side." if is_solved else ""
    return (
        f"{one.subject} on {one.dataset}, {one.split}[{sample}] ({RANK_NAMES[rank]}), "
        f"{counted(int(evaluated.num_sources[sample]), 'source')}{_plane(drawing)}. "
        f"Relative L2 error: potential {potential} %, field {field} %.{truth}"
    )


def _maps(title: str, drawing: Drawing, quantity: Quantity) -> Picture:
    values = _values(drawing, quantity)
    bad = float(np.mean(~np.isfinite(values["predicted"])))
    grey = f" Grey, {per_cent(bad)} % of the map: no finite prediction." if bad else ""
    return Picture(
        potential_maps(drawing) if quantity == "potential" else field_maps(drawing),
        csv_of_grid({**_coordinates(drawing), **values}),
        f"Three maps side by side: true, predicted and error. {title} {_told(values, quantity)}",
        title + grey,
        panels=3,
        is_smooth=True,
    )


def _values(drawing: Drawing, quantity: Quantity) -> dict[str, np.ndarray]:
    if quantity == "field":
        true, predicted, error = strengths(drawing)
    else:
        true, predicted = drawing.true_potential, drawing.potential
        error = predicted - true
    return {"true": true, "predicted": predicted, "error": error}


def _coordinates(drawing: Drawing) -> dict[str, np.ndarray]:
    dim = 2 if drawing.height is None else 3
    right, up = ("xyz"[axis] for axis in in_plane(dim, drawing.across))
    x, y = np.meshgrid(*drawing.axes)
    return {right: x, up: y}


def _told(values: Mapping[str, np.ndarray], quantity: Quantity) -> str:
    unit = "A" if quantity == "potential" else "A/m"
    parts = []
    for name, those in values.items():
        finite = those[np.isfinite(those)]
        if finite.size:
            low, high = float(finite.min()), float(finite.max())
            parts.append(f"{name} {number(low)} to {number(high)} {unit}")
        else:
            parts.append(f"{name} nowhere finite")
    what = "Potential" if quantity == "potential" else "Strength of H"
    return f"{what}: {', '.join(parts)}."


def _plane(drawing: Drawing) -> str:
    if drawing.height is None:
        return ""
    return f", plane {'xyz'[drawing.across]} = {number(drawing.height)} m"
