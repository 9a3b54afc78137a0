"""A picture of a sample in space: bodies, and field lines coloured by potential."""

import base64
import io
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image

from hypermagnetics.child_processes import child_pool
from hypermagnetics.data import Block
from hypermagnetics.sources import SourceColumns, body_size, vertices

EXTRA = "view3d"
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


def is_installed() -> bool:
    """Whether the extra is installed."""
    return find_spec("pyvista") is not None


def grid_points(
    low: Float[np.ndarray, "3"], high: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "points 3"]:
    """The points of the grid of a `Space` [m]."""
    axes = (np.linspace(*ends, _POINTS) for ends in zip(low, high, strict=True))
    z, y, x = np.meshgrid(*reversed(list(axes)), indexing="ij")
    return np.stack([x, y, z], axis=-1).reshape(-1, 3).astype(np.float32)


def picture_apart(space: Space) -> tuple[bytes, dict[str, np.ndarray]] | None:
    """Draw a `picture` in a separate process; None if that process has died.

    VTK ends the process it is in where it finds nothing to draw with, as without libEGL.
    """
    with child_pool(1) as submit:
        try:
            return submit(partial(picture, space)).result()
        except BrokenProcessPool:
            return None


def picture(space: Space) -> tuple[bytes, dict[str, np.ndarray]]:
    """Draw bodies in grey, and field lines of H coloured by the potential.

    Args:
        space: Values to draw, all of them finite.

    Returns:
        A PNG file, and the points of the field lines with their potentials, by column.
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
    return _png(pixels), {
        **dict(zip("xyz", np.asarray(lines.points, np.float64).T.reshape(3, -1), strict=True)),
        "potential": np.asarray(lines["potential"] if lines.n_points else [], np.float64),
    }


def as_svg(png: bytes) -> str:
    """An SVG that embeds the picture as PNG."""
    width, height = _SIZE
    data = base64.b64encode(png).decode()
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
        f'<image width="{width}" height="{height}" href="data:image/png;base64,{data}"/></svg>'
    )


def svg_size() -> tuple[float, float]:
    """Width and height of the SVG, in its units."""
    return float(_SIZE[0]), float(_SIZE[1])


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


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels[..., :3]).quantize(192).save(file, "png", compress_level=9)
    return file.getvalue()
