"""Packing: nothing overlaps, nothing sticks out, and what is impossible is given up."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, minimize

from hypermagnetics.sources import uniforms
from hypermagnetics.sources.distributions import Packed
from hypermagnetics.sources.packing import CANDIDATES, Packing, _gaps, _Outlines, pack


def draw(first: int, dim: int, part: slice, number: int, count: int = 10**6) -> np.ndarray:
    """Numbers of samples first, first + 1, ...; those of a sample never depend on the others."""
    rows = range(count)[part]
    item, size = (number << 40) + first + rows.start, CANDIDATES * dim
    return uniforms(0, "a", "packing", item, len(rows), size).reshape(len(rows), CANDIDATES, dim)


def packing(
    radii: np.ndarray, num_sources: np.ndarray, dim: int, packed: Packed, first: int = 0
) -> Packing:
    drawn = partial(draw, first, dim, count=len(radii))
    return pack(radii, num_sources, dim, packed, drawn)


def boxed(half_width: float, min_gap: float = 0.0, attempts: int = 20) -> Packed:
    return Packed(distribution="packed", half_width=half_width, min_gap=min_gap, attempts=attempts)


def assert_apart(places: np.ndarray, radii: np.ndarray, box: Packed) -> None:
    """Every pair, and every wall, in the precision of the arrays."""
    for i in range(len(places)):
        assert np.abs(places[i]).max() + radii[i] <= box.half_width
        for j in range(i):
            distance = np.sqrt(np.square(places[i] - places[j]).sum())
            assert distance - radii[i] - radii[j] >= box.min_gap


@settings(max_examples=40)
@given(
    dim=st.sampled_from([2, 3]),
    gap=st.floats(0, 0.1),
    scale=st.sampled_from([1e-6, 1.0, 1e6]),
    seed=st.integers(0, 2**32),
)
def test_bodies_are_apart(dim: int, gap: float, scale: float, seed: int) -> None:
    """By the gap at least, also when all is computed in float32, and inside the box."""
    generator = np.random.default_rng(seed)
    radii = (scale * generator.uniform(0, 0.2, (3, 8))).astype(np.float32).astype(np.float64)
    counts = generator.integers(1, 9, 3)
    box = boxed(scale, gap * scale)
    positions, placed = packing(radii, counts, dim, box, seed)
    np.testing.assert_array_equal(placed, np.arange(8) < counts[:, None])
    for places, sizes, count in zip(positions, radii, counts, strict=True):
        assert_apart(places[:count].astype(np.float64), sizes[:count], box)
        assert_apart(
            places[:count],
            sizes[:count].astype(np.float32),
            box.model_copy(
                update={"min_gap": np.float32(box.min_gap), "half_width": np.float32(scale)}
            ),
        )
        assert not places[count:].any()


def test_a_sample_is_packed_alone() -> None:
    """Which others are packed with it, and how many rows are padding, changes nothing."""
    generator = np.random.default_rng(0)
    radii, counts = generator.uniform(0.05, 0.2, (40, 20)), generator.integers(1, 21, 40)
    box = boxed(1.5)
    together = packing(radii, counts, 2, box)
    for first in (0, 7, 39):
        one = slice(first, first + 1)
        alone = packing(radii[one], counts[one], 2, box, first)
        np.testing.assert_array_equal(alone.positions[0], together.positions[first])
    padded = np.pad(radii, ((0, 0), (0, 3)), constant_values=9.0)
    np.testing.assert_array_equal(packing(padded, counts, 2, box).positions[:, :20], together[0])


def test_large_samples_are_packed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Distances are held for a few samples at a time; that changes nothing."""
    radii, counts = np.full((9, 30), 0.05), np.full(9, 30)
    together = packing(radii, counts, 3, boxed(1.0))
    monkeypatch.setattr("hypermagnetics.sources.packing._DISTANCES_AT_ONCE", 2 * CANDIDATES * 30)
    np.testing.assert_array_equal(packing(radii, counts, 3, boxed(1.0))[0], together[0])


def test_single_bodies_lie_anywhere() -> None:
    """Uniformly, as far as the walls allow."""
    radii = np.full((4000, 1), 0.5)
    positions, _ = packing(radii, np.ones(4000, int), 2, boxed(2.0))
    counts, _, _ = np.histogram2d(*positions[:, 0].T, bins=4, range=[[-1.5, 1.5]] * 2)
    np.testing.assert_allclose(counts, 250, rtol=0.25)


def test_largest_bodies_come_first_but_rows_stay() -> None:
    """Small bodies find room between large ones, in whatever order the rows name them."""
    radii = np.array([[0.01] * 50 + [0.45]])
    positions, placed = packing(radii, np.array([51]), 2, boxed(0.5))
    assert placed.all()
    assert np.abs(positions[0, 50]).max() <= 0.05
    assert_apart(positions[0], radii[0], boxed(0.5))


