"""The maps of the chosen samples of a subject on a split."""

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

from hypermagnetics.evaluate.measuring.detail import Evaluated, Rank
from hypermagnetics.evaluate.report.drawings import drawings
from hypermagnetics.evaluate.report.drawn import Drawn, Note, Task, csv_of_grid
from hypermagnetics.evaluate.report.error_charts import QUANTITIES, Quantity
from hypermagnetics.evaluate.report.formats import counted, number, per_cent
from hypermagnetics.evaluate.report.maps import field_maps, potential_maps, strengths
from hypermagnetics.evaluate.report.names import FileNames
from hypermagnetics.evaluate.report.rendering import rendered, svg_size
from hypermagnetics.pictures import Drawing, in_plane

SLOT = "maps"


def sample_maps(evaluated: Evaluated, data: str, names: FileNames) -> Iterator[Task | Note]:
    """Maps of the samples with the median, the p90 and the worst error.

    Args:
        evaluated: The subject, the split, and the numbers of the samples.
        data: Name of the split on the page.
        names: Gives names to files.

    Yields:
        Tasks that draw a figure for each sample, quantity and plane: in three dimensions that of
        constant z through the middle source, and for the sample of median error also those of
        constant y and x. Or a note on why there is none.
    """
    one = evaluated.evaluation
    choice = {"data": data, "subject": one.subject}
    if evaluated.subject.model is None and evaluated.columns.dim == 3:
        yield Note(
            SLOT,
            choice,
            f"No maps: {one.subject} is predictions at the points of the samples, which lie in no "
            "plane. Give the model itself to see it in a plane.",
        )
        return
    for rank, drawing in drawings(evaluated):
        if isinstance(drawing, str):
            yield Note(SLOT, {**choice, "rank": rank}, f"No map: {drawing}")
            continue
        plane = () if drawing.height is None else ("xyz"[drawing.across],)
        title = _title(evaluated, rank, drawing)
        for quantity in QUANTITIES:
            name = names.new("map", quantity, rank, one.subject, one.dataset, one.split, *plane)
            shown = {**choice, "rank": rank, "quantity": quantity}
            yield partial(_drawn, name, shown, title, drawing, quantity)


def _title(evaluated: Evaluated, rank: Rank, drawing: Drawing) -> str:
    """Title of a map: the sample, its errors and the plane."""
    one, sample = evaluated.evaluation, evaluated.chosen[rank]
    potential, field = (
        per_cent(float(detail.sample_relative_l2[sample]))
        for detail in (evaluated.potential, evaluated.field)
    )
    how = {"median": "median error", "p90": "p90 error", "worst": "worst"}[rank]
    return (
        f"{one.subject} on {one.dataset}, {one.split}[{sample}] ({how}), "
        f"{counted(int(evaluated.num_sources[sample]), 'source')}{_plane(drawing)}. "
        f"Relative L2 error: potential {potential} %, field {field} %."
    )


def _drawn(
    name: str, choice: Mapping[str, str], title: str, drawing: Drawing, quantity: Quantity
) -> Drawn:
    figure = potential_maps(drawing) if quantity == "potential" else field_maps(drawing)
    svg, png = rendered(figure, name, smooth=True)
    shown = _shown(drawing, quantity)
    bad = float(np.mean(~np.isfinite(shown["predicted"])))
    grey = f" Grey, {per_cent(bad)} % of the map: no finite prediction." if bad else ""
    return Drawn(
        name=name,
        slot=SLOT,
        choice=choice,
        svg=svg,
        size=svg_size(figure),
        panels=3,
        png=png,
        csv=csv_of_grid({**_coordinates(drawing), **shown}),
        alt=f"Three maps side by side: true, predicted and error. {title} {_told(shown, quantity)}",
        caption=title + grey,
    )


def _shown(drawing: Drawing, quantity: Quantity) -> dict[str, np.ndarray]:
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


def _told(shown: Mapping[str, np.ndarray], quantity: Quantity) -> str:
    unit = "A" if quantity == "potential" else "A/m"
    parts = []
    for name, values in shown.items():
        finite = values[np.isfinite(values)]
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
