"""Pictures of the report, as an SVG for the page and as a PNG."""

import base64
import io
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from hypermagnetics.pictures.style import plain_style

INK = "#101214"
"""The colour of text and axes; on the page it becomes the colour of the surrounding text."""

_DOTS_PER_INCH = 100
_UNITS_PER_INCH = 72

_SETTINGS: dict[str, object] = {
    "font.size": 10,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10.5,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "white",
    "axes.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "legend.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "svg.fonttype": "none",
    "image.composite_image": False,
}

_UNUSED_ID = re.compile(r'(?<=<g) id="[^"]*"| id="image[0-9a-f]+"')
_PATH = re.compile(r'(?<= d=")[^"]*')
_DECIMALS = re.compile(r"(\.\d\d)\d+")
_EMBEDDED = re.compile(r"data:image/png;base64,([^\"]*)")
_CRISP = re.compile(r' style="image-rendering:[^"]*"')
_HEADER = re.compile(r".*?(?=<svg )", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>\s*", re.DOTALL)
_STYLES = re.compile(r"<style type=\"text/css\">.*?</style>", re.DOTALL)


@dataclass(frozen=True)
class Rendered:
    """An image in both forms. Equal pictures have equal bytes."""

    svg: str
    """Drawn in currentColor, without a background; of a view in space, its picture on white."""
    size: tuple[float, float]
    """Width and height of the SVG, in its units."""
    png: bytes
    """On white."""


@dataclass(frozen=True)
class Picture:
    """A picture, with the numbers in it and its text."""

    figure: Figure | Rendered
    csv: str
    alt: str
    """Text alternative of the picture."""
    caption: str
    panels: int = 1
    """Number of parts of equal width, which a narrow page shows one below the other."""
    per_row: int | None = None
    """Number of them side by side on a wide page; None for all."""
    is_smooth: bool = False
    """Whether images show smooth values, which a viewer may interpolate."""


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, made without pyplot, which would keep it and need a screen.

    Args:
        width: [inch]
        height: [inch]

    Returns:
        The figure; draw in it inside `style()`.
    """
    figure = Figure(figsize=(width, height), dpi=_DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    return figure


def style(name: str = "") -> AbstractContextManager[None]:
    """The style of the report, as a context; ids inside an SVG depend on the name."""
    return plain_style({**_SETTINGS, "svg.hashsalt": name})


def rendered(picture: Picture, name: str) -> Rendered:
    """Render a picture, unless it is rendered already.

    Args:
        picture: The picture.
        name: Its name, which makes ids inside the SVG differ from those of others on a page.

    Returns:
        The image.
    """
    figure = picture.figure
    if isinstance(figure, Rendered):
        return figure
    png, svg = io.BytesIO(), io.BytesIO()
    images = [image for axes in figure.axes for image in axes.images if picture.is_smooth]
    with style(name):
        # A browser interpolates, and does it from the few pixels that there are.
        for image in images:
            image.set_interpolation("bilinear")
        figure.savefig(
            png, format="png", metadata={"Software": None}, pil_kwargs={"compress_level": 3}
        )
        for image in images:
            image.set_interpolation("none")
        figure.savefig(svg, format="svg", transparent=True, metadata={"Date": None})
    text = _slim(svg.getvalue().decode())
    text = _CRISP.sub("", text) if picture.is_smooth else text
    width, height = (float(side) * _UNITS_PER_INCH for side in figure.get_size_inches())
    return Rendered(text, (width, height), png.getvalue())


def svg_file(svg: str) -> str:
    """The text of a standalone SVG file: dark on white."""
    start = svg.index(">") + 1
    ground = '<rect width="100%" height="100%" fill="#ffffff"/>'
    dark = svg[:start] + ground + svg[start:]
    return '<?xml version="1.0" encoding="utf-8"?>\n' + dark.replace("currentColor", INK)


def _slim(svg: str) -> str:
    svg = _HEADER.sub("", svg, count=1)
    svg = _METADATA.sub("", svg)
    svg = _STYLES.sub("", svg)
    svg = _UNUSED_ID.sub("", svg)  # some are the same in every figure
    svg = _PATH.sub(lambda path: _DECIMALS.sub(r"\1", path[0]).replace("\n", ""), svg)
    svg = _EMBEDDED.sub(lambda image: _with_palette(image[1]), svg)
    return svg.replace(INK, "currentColor")


def _with_palette(encoded: str) -> str:
    """The same image with a palette, in a quarter of the bytes, as maps have few colours."""
    data = base64.b64decode(encoded.replace("\n", ""))
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
    codes = pixels.reshape(-1, 4).copy().view(np.uint32)[:, 0]
    colours, index = np.unique(codes, return_inverse=True)
    if len(colours) <= 256:
        image = Image.fromarray(index.reshape(pixels.shape[:2]).astype(np.uint8), "P")
        palette = colours[:, None].view(np.uint8)
        image.putpalette(palette[:, :3].tobytes())
        file = io.BytesIO()
        transparent = palette[:, 3].tobytes()
        image.save(file, "png", compress_level=6, transparency=transparent)
        data = file.getvalue()
    return "data:image/png;base64," + base64.b64encode(data).decode()
