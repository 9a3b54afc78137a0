"""Points of evaluation that a user gives one by one, in a file or in the recipe itself."""

import codecs
import hashlib
import io
import tokenize
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from hypermagnetics.errors import RecipeError
from hypermagnetics.generate.config import MAX_POINTS, FileGrid, GivenGrid, ListGrid

_MAX_BYTES = 1 << 31
_DAMAGED = (ValueError, MemoryError, EOFError, OverflowError, SyntaxError, tokenize.TokenError)
"""Errors of numpy about the content of a file; it reads the head of an .npy as Python."""


class GivenPoints(NamedTuple):
    """Points, and the grid as the manifest knows it."""

    points: Float32[np.ndarray, "points dim"]
    """Points [m]."""
    grid: GivenGrid
    """The grid; of a file with its sha256."""


def given_points(grid: GivenGrid, dim: int) -> GivenPoints:
    """Read the points of a grid.

    Args:
        grid: A list, or a file and its required sha256, if known.
        dim: Space dimension.

    Returns:
        The points and the grid.

    Raises:
        RecipeError: If there is no such file, it has another sha256, or its rows are no points; or
            if a row of the list has another number of coordinates or one beyond float32.
    """
    if isinstance(grid, ListGrid):
        return GivenPoints(_in_float32(_listed(grid, dim), "grid.points"), grid)
    values, digest = _read(grid)
    points = _in_float32(_checked(values, dim, grid.path), grid.path)
    return GivenPoints(points, grid.model_copy(update={"sha256": digest}))


def _listed(grid: ListGrid, dim: int) -> np.ndarray:
    for row, point in enumerate(grid.points):
        if len(point) != dim:
            raise RecipeError(
                f"A point must have {dim} coordinates, as the sources are in {dim} dimensions; got "
                f"{list(point)} (row {row} of grid.points). Give one number for each axis."
            )
    return np.asarray(grid.points, np.float64)


def _read(grid: FileGrid) -> tuple[np.ndarray, str]:
    """The rows of a file, and its sha256."""
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
    return _parse(content, path), digest


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
    return values


def _in_float32(values: np.ndarray, where: str) -> np.ndarray:
    with np.errstate(over="ignore"):  # the next lines name the value
        points = values.astype(np.float32)
    for row, column in np.argwhere(~np.isfinite(points))[:1]:
        raise RecipeError(
            f"A point must be finite, also in float32; got {values[row, column]} (row {row}, "
            f"column {column} of {where}). Mend that row."
        )
    return points
