"""Points of evaluation from a file of a user."""

import codecs
import hashlib
import io
import tokenize
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from hypermagnetics.errors import RecipeError
from hypermagnetics.generate.config import MAX_POINTS, FileGrid

_MAX_BYTES = 1 << 31
_DAMAGED = (ValueError, MemoryError, EOFError, OverflowError, SyntaxError, tokenize.TokenError)
"""Errors of numpy about the content of a file; it reads the head of an .npy as Python."""


def read_points(grid: FileGrid, dim: int) -> tuple[Float32[np.ndarray, "points dim"], str]:
    """Read the points of a file.

    Args:
        grid: File and its required sha256, if known.
        dim: Space dimension.

    Returns:
        The points [m], and the sha256 of the file.

    Raises:
        RecipeError: If there is no such file, it has another sha256, or its rows are no points.
    """
    path = Path(grid.path)
    if not path.is_file() or path.suffix not in (".npy", ".csv", ".txt"):
        raise RecipeError(
            f"The points file must be an existing .npy, .csv or .txt file; got {grid.path!r} "
            f"(grid.path, from {Path.cwd()}). Check the path."
        )
    if path.stat().st_size > _MAX_BYTES:
        raise RecipeError(
            f"The points file must have at most {_MAX_BYTES} bytes; got {path.stat().st_size} "
            f"({grid.path}). Give fewer points."
        )
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if grid.sha256 not in (None, digest):
        raise RecipeError(
            f"The points file must have sha256 {grid.sha256}, as the recipe says; got {digest} "
            f"({grid.path}). Restore those points, or mend grid.sha256."
        )
    return _checked(_parse(content, path), dim, grid.path), digest


def _parse(content: bytes, path: Path) -> np.ndarray:
    file = io.BytesIO(content)
    try:
        if path.suffix == ".npy":
            values: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
            return values
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy warns of a file without rows
            delimiter = "," if path.suffix == ".csv" else None
            # Spreadsheets write a byte order mark.
            file = io.BytesIO(content.removeprefix(codecs.BOM_UTF8))
            return np.loadtxt(file, delimiter=delimiter, ndmin=2, encoding="utf-8")
    except _DAMAGED as error:
        reason = " ".join(str(error).split())[:200]
        raise RecipeError(
            f"The points file must be readable as {path.suffix} by numpy; got: {reason} ({path}). "
            "Write one point in each row, and nothing else."
        ) from error


def _checked(values: np.ndarray, dim: int, path: str) -> np.ndarray:
    if values.ndim != 2 or values.shape[1] != dim or not 1 <= len(values) <= MAX_POINTS:
        raise RecipeError(
            f"The points file must have 1 to {MAX_POINTS} rows of {dim} columns, as the sources "
            f"are in {dim} dimensions; got shape {values.shape} ({path}). Write one point in each "
            "row."
        )
    if values.dtype.kind not in "fiu":
        raise RecipeError(
            f"The points file must hold real numbers; got {values.dtype} ({path}). Write "
            "coordinates in metres."
        )
    with np.errstate(over="ignore"):  # the next lines name the value
        points = values.astype(np.float32)
    for row, column in np.argwhere(~np.isfinite(points))[:1]:
        raise RecipeError(
            f"A point must be finite, also in float32; got {values[row, column]} (row {row}, "
            f"column {column} of {path}). Mend that row."
        )
    return points
