"""The room that bodies take, row by row of a source table; by numpy, in float64."""

from collections.abc import Mapping
from typing import assert_never

import numpy as np
from jaxtyping import Bool, Float, Float64

from hypermagnetics.table import BODIES, QUATERNION, BodyName, SourceColumns, form_of

Rows = Float[np.ndarray, "rows columns"]
"""Rows of a source table, of one sample or of several."""

Shape = Mapping[str, Float64[np.ndarray, " rows"]]
"""Sizes [m] and rotation of each row, by the names of their columns."""


def by_body(columns: SourceColumns, rows: Rows) -> list[tuple[BodyName, Bool[np.ndarray, " rows"]]]:
    """Each body that occurs, and which rows are one."""
    if not columns.has("body"):
        return [(columns.bodies[0], np.ones(len(rows), bool))]
    codes = rows[:, columns.index("body")]
    return [(body, codes == BODIES.index(body)) for body in columns.bodies]


def shape_of(columns: SourceColumns, rows: Rows) -> Shape:
    """Sizes and rotation of each row, whether they have a column or are shared by all rows."""
    shared = {name: np.full(len(rows), value) for name, value in columns.constants}
    first = 2 * columns.dim
    own = dict(zip(columns.names[first:], rows[:, first:].astype(np.float64).T, strict=True))
    return shared | own


def sides(shape: Shape) -> Float64[np.ndarray, "rows dim"]:
    """Full sides of boxes [m]."""
    names = ("dimension_x", "dimension_y", "dimension_z")
    return np.stack([shape[name] for name in names if name in shape], axis=-1)


def axes(shape: Shape) -> Float64[np.ndarray, "rows edges dim"]:
    """Unit vectors along the edges of boxes, as in `hypermagnetics.sources.box`."""
    if "angle" in shape:
        cosine, sine = np.cos(shape["angle"]), np.sin(shape["angle"])
        return np.stack([np.stack([cosine, sine], -1), np.stack([-sine, cosine], -1)], -2)
    quaternion = np.stack([shape[name] for name in QUATERNION])
    w, x, y, z = quaternion / np.linalg.norm(quaternion, axis=0)
    along_x = (1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y))
    along_y = (2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x))
    along_z = (2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y))
    return np.stack([np.stack(axis, -1) for axis in (along_x, along_y, along_z)], -2)


def outer_radii(columns: SourceColumns, rows: Rows) -> Float64[np.ndarray, " rows"]:
    """Radius of the smallest circle or sphere around the body of each row [m]."""
    radii = np.zeros(len(rows))
    for body, own in by_body(columns, rows):
        shape = shape_of(columns, rows[own])
        match form_of(body):
            case "point":
                pass
            case "ball":
                radii[own] = shape["radius"]
            case "box":
                radii[own] = 0.5 * np.linalg.norm(sides(shape), axis=-1)
            case form:
                assert_never(form)
    return radii


def volumes(columns: SourceColumns, rows: Rows) -> Float64[np.ndarray, " rows"]:
    """Volume of the body of each row [m³], in two dimensions its area [m²]."""
    found = np.zeros(len(rows))
    for body, own in by_body(columns, rows):
        shape = shape_of(columns, rows[own])
        match body:
            case "dipole":
                pass
            case "disc":
                found[own] = np.pi * shape["radius"] ** 2
            case "sphere":
                found[own] = 4 / 3 * np.pi * shape["radius"] ** 3
            case "rectangle" | "cuboid":
                found[own] = sides(shape).prod(axis=-1)
            case _:
                assert_never(body)
    return found
