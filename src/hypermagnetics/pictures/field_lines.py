"""Field lines of a vector field on a regular grid, evenly spread over it."""

import numpy as np
from jaxtyping import Bool, Complex128, Float, Float64

_STEP = 1.0
"""Step of a trace, in cells of the grid."""
_SEEDS = 17
"""Number of seeds along each side; most are skipped, as a line passes near them."""
_CELLS = 26
"""Number of cells along each side; a line ends before a cell that another line passes."""
_SHORTEST, _LONGEST = 0.12, 1.2
"""Least length of a line, and largest of each way from a seed, in sides of the grid."""
_EVENLY = (0.7548776662466927, 0.5698402909980532)
"""1/g and 1/g² with g³ = g + 1: multiples of them fill a square evenly (Roberts 2018, R2)."""


def field_lines(
    field: Float[np.ndarray, "down right 2"],
) -> list[Float64[np.ndarray, "_ 2"]]:
    """Field lines from seeds, traced in both directions.

    A line ends at the border, where the field is zero or not finite, where it would turn back, as
    at a surface charge that lines end on, and where it comes near another line.

    Args:
        field: Components to the right and upwards, on points with equal distances.

    Returns:
        Points of the lines along the field, in units of the sides: from (0, 0) to (1, 1). Equal
        fields give equal lines.
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        direction = field[..., 0] + 1j * field[..., 1].astype(np.float64)
        direction /= np.abs(direction)
    down, right = direction.shape
    columns, rows = _seeds(_SEEDS**2) * (right - 1.0), _seeds(_SEEDS**2) * (down - 1.0)
    seeds = columns[:, 0] + 1j * rows[:, 1]
    ways = _trace(direction, np.concatenate([seeds, seeds]), np.repeat([1.0, -1.0], seeds.size))
    forward, backward = ways[:, : seeds.size], ways[:, seeds.size :]
    whole = np.concatenate([backward[:0:-1], forward]).T
    sides = np.stack([whole.real / (right - 1), whole.imag / (down - 1)], axis=-1)
    return _spread(sides, middle=len(ways) - 1)


def _seeds(count: int) -> Float64[np.ndarray, "seeds 2"]:
    """Points that fill the unit square evenly, for any number of them."""
    seeds: np.ndarray = (0.5 + np.arange(count)[:, None] * np.array(_EVENLY)) % 1.0
    return seeds


def _trace(
    direction: Complex128[np.ndarray, "down right"],
    start: Complex128[np.ndarray, " lines"],
    signs: Float64[np.ndarray, " lines"],
) -> Complex128[np.ndarray, "steps lines"]:
    """Trace unit vectors x + iy by the midpoint rule, all lines at once; NaN after the end."""
    down, right = direction.shape
    steps = int(_LONGEST * max(down, right) / _STEP)
    found = np.full((steps + 1, start.size), complex(np.nan, np.nan))
    found[0] = start
    place, before, going, ways = start, np.zeros_like(start), np.arange(start.size), signs * _STEP
    for step in range(1, steps + 1):
        first = ways * _interpolated(direction, place)
        move = ways * _interpolated(direction, place + first / 2)
        place = place + move
        inside = (place.real >= 0) & (place.real <= right - 1)
        inside &= (place.imag >= 0) & (place.imag <= down - 1)
        # NaN compares false: a line ends where the field has no direction. It also ends where it
        # would turn back, between two steps or within one.
        kept = inside & ((move * before.conj()).real >= 0) & ((move * first.conj()).real > 0)
        place, before, going, ways = place[kept], move[kept], going[kept], ways[kept]
        if not going.size:
            break
        found[step, going] = place
    return found


def _interpolated(
    direction: Complex128[np.ndarray, "down right"], place: Complex128[np.ndarray, " lines"]
) -> Complex128[np.ndarray, " lines"]:
    """Interpolate bilinearly; beyond the border as on it."""
    down, right = direction.shape
    # Half a step along no direction leads nowhere; its line ends anyway.
    place = np.where(np.isnan(place), 0, place)
    x, y = np.clip(place.real, 0, right - 1.001), np.clip(place.imag, 0, down - 1.001)
    column, row = x.astype(np.int64), y.astype(np.int64)
    x, y = x - column, y - row
    values, corner = direction.ravel(), row * right + column
    below = (1 - x) * values[corner] + x * values[corner + 1]
    above = (1 - x) * values[corner + right] + x * values[corner + right + 1]
    mean: np.ndarray = (1 - y) * below + y * above
    return mean


def _spread(
    whole: Float64[np.ndarray, "lines points 2"], middle: int
) -> list[Float64[np.ndarray, "_ 2"]]:
    """Select lines, and pieces of lines around their seeds, that keep apart from one another."""
    taken = np.zeros((_CELLS, _CELLS), bool)
    missing = np.isnan(whole[..., 0])
    cells = np.minimum(np.where(missing[..., None], 0, whole) * _CELLS, _CELLS - 1).astype(int)
    kept = []
    for line, (column, row), absent in zip(whole, cells.swapaxes(1, 2), missing, strict=True):
        if absent[middle] or taken[row[middle], column[middle]]:
            continue
        blocked = absent | taken[row, column]
        first, last = _free(blocked, middle)
        piece = line[first:last]
        if np.linalg.norm(np.diff(piece, axis=0), axis=1).sum() < _SHORTEST:
            continue
        taken[row[first:last], column[first:last]] = True
        kept.append(piece)
    return kept


def _free(blocked: Bool[np.ndarray, " points"], middle: int) -> tuple[int, int]:
    """Longest range around the middle without blocked points, as first and stop."""
    after, before = blocked[middle:], blocked[middle::-1]
    stop = middle + (int(after.argmax()) if after.any() else len(after))
    first = middle - (int(before.argmax()) if before.any() else len(before)) + 1
    return first, stop
