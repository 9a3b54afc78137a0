"""The fast sum over sources against an obvious one."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from hypermagnetics.sources import block_superposition, body_kernel, superposition

_DISC = body_kernel("disc", 1.0)


def obvious_sum(sources: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Discs of radius 1, one by one, in numpy."""
    potential, field = np.zeros(len(points)), np.zeros((len(points), 2))
    for mx, my, x, y in np.asarray(sources, np.float64):
        m = np.array([mx, my])
        for i, point in enumerate(points):
            d = point - np.array([x, y])
            d2 = d @ d
            if d2 > 1:
                potential[i] += m @ d / (2 * np.pi * d2)
                field[i] += (2 * (m @ d) * d / d2 - m) / (2 * np.pi * d2)
            else:
                potential[i] += m @ d / (2 * np.pi)
                field[i] -= m / (2 * np.pi)
    return potential, field


@pytest.mark.parametrize("num_sources", [1, 7, 8, 9, 35])
def test_sum_equals_the_obvious_one(num_sources: int) -> None:
    """Below, at and above the number of sources that are summed in one loop."""
    sources = jr.normal(jr.key(num_sources), (num_sources, 4))
    points = 3 * jr.normal(jr.key(99), (40, 2))
    potential, field = superposition(_DISC, sources, points)
    slow_potential, slow_field = obvious_sum(sources, np.asarray(points))
    np.testing.assert_allclose(potential, slow_potential, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(field, slow_field, rtol=1e-11, atol=1e-14)


def test_potentials_superpose() -> None:
    """phi(A and B) = phi(A) + phi(B)."""
    a, b = jr.normal(jr.key(0), (2, 5, 4))
    points = jr.normal(jr.key(1), (30, 2))
    both = superposition(_DISC, jnp.concatenate([a, b]), points)
    parts = [superposition(_DISC, part, points) for part in (a, b)]
    for whole, first, second in zip(both, *parts, strict=True):
        np.testing.assert_allclose(whole, first + second, rtol=1e-10, atol=1e-15)


def test_order_of_sources_does_not_matter() -> None:
    """A permutation changes nothing but rounding."""
    sources = jr.normal(jr.key(2), (11, 4))
    points = jr.normal(jr.key(3), (30, 2))
    for one, other in zip(
        superposition(_DISC, sources, points),
        superposition(_DISC, sources[::-1], points),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("body", ["disc", "dipole"])
def test_padding_changes_nothing(body: str) -> None:
    """Not one bit, and no NaN where a point meets the zeros of a padding row."""
    kernel = body_kernel(body, 1.0 if body == "disc" else None)  # type: ignore[arg-type]
    sources = jr.normal(jr.key(4), (3, 4))
    padded = jnp.zeros((13, 4)).at[:3].set(sources)
    points = jnp.concatenate([jnp.zeros((1, 2)), jr.normal(jr.key(5), (20, 2))])
    for one, other in zip(
        superposition(kernel, sources, points),
        superposition(kernel, padded, points, 3),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-13, atol=0)
    gradient = jax.jit(jax.grad(lambda r: superposition(kernel, padded, r, 3)[0].sum()))(points)
    assert bool(jnp.isfinite(gradient).all())


def test_a_block_is_its_samples() -> None:
    """`block_superposition` does to many samples what `superposition` does to one."""
    tables, points = jr.normal(jr.key(6), (4, 5, 4)), jr.normal(jr.key(7), (20, 2))
    counts = jnp.array([5, 1, 3, 2])
    potential, field = block_superposition(_DISC, tables, counts, points)
    for i in range(4):
        alone = superposition(_DISC, tables[i, : int(counts[i])], points)
        np.testing.assert_allclose(potential[i], alone[0], rtol=1e-12)
        np.testing.assert_allclose(field[i], alone[1], rtol=1e-12)


def test_float32_stays_float32() -> None:
    """No silent widening, also with float64 enabled."""
    sources, points = jnp.ones((2, 4), jnp.float32), jnp.ones((3, 2), jnp.float32)
    assert {array.dtype for array in superposition(_DISC, sources, points)} == {
        jnp.dtype("float32")
    }
