"""Symmetries of a lattice: maps turn as their sources do, and all of the group is drawn."""

from itertools import permutations

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from hypermagnetics.grids import regular_grid
from hypermagnetics.models import MapFrame
from hypermagnetics.models.map_arrays import SourceMaps
from hypermagnetics.sources import SourceColumns, superposition
from hypermagnetics.train.maps.lattice import LatticeSymmetry, drawn, mapped

BOTH: tuple[LatticeSymmetry, ...] = ("quarter-turn", "reflection")
SIZES = {
    ((), 2): 1,
    (("reflection",), 2): 4,
    (("quarter-turn",), 2): 4,
    (BOTH, 2): 8,
    (("reflection",), 3): 8,
    (("quarter-turn",), 3): 24,
    (BOTH, 3): 48,
}


def matrix_of(order: int, flips: np.ndarray) -> np.ndarray:
    """The orthogonal map: new axis a is the old one order[a], reflected if flipped."""
    dim = len(flips)
    axes = list(permutations(range(dim)))[order]
    return np.diag(np.where(flips, -1.0, 1.0)) @ np.eye(dim)[list(axes)]


@pytest.mark.slow_cases
@pytest.mark.parametrize(("names", "dim"), [key for key in SIZES if key[0]])
def test_the_group_is_drawn_evenly(names: tuple[LatticeSymmetry, ...], dim: int) -> None:
    """Every element, about as often as all others; quarter turns alone are rotations."""
    keys = jr.split(jr.key(0), 4800)
    orders, flips = jax.vmap(lambda key: drawn(names, dim, key))(keys)
    found: dict[bytes, int] = {}
    for order, flip in zip(np.asarray(orders), np.asarray(flips), strict=True):
        matrix = matrix_of(int(order), flip)
        found[matrix.tobytes()] = found.get(matrix.tobytes(), 0) + 1
        if names == ("quarter-turn",):
            np.testing.assert_allclose(np.linalg.det(matrix), 1)
        if names == ("reflection",):
            np.testing.assert_array_equal(matrix, np.diag(np.diag(matrix)))
    assert len(found) == SIZES[names, dim]
    assert min(found.values()) > 0.5 * len(keys) / len(found)


@pytest.mark.slow
@pytest.mark.parametrize("dim", [2, 3])
def test_maps_are_those_of_the_sources_that_were_turned(dim: int) -> None:
    """Raster, potential and field, of every element of the group, by the exact sums."""
    body, side, random = ("disc" if dim == 2 else "sphere"), 6, np.random.default_rng(0)
    columns = SourceColumns.of(body, constants={"radius": 0.4})
    frame = MapFrame(
        inputs=("magnetisation", "potential"),
        targets=("field",),
        dim=dim,
        core=(side,) * dim,
        spacing=0.4,
        subpoints=2,
    )
    maps = SourceMaps(frame, columns, 0.4)
    points = regular_grid(1.0, side, dim)
    sources = np.concatenate(
        [random.normal(size=(2, dim)), random.uniform(-0.6, 0.6, (2, dim))], axis=1
    )

    @jax.jit
    def of(table: jax.Array) -> tuple[jax.Array, jax.Array]:
        potential, field = superposition(columns, table, points)
        return tuple(maps.of_block(table[None], points, potential[None], field[None]))

    before = of(jnp.asarray(sources))
    read = (slice(0, dim), True), (slice(dim, dim + 1), False)
    given = ((slice(0, dim), True),)
    for order in range(2 if dim == 2 else 6):
        for bits in range(0, 2**dim, 1 if dim == 2 else 3):
            flips = np.array([bool(bits >> axis & 1) for axis in range(dim)])
            matrix = matrix_of(order, flips)
            turned = sources.reshape(-1, 2, dim) @ matrix.T
            after = of(jnp.asarray(turned.reshape(-1, 2 * dim)))
            for values, wanted, vectors in zip(before, after, (read, given), strict=True):
                found = mapped(values, vectors, jnp.asarray(order), jnp.asarray(flips))
                np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-10)
