"""Regions on the device: the definition of bodies, mixed, turned and padded."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from magnets import rows_of

from hypermagnetics.sources import (
    BODIES,
    NEAR,
    REGIONS,
    SourceColumns,
    body_size,
    region_codes,
    signed_distance,
)
from hypermagnetics.table import SHAPES, BodyName

MIXTURES: dict[int, tuple[BodyName, ...]] = {
    2: ("dipole", "disc", "rectangle"),
    3: ("dipole", "sphere", "cuboid"),
}


def mixture(dim: int) -> SourceColumns:
    """All bodies of a dimension, each with its own size and rotation."""
    varying = {name for body in MIXTURES[dim] for name in SHAPES[body]}
    return SourceColumns.of(*MIXTURES[dim], dim=dim, varying=varying)


def tables(columns: SourceColumns, random: np.random.Generator) -> np.ndarray:
    """Two blocks of three samples of four bodies each, and two rows of padding between."""
    shape = (2, 3, 6)
    bodies = random.choice([BODIES.index(body) for body in columns.bodies], shape)
    rotation = random.normal(size=(*shape, 4))
    rows = rows_of(
        columns,
        moment=random.normal(size=(*shape, columns.dim)),
        position=random.normal(size=(*shape, columns.dim)),
        radius=random.uniform(0.3, 1.0, shape),
        dimension=random.uniform(0.3, 2.0, (*shape, columns.dim)),
        angle=random.uniform(-3, 3, shape),
        rotation=rotation / np.linalg.norm(rotation, axis=-1, keepdims=True),
        body=bodies,
    )
    for code, body in ((BODIES.index(body), body) for body in columns.bodies):
        unused = [name not in SHAPES[body] for name in columns.names[2 * columns.dim : -1]]
        part = rows[bodies == code]
        part[:, 2 * columns.dim : -1][:, unused] = 0
        rows[bodies == code] = part
    rows[:, :, [2, 5]] = 0
    return rows


@pytest.mark.parametrize("dim", [2, 3])
def test_codes_are_those_of_distances_one_by_one(dim: int) -> None:
    """A slow loop over the sources and points of each sample, by `signed_distance`."""
    columns, random = mixture(dim), np.random.default_rng(dim)
    sources, points = tables(columns, random), random.uniform(-2, 2, (2, 60, dim))
    found = jax.jit(region_codes, static_argnums=0)(
        columns, jnp.asarray(sources), jnp.asarray(points)
    )
    assert found.shape == (2, 3, 60)
    for b, s in np.ndindex(2, 3):
        table = sources[b, s][sources[b, s, :, 0] != 0]
        gaps, sizes = signed_distance(columns, table, points[b]), body_size(columns, table)
        for p in range(60):
            inside = any(gap <= 0 for gap in gaps[:, p])
            near = any(gap <= NEAR * size for gap, size in zip(gaps[:, p], sizes, strict=True))
            expected = "inside" if inside else "near" if near else "beyond"
            assert REGIONS[int(found[b, s, p])] == expected
    assert len(np.unique(found)) == 3


def test_sizes_that_all_rows_share_and_single_precision() -> None:
    """Discs of a constant radius; the surface belongs to the inside, padding is no disc."""
    columns = SourceColumns.of("disc", constants={"radius": 2.0})
    sources = jnp.array([[[[1, 0, 0, 0], [0, 0, 5, 0]]]], jnp.float32)
    points = jnp.array([[[0, 0], [2, 0], [2.01, 0], [0, -3], [0, -3.01], [5, 0]]], jnp.float32)
    codes = region_codes(columns, sources, points)
    assert codes.dtype == jnp.uint8
    names = [REGIONS[int(code)] for code in codes[0, 0]]
    assert names == ["inside", "inside", "near", "near", "beyond", "beyond"]