@pytest.mark.parametrize("attempts", [1, 3])
def test_the_impossible_is_given_up(attempts: int) -> None:
    """After the stated number of attempts; what was placed is said, other samples are complete."""
    radii = np.array([[0.3] * 9, [0.3] * 9])
    rounds = []

    def counted(part: slice, number: int) -> np.ndarray:
        rounds.append(number)
        return draw(0, 2, part, number, 2)

    positions, placed = pack(radii, np.array([9, 2]), 2, boxed(0.7, attempts=attempts), counted)
    assert 1 <= placed[0].sum() < 9
    assert placed[1].sum() == 2
    assert rounds == list(range(len(rounds)))
    assert 250 * attempts <= len(rounds) < 400 * attempts
    assert_apart(positions[0][placed[0]], radii[0][placed[0]], boxed(0.7))


def test_a_sample_is_begun_anew() -> None:
    """A dense sample that jams may succeed when begun again: 0.42 of the box."""
    radii, counts = np.full((64, 32), 0.39), np.full(64, 32)
    assert not packing(radii, counts, 2, boxed(3.0, attempts=1)).placed.all()
    assert packing(radii, counts, 2, boxed(3.0)).placed.all()


def _boxes(generator: np.random.Generator, samples: int, sources: int, dim: int) -> np.ndarray:
    """Half edges: turned boxes, boxes along the axes, and balls."""
    halves = generator.uniform(0.05, 0.3, (samples, sources, dim, 1))
    turned = np.linalg.qr(generator.normal(size=(samples, sources, dim, dim)))[0]
    turned[:, 1::3] = np.eye(dim)
    halves[:, 2::3] = 0
    return halves * turned


def _corners(half_edges: np.ndarray) -> np.ndarray:
    dim = len(half_edges)
    signs = np.stack(np.meshgrid(*[(-1, 1)] * dim, indexing="ij"), -1).reshape(-1, dim)
    return signs @ half_edges


def _distance(first: np.ndarray, second: np.ndarray) -> float:
    """Distance of two convex hulls of corners, by a quadratic programme."""

    def apart(shares: np.ndarray) -> tuple[float, np.ndarray]:
        difference = shares[: len(first)] @ first - shares[len(first) :] @ second
        slope = np.concatenate([first @ difference, -second @ difference])
        return float(difference @ difference) / 2, slope

    numbers = len(first), len(second)
    start = np.concatenate([np.full(number, 1 / number) for number in numbers])
    sums = np.stack([np.repeat([1.0, 0], numbers), np.repeat([0, 1.0], numbers)])
    found = minimize(
        apart,
        start,
        jac=True,
        bounds=[(0, 1)] * len(start),
        constraints=LinearConstraint(sums, 1, 1),
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-14},
    )
    return float(np.sqrt(2 * found.fun))


@pytest.mark.parametrize("dim", [2, 3])
def test_bodies_themselves_keep_their_distance(dim: int) -> None:
    """Turned boxes and balls, by a distance that knows nothing of planes between them."""
    generator = np.random.default_rng(dim)
    samples, sources = 4, 9
    edges = _boxes(generator, samples, sources, dim)
    is_ball = ~edges.any(axis=(2, 3))
    radii = np.sqrt((edges**2).sum(axis=(2, 3)))
    radii[is_ball] = generator.uniform(0.1, 0.3, is_ball.sum())
    box = boxed(1.1 if dim == 2 else 0.8, 0.04).model_copy(update={"shape": "body"})
    drawn = partial(draw, 0, dim, count=samples)
    positions, placed = pack(radii, np.full(samples, sources), dim, box, drawn, edges)
    assert placed.all()
    nearest = np.inf
    for sample in range(samples):
        for i in range(sources):
            own = positions[sample, i] + _corners(edges[sample, i])
            rounding = radii[sample, i] * is_ball[sample, i]
            assert np.abs(own).max() + rounding <= box.half_width
            for j in range(i):
                other = positions[sample, j] + _corners(edges[sample, j])
                apart = _distance(own, other) - rounding - radii[sample, j] * is_ball[sample, j]
                assert apart >= box.min_gap - 1e-6
                nearest = min(nearest, apart)
    # Balls around them would lie in each other.
    assert nearest < 0.1
    spread = np.linalg.norm(positions[:, :, None] - positions[:, None], axis=-1)
    assert (spread < radii[:, :, None] + radii[:, None])[:, *np.triu_indices(sources, 1)].any()


def test_a_gap_to_a_ball_is_exact() -> None:
    """Also across a corner, where planes along the faces see less."""
    square = _Outlines(np.array([np.sqrt(0.5)]), np.eye(2)[None] / 2)
    disc = _Outlines(np.array([0.25]), np.zeros((1, 2, 2)))
    offset = np.array([[1.0, 1], [2, 0.3], [0.5, -2]])
    expected = np.hypot(*np.maximum(np.abs(offset) - 0.5, 0).T) - 0.25
    for first, second in ((square, disc), (disc, square)):
        np.testing.assert_allclose(_gaps(first, second, offset), expected, rtol=1e-12)
    # Of two squares, too: the nearest point of one to the centre of the other is a corner.
    apart = _gaps(square, square, np.array([[1.3, 0.2], [1.2, 1.2]]))
    np.testing.assert_allclose(apart, [0.3, 0.2 * np.sqrt(2)], rtol=1e-12)
