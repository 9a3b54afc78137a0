"""3D pictures of the samples of median error, if the extra for them is installed."""

from collections.abc import Iterator

import numpy as np

from hypermagnetics.evaluate.measuring.detail import Evaluated
from hypermagnetics.evaluate.report.drawn import Drawn, Note, csv_of_grid
from hypermagnetics.evaluate.report.formats import counted, number, per_cent
from hypermagnetics.evaluate.report.names import FileNames
from hypermagnetics.evaluate.report.view3d import (
    EXTRA,
    Space,
    as_svg,
    grid_points,
    is_installed,
    picture_apart,
    svg_size,
)
from hypermagnetics.pictures import one_sample

SLOT = "view3d"
_SHOWN = "bodies, and field lines of the predicted H, coloured by the predicted potential."


def space_views(evaluated: Evaluated, data: str, names: FileNames) -> Iterator[Drawn | Note]:
    """3D picture of the sample of median error, as predicted; nothing in two dimensions.

    Args:
        evaluated: The subject, the split, and the number of the sample.
        data: Name of the split on the page.
        names: Gives names to files.

    Yields:
        A picture, or a note on how to get it.
    """
    model, one = evaluated.subject.model, evaluated.evaluation
    if evaluated.columns.dim == 2 or model is None:
        return
    choice = {"data": data, "subject": one.subject, "rank": "median"}
    if not is_installed():
        told = (
            "A picture of the sample in space needs pyvista: "
            f"pip install 'hypermagnetics[{EXTRA}]', then evaluate again."
        )
        yield Note(SLOT, choice, told)
        return
    sample = evaluated.chosen["median"]
    block = one_sample(evaluated.split, sample)
    low, high = block.grid.min(axis=0), block.grid.max(axis=0)
    potential, field = model.predict(block.sources, grid_points(low, high), 1)
    if told := _not_finite(potential[0], field[0]):
        yield Note(SLOT, choice, told)
        return
    drawn = picture_apart(Space(block, evaluated.columns, low, high, potential[0], field[0]))
    if drawn is None:
        told = "No picture in space: VTK found nothing to draw with. Install libegl1 or libosmesa6."
        yield Note(SLOT, choice, told)
        return
    png, lines = drawn
    title = (
        f"{one.subject} on {one.dataset}, {one.split}[{sample}] in space, "
        f"{counted(int(block.num_sources[0]), 'source')}: {_SHOWN}"
    )
    yield Drawn(
        name=names.new("space", one.subject, one.dataset, one.split),
        slot=SLOT,
        choice=choice,
        svg=as_svg(png),
        size=svg_size(),
        panels=1,
        png=png,
        csv=csv_of_grid(lines),
        alt=f"{title} {_told(lines['potential'])}",
        caption=title,
    )


def _not_finite(potential: np.ndarray, field: np.ndarray) -> str:
    """Text of a note if a prediction is not finite, so that nothing can be drawn; else empty."""
    bad = float(np.mean(~np.isfinite(field).all(axis=-1) | ~np.isfinite(potential)))
    if not bad:
        return ""
    return f"No picture in space: {per_cent(bad)} % of the predictions in it are not finite."


def _told(potential: np.ndarray) -> str:
    if not potential.size:
        return "There are no field lines, as there is no field."
    low, high = number(float(potential.min())), number(float(potential.max()))
    return f"Along the lines the potential is from {low} to {high} A."
