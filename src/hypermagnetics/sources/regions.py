"""Where points lie among bodies: inside one, near one, or beyond; on the device."""

from typing import Literal, assert_never, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, UInt8

from hypermagnetics.sources.box import Axes, axes_of_shape
from hypermagnetics.sources.values import Components, Scalars, dot
from hypermagnetics.table import BODIES, SHAPES, BodyName, SourceColumns, source_rows

RegionName = Literal["inside", "near", "beyond"]
REGIONS: tuple[RegionName, ...] = get_args(RegionName)
"""Names of the regions, in the order of their codes."""

NEAR = 0.5
"""A point is near a body when it is within this many sizes of its surface."""


def region_codes(
    columns: SourceColumns,
    sources: Float[Array, "blocks samples sources columns"],
    points: Float[Array, "blocks points dim"],
) -> UInt8[Array, "blocks samples points"]:
    """The region of each point, from its distances to the surfaces of the bodies of its sample.

    Inside: in a body or on its surface. Near: outside all, and at most half the size of a body from
    its surface, the size being the radius, half the shortest side of a box, or 0 for a dipole.
    Beyond: anything else. Distances are those of `signed_distance`, in the type of the arrays.

    Args:
        columns: What the columns of `sources` are.
        sources: Source tables; rows of no moment are padding.
        points: Points of the blocks [m].

    Returns:
        Indices into `REGIONS`. One source of all samples is looked at after another, so no array is
        larger than this one.
    """
    dim, beyond = columns.dim, REGIONS.index("beyond")
    where = [points[:, None, :, axis] for axis in range(dim)]

    def nearer(
        codes: UInt8[Array, "blocks samples points"], rows: Float[Array, "blocks samples columns"]
    ) -> tuple[UInt8[Array, "blocks samples points"], None]:
        offset = [axis - rows[:, :, dim + i, None] for i, axis in enumerate(where)]
        is_source = source_rows(rows, dim)[..., None]
        for body in columns.bodies:
            is_body = is_source
            if columns.has("body"):
                is_body &= rows[:, :, columns.index("body"), None] == BODIES.index(body)
            shape = {name: _value(columns, rows, name, is_body) for name in SHAPES[body]}
            gap, size = _gap_and_size(body, shape, offset)
            code = (gap > 0).astype(jnp.uint8) + (gap > NEAR * size).astype(jnp.uint8)
            codes = jnp.minimum(codes, jnp.where(is_body, code, beyond).astype(jnp.uint8))
        return codes, None

    shape = (*sources.shape[:2], points.shape[1])
    codes: UInt8[Array, "blocks samples points"]
    codes, _ = jax.lax.scan(nearer, jnp.full(shape, beyond, jnp.uint8), jnp.moveaxis(sources, 2, 0))
    return codes


def _value(
    columns: SourceColumns,
    rows: Float[Array, "blocks samples columns"],
    name: str,
    is_body: Bool[Array, "blocks samples 1"],
) -> Scalars:
    """A size or a rotation; 1 where a row is another body, so that nothing is divided by zero."""
    if columns.has(name):
        return jnp.where(is_body, rows[:, :, columns.index(name), None], 1)
    return columns.constant(name)


def _gap_and_size(
    body: BodyName, shape: dict[str, Scalars], offset: Components
) -> tuple[Float[Array, "blocks samples points"], Scalars]:
    """Signed distance from the surface, and radius of the largest ball inside the body [m]."""
    match body:
        case "dipole":
            return jnp.sqrt(dot(offset, offset)), 0.0
        case "disc" | "sphere":
            return jnp.sqrt(dot(offset, offset)) - shape["radius"], shape["radius"]
        case "rectangle" | "cuboid":
            return _gap_and_size_of_box(axes_of_shape(shape), shape, offset)
        case _:
            assert_never(body)


def _gap_and_size_of_box(
    axes: Axes, shape: dict[str, Scalars], offset: Components
) -> tuple[Float[Array, "blocks samples points"], Scalars]:
    sides = [
        jnp.asarray(shape[name])
        for name in ("dimension_x", "dimension_y", "dimension_z")
        if name in shape
    ]
    past = [jnp.abs(dot(along, offset)) - side / 2 for along, side in zip(axes, sides, strict=True)]
    outside = [jnp.maximum(part, 0) for part in past]
    farthest, shortest = past[0], sides[0]
    for part, side in zip(past[1:], sides[1:], strict=True):
        farthest, shortest = jnp.maximum(farthest, part), jnp.minimum(shortest, side)
    return jnp.where(farthest > 0, jnp.sqrt(dot(outside, outside)), farthest), shortest / 2
