"""Pictures of the samples of median error in space, if the extra for them is installed."""

import base64
import io
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image

from hypermagnetics.child_processes import child_pool
from hypermagnetics.data import Block
from hypermagnetics.evaluate.measuring.detail import Evaluated
from hypermagnetics.evaluate.report.figures import Note, Undrawn, csv_of_grid
from hypermagnetics.evaluate.report.formats import counted, number, per_cent
from hypermagnetics.evaluate.report.inputs import data_name
from hypermagnetics.evaluate.report.rendering import Picture, Rendered
from hypermagnetics.extras import how_to_install, is_installed
from hypermagnetics.pictures import one_sample
from hypermagnetics.sources import SourceColumns, body_size, vertices

_SHOWN = "bodies, and field lines of the predicted H, coloured by the predicted potential."
_POINTS = 33
"""Points along each side of the grid for field lines."""
_SEEDS = 48
_EVENLY = (0.8191725133961645, 0.6710436067037893, 0.5497004779019703)
"""1/g, 1/g² and 1/g³ with g⁴ = g + 1: multiples of them fill a cube evenly."""
_SIZE = (900, 640)
_DIPOLE = 0.04
"""Diameter of a drawn dipole, in sides of the picture."""


@dataclass(frozen=True)
class Space:
    """A sample on a regular grid in space, x changing fastest."""

    block: Block
    columns: SourceColumns
    low: Float[np.ndarray, "3"]
    high: Float[np.ndarray, "3"]
    potential: Float[np.ndarray, " points"]
    field: Float[np.ndarray, "points 3"]


def space_views(evaluated: Evaluated) -> Iterator[Undrawn | Note]:
    """3D picture of the sample of median error, as predicted; nothing in two dimensions."""
    model, one = evaluated.subject.model, evaluated.evaluation
    if evaluated.columns.dim == 2 or model is None:
        return
    choice = {"data": data_name(one), "subject": one.subject, "rank": "median"}
    if not is_installed("pyvista"):
        told = (
            "A picture of the sample in space needs pyvista: "
            f"{how_to_install('pyvista')}, then evaluate again."
        )
        yield Note(choice, told)
        return
    sample = evaluated.chosen["median"]
    block = one_sample(evaluated.split, sample)
    low, high = block.grid.min(axis=0), block.grid.max(axis=0)
    potential, field = model.predict(block.sources, grid_points(low, high), 1)
    if told := _not_finite(potential[0], field[0]):
        yield Note(choice, told)
        return
    drawn = picture_apart(Space(block, evaluated.columns, low, high, potential[0], field[0]))
    if drawn is None:
        told = "No picture in space: VTK found nothing to draw with. Install libegl1 or libosmesa6."
        yield Note(choice, told)
        return
    image, lines = drawn
    title = (
        f"{one.subject} on {one.dataset}, {one.split}[{sample}] in space, "
        f"{counted(int(block.num_sources[0]), 'source')}: {_SHOWN}"
    )
    alt = f"{title} {_told(lines['potential'])}"
    made = partial(Picture, image, csv_of_grid(lines), alt, title)
    yield Undrawn(("space", one.subject, one.dataset, one.split), choice, made)


def grid_points(
    low: Float[np.ndarray, "3"], high: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "points 3"]:
    """The points of the grid of a `Space` [m]."""
    axes = (np.linspace(*ends, _POINTS) for ends in zip(low, high, strict=True))
    z, y, x = np.meshgrid(*reversed(list(axes)), indexing="ij")
    return np.stack([x, y, z], axis=-1).reshape(-1, 3).astype(np.float32)


def picture_apart(space: Space) -> tuple[Rendered, dict[str, np.ndarray]] | None:
    """Draw a `picture` in a separate process; None if that process has died.

    VTK ends the process it is in where it finds nothing to draw with, as without libEGL.
    """
    with child_pool(1) as submit:
        try:
            return submit(partial(picture, space)).result()
        except BrokenProcessPool:
            return None


def picture(space: Space) -> tuple[Rendered, dict[str, np.ndarray]]:
    """Draw bodies in grey, and field lines of H coloured by the potential.

    Args:
        space: Values to draw, all of them finite.

    Returns:
        The image, and the points of the field lines with their potentials, by column.
    """
    import pyvista  # an extra, and slow to import
    from vtkmodules.vtkCommonCore import vtkLogger

    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)  # it tells of each screen it tries
    lines = _field_lines(pyvista, space)
    plotter = pyvista.Plotter(off_screen=True, window_size=list(_SIZE))
    plotter.set_background("white")
    for body in _bodies(pyvista, space):
        plotter.add_mesh(body, color="#b8bcc4", opacity=0.55, smooth_shading=False)
    side = float((space.high - space.low).max())
    if lines.n_points:
        limit = float(np.quantile(np.abs(lines["potential"]), 0.98)) or 1.0
        plotter.add_mesh(
            lines.tube(radius=0.004 * side),
            scalars="potential",
            cmap="RdBu_r",
            clim=(-limit, limit),
            scalar_bar_args={"title": "potential [A]", "color": "#101214", "fmt": "%.2g"},
        )
    plotter.add_mesh(_box(pyvista, space), color="#808080", style="wireframe", line_width=1)
    plotter.show_axes()
    plotter.camera_position = "iso"
    pixels = plotter.screenshot(return_img=True)
    plotter.close()
    return _rendered(pixels), {
        **dict(zip("xyz", np.asarray(lines.points, np.float64).T.reshape(3, -1), strict=True)),
        "potential": np.asarray(lines["potential"] if lines.n_points else [], np.float64),
    }


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


def _field_lines(pyvista: Any, space: Space) -> Any:
    sides = space.high - space.low
    grid = pyvista.ImageData(
        dimensions=(_POINTS,) * 3, spacing=tuple(sides / (_POINTS - 1)), origin=tuple(space.low)
    )
    grid["potential"] = space.potential.astype(np.float64)
    grid["H"] = space.field.astype(np.float64)
    evenly = (0.5 + np.arange(_SEEDS)[:, None] * np.array(_EVENLY)) % 1.0
    seeds = pyvista.PolyData(space.low + sides * (0.1 + 0.8 * evenly))
    return grid.streamlines_from_source(
        seeds, vectors="H", integration_direction="both", max_length=float(1.5 * sides.max())
    )


def _bodies(pyvista: Any, space: Space) -> list[Any]:
    sources = space.block.sources[0, : space.block.num_sources[0]]
    sizes = body_size(space.columns, sources)
    dipole = _DIPOLE * float((space.high - space.low).max()) / 2
    found = []
    for row, size in zip(sources, sizes, strict=True):
        corners = vertices(space.columns, row)
        if corners is None:
            centre = tuple(float(part) for part in row[3:6])
            found.append(pyvista.Sphere(radius=float(size) or dipole, center=centre))
        else:
            found.append(pyvista.PolyData(corners).delaunay_3d().extract_surface())
    return found


def _box(pyvista: Any, space: Space) -> Any:
    ends = zip(space.low, space.high, strict=True)
    return pyvista.Box(bounds=[float(end) for pair in ends for end in pair])


def _rendered(pixels: np.ndarray) -> Rendered:
    """Pixels as a PNG, and as an SVG that embeds it."""
    file = io.BytesIO()
    Image.fromarray(pixels[..., :3]).quantize(192).save(file, "png", compress_level=9)
    (width, height), data = _SIZE, base64.b64encode(file.getvalue()).decode()
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
        f'<image width="{width}" height="{height}" href="data:image/png;base64,{data}"/></svg>'
    )
    return Rendered(svg, (float(width), float(height)), file.getvalue())
