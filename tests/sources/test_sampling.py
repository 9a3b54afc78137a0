"""Random configurations: what they depend on, and how they are distributed."""

import zlib
from typing import Literal

import jax
import jax.random as jr
import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from hypermagnetics.errors import RecipeError
from hypermagnetics.models import HyperMLP
from hypermagnetics.sources import (
    Normal,
    body_kernel,
    configure,
    sample_sources,
    superposition,
    uniforms,
)


def test_the_published_interface_runs() -> None:
    """The example of the published code, with the shapes and sizes it gives."""
    source_config = {"N": 500, "M": 5, "lim": 3, "res": 32}
    configuration = configure(**source_config, key=jr.PRNGKey(40))
    assert {name: array.shape for name, array in configuration.items()} == {
        "sources": (500, 5, 4),
        "grid": (1024, 2),
        "field": (500, 1024, 2),
        "potential": (500, 1024),
    }
    hyperkey, mainkey = jr.split(jr.PRNGKey(42), 2)
    model = HyperMLP(width=16, depth=3, hdepth=3, hyperkey=hyperkey, mainkey=mainkey)
    pred = jax.vmap(model, in_axes=(0, None))(configuration["sources"], configuration["grid"])
    assert pred.shape == (500, 1024)
    grid = np.asarray(configuration["grid"])
    assert grid.min() == -3
    assert grid.max() == 3
    assert len(np.unique(grid, axis=0)) == 1024


def test_configure_labels_with_the_exact_sum() -> None:
    """Each sample's potential and field are those of its own sources."""
    made = configure(N=4, M=3, lim=2.0, res=5, key=jr.key(0))
    for i in range(4):
        potential, field = superposition(body_kernel("disc", 1.0), made["sources"][i], made["grid"])
        np.testing.assert_allclose(made["potential"][i], potential, rtol=1e-12)
        np.testing.assert_allclose(made["field"][i], field, rtol=1e-12)


def test_samples_have_the_stated_distribution() -> None:
    """Zero mean, and the stated standard deviation of moments and positions."""
    uniform = uniforms(3, "train", "sources", 0, 20_000, 4)[:, None]
    table = sample_sources(uniform, Normal(std=1.5), Normal(std=0.25))[:, 0]
    np.testing.assert_allclose(table.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(table.std(axis=0), [1.5, 1.5, 0.25, 0.25], rtol=0.03)
    assert table.dtype == np.float32
    for column in (table / [1.5, 1.5, 0.25, 0.25]).T:
        assert scipy.stats.kstest(column, "norm").pvalue > 1e-4
    correlation = np.corrcoef(table.T) - np.eye(4)
    assert np.abs(correlation).max() < 0.04


@given(
    first=st.integers(0, 1000),
    count=st.integers(1, 30),
    size=st.integers(1, 21),
    before=st.integers(0, 30),
)
def test_an_item_owns_its_numbers(first: int, count: int, size: int, before: int) -> None:
    """Drawn alone, or among others, from wherever the drawing starts."""
    start = max(first - before, 0)
    alone = uniforms(7, "valid", "grid", first, count, size)
    among = uniforms(7, "valid", "grid", start, first - start + count + 3, size)
    np.testing.assert_array_equal(among[first - start :][:count], alone)
    assert len(np.unique(alone)) == count * size
    assert alone.min() > 0
    assert alone.max() < 1


def test_splits_seeds_and_purposes_draw_apart() -> None:
    """No two share a number."""
    purposes: tuple[Literal["sources", "grid"], ...] = ("sources", "grid")
    drawn = [
        uniforms(seed, split, purpose, 0, 10, 8)
        for seed in (0, 1)
        for split in ("train", "valid", "test-multi")
        for purpose in purposes
    ]
    assert len(np.unique(drawn)) == 12 * 80


def test_the_numbers_of_a_recipe_never_change() -> None:
    """Fixed for ever: words 4 to 7 of Philox with key (40, crc32("train") << 8)."""
    words = np.random.Philox(key=[40, zlib.crc32(b"train") << 8]).random_raw(8)[4:]
    expected = [((int(word) >> 11) + 0.5) / 2**53 for word in words]
    np.testing.assert_array_equal(uniforms(40, "train", "sources", 1, 1, 4)[0], expected)
    known = [0.9033464482851237, 0.3979472729256634, 0.30327808549657537, 0.38759357927639365]
    np.testing.assert_array_equal(expected, known)


@pytest.mark.parametrize(("body", "radius"), [("disc", None), ("disc", 0.0), ("dipole", 1.0)])
def test_a_radius_must_go_with_the_body(body: str, radius: float | None) -> None:
    """The message shows the value and says what to do."""
    with pytest.raises(RecipeError, match=rf"radius.* got {radius!r} \(sources.radius\)"):
        body_kernel(body, radius)  # type: ignore[arg-type]
