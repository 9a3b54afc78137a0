"""A magnet that is cut into pieces has the field of the whole one at every point."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from magnets import BOXES, directions, frames, rows_of

from hypermagnetics.sources import SourceColumns, labels, magnetisation, superposition
from hypermagnetics.sources.geometry import rounding_unit

_CUTS, _WHOLES, _POINTS = 5, 6, 256
Interval = tuple[np.ndarray, np.ndarray]


def pieces_of(low: np.ndarray, high: np.ndarray, random: np.random.Generator) -> list[Interval]:
    """A block cut again and again, each time one piece across one axis, so that cuts meet in T."""
    pieces = [(low, high)]
    for _ in range(_CUTS):
        low, high = pieces.pop(random.integers(len(pieces)))
        axis = np.eye(len(low))[random.integers(len(low))]
        step = axis * (high - low) * random.choice([0.25, 0.3, 0.5])
        pieces += [(low, high - axis * (high - low) + step), (low + step, high)]
    return pieces


def points_of_the_cuts(pieces: list[Interval], high: np.ndarray) -> np.ndarray:
    """Corners of the pieces and middles of their edges and faces, off the edges of the whole."""
    found = np.concatenate(
        [
            list(itertools.product(*[(a, (a + b) / 2, b) for a, b in zip(*piece, strict=True)]))
            for piece in pieces
        ]
    )
    found = found[np.isclose(np.abs(found), high).sum(axis=1) < 2]
    return found[np.arange(_POINTS) % len(found)]


def magnets(
    kind: SourceColumns,
    pieces: list[Interval],
    magnetisation: np.ndarray,
    turn: dict[str, np.ndarray | float],
    centre: np.ndarray,
) -> np.ndarray:
    """Rows of pieces that are given in the frame of the whole."""
    low, high = (np.array(ends) for ends in zip(*pieces, strict=True))
    unturned = rows_of(kind, **turn)
    places = (low + high) / 2 @ frames(kind, unturned).T + centre
    volumes = np.prod(high - low, axis=-1, keepdims=True)
    return rows_of(
        kind, moment=magnetisation * volumes, position=places, dimension=high - low, **turn
    )


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("turned", [False, True], ids=["straight", "turned"])
@pytest.mark.parametrize("kind", BOXES.values(), ids=BOXES)
def test_pieces_have_field_and_magnetisation_of_the_whole(
    kind: SourceColumns, turned: bool, dtype: str
) -> None:
    """On all their faces, edges and corners, at places and sizes that are rounded."""
    random = np.random.default_rng(97)
    high = np.array([0.5, 0.35, 0.6])[: kind.dim]
    for _ in range(_WHOLES):
        turn = {"angle": random.uniform(-3, 3), "rotation": directions(random, 4)} if turned else {}
        centre, m = random.normal(size=(2, kind.dim))
        pieces = pieces_of(-high, high, random)
        local = points_of_the_cuts(pieces, high)
        points = local @ frames(kind, rows_of(kind, **turn)).T + centre
        cut, whole = (
            [
                jnp.asarray(array.astype(dtype))
                for array in (magnets(kind, parts, m, turn, centre), points)
            ]
            for parts in (pieces, [(-high, high)])
        )
        bound = 100 * rounding_unit(whole[0]) * np.linalg.norm(m)
        for of_pieces, of_whole in zip(
            (*superposition(kind, *cut), magnetisation(kind, *cut)),
            (*superposition(kind, *whole), magnetisation(kind, *whole)),
            strict=True,
        ):
            np.testing.assert_allclose(of_pieces, of_whole, atol=bound, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("spacing", [1.0, 0.1])
def test_labels_of_a_lattice_of_squares_are_those_of_one_square(spacing: float) -> None:
    """On a grid that meets faces and corners, also where float32 holds neither it nor the sites."""
    kind = BOXES["rectangle"]
    sites = spacing * np.array(list(itertools.product((-1, 0, 1), repeat=2)))
    grid = spacing * np.array(list(itertools.product(np.linspace(-2, 2, 17), repeat=2)))
    moment = spacing**2 * np.array([0.6, 0.8])
    lattice = rows_of(kind, moment=moment, position=sites, dimension=[spacing, spacing])
    square = rows_of(kind, moment=9 * moment, position=[[0, 0]], dimension=[3 * spacing] * 2)
    at_corner = np.isclose(np.abs(grid), 1.5 * spacing).all(axis=1)
    found, truth = (
        labels(kind, rows[None].astype(np.float32), np.array([len(rows)]), grid.astype(np.float32))[
            1
        ][0]
        for rows in (lattice, square)
    )
    np.testing.assert_allclose(found[~at_corner], truth[~at_corner], atol=2e-6)
    np.testing.assert_allclose(found[at_corner], truth[at_corner], atol=2e-5)
    assert at_corner.sum() == 4
