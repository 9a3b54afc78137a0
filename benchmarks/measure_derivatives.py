"""Is -grad phi the field of a box everywhere, and are second derivatives those of the field?

Truth for -grad phi is the field itself, whose values are right to a few rounding units (see
measure_stability.py). Asked are random points around boxes of random rotation, and points on the
mid-planes of boxes that are turned by multiples of 5 degrees. Truth for second derivatives of the
field are central differences of first ones, beyond the end of an edge, on its line.

    python benchmarks/measure_derivatives.py
"""

from collections.abc import Callable
from functools import partial

import jax
import numpy as np

from hypermagnetics.sources import SourceColumns, superposition

POINTS = 300
OFF = 1e-3
"""A relative error beyond that is none of rounding, not even in float32."""
TURNS = ("rotation_w", "rotation_x", "rotation_y", "rotation_z")
SIDES = ("dimension_x", "dimension_y", "dimension_z")
BOXES = {
    "rectangle": SourceColumns.of("rectangle", varying=[*SIDES[:2], "angle"]),
    "cuboid": SourceColumns.of("cuboid", varying=[*SIDES, *TURNS]),
}
Function = Callable[[np.ndarray, np.ndarray], jax.Array]
Places = tuple[np.ndarray, np.ndarray]
"""Rows of a source table, and a point for each."""


def programs(columns: SourceColumns) -> tuple[Function, Function]:
    """Field and -grad phi of one box at one point."""

    def value(row: jax.Array, point: jax.Array) -> jax.Array:
        return superposition(columns, row[None], point[None])[1][0]

    def potential(row: jax.Array, point: jax.Array) -> jax.Array:
        return superposition(columns, row[None], point[None])[0][0]

    return jax.jit(value), jax.jit(lambda row, point: -jax.grad(potential, 1)(row, point))


def row_of(moment: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """A box at the origin, of sides 1, 0.7 and 0.6 m."""
    dim = len(moment)
    return np.concatenate([moment, np.zeros(dim), [1.0, 0.7, 0.6][:dim], turn])


def random_places(dim: int) -> Places:
    """Any rotation, any point within two metres."""
    random = np.random.default_rng(0)
    turns = random.normal(size=(POINTS, 4)) if dim == 3 else random.uniform(-3, 3, (POINTS, 1))
    turns /= np.linalg.norm(turns, axis=1, keepdims=True) if dim == 3 else 1
    rows = [row_of(random.normal(size=dim), turn) for turn in turns]
    return np.array(rows), random.uniform(-2, 2, (POINTS, dim))


def mid_plane_places(dim: int) -> Places:
    """Turned in the plane of x and y; points where x or y is zero in the frame of the box."""
    rows, points = [], []
    for angle in np.deg2rad(np.arange(0, 360, 5)):
        half = angle / 2
        turn = [np.cos(half), 0, 0, np.sin(half)] if dim == 3 else [angle]
        cosine, sine = np.cos(angle), np.sin(angle)
        for x, y in [(z, 0) for z in (1, 1.5, 2, 3)] + [(0, z) for z in (1, 1.5, 2, 3)]:
            rows.append(row_of(np.array([1.0, 0.3, 0.5][:dim]), np.array(turn)))
            points.append([cosine * x - sine * y, sine * x + cosine * y, 0.4][:dim])
    return np.array(rows), np.array(points)


def errors(value: Function, slope: Function, places: Places, dtype: str) -> np.ndarray:
    """Relative errors of -grad phi."""
    found = []
    for row, point in zip(*(array.astype(dtype) for array in places), strict=True):
        field = np.asarray(value(row, point), np.float64)
        found.append(np.linalg.norm(slope(row, point) - field) / np.linalg.norm(field))
    return np.array(found)


def second_derivatives() -> list[float]:
    """Relative errors of the second derivatives of H along each axis, beyond the end of edges."""
    columns = SourceColumns.of("cuboid", varying=SIDES)

    def value(row: jax.Array, point: jax.Array) -> jax.Array:
        return superposition(columns, row[None], point[None])[1][0]

    def along(function: Function, row: jax.Array, point: jax.Array, axis: jax.Array) -> jax.Array:
        return jax.jvp(partial(function, row), (point,), (axis,))[1]

    first = jax.jit(partial(along, value))
    second = jax.jit(
        lambda row, point, axis: along(lambda r, p: along(value, r, p, axis), row, point, axis)
    )
    found = []
    for sides in ([1.0, 0.7, 0.6], [1.0, 1e-3, 1e-3]):
        row, step = np.array([0.3, 0.5, 1.0, 0, 0, 0, *sides]), 1e-4 * min(sides)
        for edge in range(3):
            point = np.array(sides) / 2 * np.where(np.arange(3) == edge, 3, 1)
            for axis in np.eye(3):
                ends = [np.asarray(first(row, point + s * step * axis, axis)) for s in (-1, 1)]
                true = (ends[1] - ends[0]) / (2 * step)
                error = np.linalg.norm(second(row, point, axis) - true) / np.linalg.norm(true)
                found.append(float(error))
    return found


def main() -> None:
    """Print a row for each body and float."""
    print("| body | float | random points, median / worst | mid-planes, wrong / worst |")
    print("|---|---|--:|--:|")
    for dtype in ("float32", "float64"):
        with jax.enable_x64(dtype == "float64"):
            for body, columns in BOXES.items():
                value, slope = programs(columns)
                anywhere = errors(value, slope, random_places(columns.dim), dtype)
                middle = errors(value, slope, mid_plane_places(columns.dim), dtype)
                wrong = f"{np.sum(middle > OFF)} of {len(middle)} / {middle.max():.2g}"
                print(
                    f"| {body} | {dtype} | {np.median(anywhere):.1g} / {anywhere.max():.1g} "
                    f"| {wrong} |",
                    flush=True,
                )
    with jax.enable_x64(True):
        found = second_derivatives()
    wrong = [error for error in found if error > OFF]
    print(
        f"second derivatives of H beyond the end of an edge: {len(wrong)} of {len(found)} wrong, "
        f"by up to {max(found):.1%}"
    )


if __name__ == "__main__":
    main()
