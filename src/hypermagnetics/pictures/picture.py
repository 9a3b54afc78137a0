"""Picture for a notebook."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from hypermagnetics.data import Block
from hypermagnetics.pictures.drawing import DrawnModel, draw_sample
from hypermagnetics.pictures.figure import png_of
from hypermagnetics.sources import SourceColumns, body_size

_MARGIN = 3.0
"""Distance from the sources to the edge of a picture, in sizes of the largest body."""


@dataclass(frozen=True)
class Picture:
    """A picture as a PNG file."""

    png: bytes

    def _repr_png_(self) -> bytes:
        """Bytes of the PNG file, shown by a notebook."""
        return self.png

    def __repr__(self) -> str:
        """The size of the file."""
        return f"Picture({len(self.png)} bytes of PNG); shown in a notebook, else save(path)"

    def save(self, path: str | Path) -> None:
        """Write the file."""
        Path(path).write_bytes(self.png)


def picture_of(
    model: DrawnModel,
    columns: SourceColumns,
    sources: Float[np.ndarray, "sources columns"],
    box: Float[np.ndarray, "2 dim"] | None = None,
) -> Picture:
    """Exact and predicted potential of one configuration in a plane, and their difference.

    Args:
        model: The model.
        columns: Columns of `sources`.
        sources: The source table.
        box: Lowest and highest corner of the picture [m]; around the sources if None.

    Returns:
        The picture; in three dimensions of the plane of constant z through the source nearest to
        the middle of all.
    """
    dim = columns.dim
    if box is None:
        centres = sources[:, dim : 2 * dim]
        margin = _MARGIN * (body_size(columns, sources).max() or np.ptp(centres) or 1.0)
        box = np.stack([centres.min(axis=0) - margin, centres.max(axis=0) + margin])
    block = Block(
        sources=sources[None].astype(np.float32),
        num_sources=np.array([len(sources)], np.int32),
        grid=box.astype(np.float32),
        potential=np.zeros((1, 2), np.float32),
        field=np.zeros((1, 2, dim), np.float32),
    )
    drawing = draw_sample(model, columns, block)
    error = drawing.potential - drawing.true_potential
    size = np.linalg.norm(drawing.true_potential)
    relative = f"{100 * np.linalg.norm(error) / size:.3g} %" if size else "undefined"
    title = f"{type(model).__name__}, {len(sources)} sources: relative L2 error of φ {relative}"
    return Picture(png_of(drawing, title))
