"""Random configurations: what they depend on, and what the published interface draws."""

import zlib
from typing import get_args

import jax
import jax.random as jr
import jaxtyping
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypermagnetics.errors import SourceError
from hypermagnetics.models import HyperMLP
from hypermagnetics.sources import SourceColumns, configure, superposition, uniforms
from hypermagnetics.sources.sampling import Purpose, whole_numbers


@pytest.mark.slow
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
    columns = SourceColumns.of("disc", constants={"radius": 1.0})
    for i in range(4):
        potential, field = superposition(columns, made["sources"][i], made["grid"])
        np.testing.assert_allclose(made["potential"][i], potential, rtol=1e-12)
        np.testing.assert_allclose(made["field"][i], field, rtol=1e-12)


def test_configure_draws_as_stated() -> None:
    """Moments N(0, 1) and positions N(0, (lim/3)²), in float32."""
    table = np.asarray(configure(N=4000, M=2, lim=6.0, res=1, key=jr.key(1))["sources"])
    np.testing.assert_array_equal(table, table.astype(np.float32))
    np.testing.assert_allclose(table.reshape(-1, 4).mean(axis=0), 0, atol=0.1)
    np.testing.assert_allclose(table.reshape(-1, 4).std(axis=0), [1, 1, 2, 2], rtol=0.03)


@pytest.mark.parametrize(
    ("body", "radius", "got"),
    [("disc", None, "got none"), ("disc", 0.0, "got 0.0"), ("dipole", 1.0, "got radius")],
)
def test_a_radius_must_go_with_the_body(body: str, radius: float | None, got: str) -> None:
    """Or nothing is drawn."""
    with pytest.raises(SourceError, match=f"must be .*; {got}") as caught:
        configure(1, 1, 3.0, 2, jr.key(0), body=body, radius=radius)  # type: ignore[arg-type]
    assert "radius" in str(caught.value)


@pytest.mark.parametrize("number", [2.0, 0, True, "2", None])
@pytest.mark.parametrize("name", ["N", "M", "res"])
def test_numbers_of_samples_sources_and_points_are_whole(
    request: pytest.FixtureRequest, name: str, number: object
) -> None:
    """One at least, of Python or of numpy."""
    jaxtyping.config.update("jaxtyping_disable", True)  # it would refuse them before the library
    request.addfinalizer(lambda: jaxtyping.config.update("jaxtyping_disable", False))
    good = {"N": np.int64(1), "M": 1, "res": 2}
    with pytest.raises(SourceError, match=f"{name} must be a whole number of at least 1; got"):
        configure(**(good | {name: number}), lim=3.0, key=jr.key(0))  # type: ignore[arg-type]


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
    drawn = [
        uniforms(seed, split, purpose, 0, 10, 8)
        for seed in (0, 1)
        for split in ("train", "valid", "test_multi")
        for purpose in get_args(Purpose)
    ]
    assert len(np.unique(drawn)) == 6 * len(get_args(Purpose)) * 80


def test_the_numbers_of_a_recipe_never_change() -> None:
    """Fixed for ever: words 4 to 7 of Philox with key (40, crc32("train") << 8)."""
    words = np.random.Philox(key=[40, zlib.crc32(b"train") << 8]).random_raw(8)[4:]
    expected = [((int(word) >> 11) + 0.5) / 2**53 for word in words]
    np.testing.assert_array_equal(uniforms(40, "train", "sources", 1, 1, 4)[0], expected)
    known = [0.9033464482851237, 0.3979472729256634, 0.30327808549657537, 0.38759357927639365]
    np.testing.assert_array_equal(expected, known)


def test_the_streams_of_purposes_never_change() -> None:
    """Their places in the key: a new one is appended."""
    for place, purpose in enumerate(
        ("sources", "grid", "num_sources", "shapes", "lattice", "packing", "surface")
    ):
        (word,) = np.random.Philox(key=[3, zlib.crc32(b"a") << 8 | place]).random_raw(1)
        (((number,),)) = uniforms(3, "a", purpose, 0, 1, 1).tolist()  # type: ignore[arg-type]
        assert number == ((int(word) >> 11) + 0.5) / 2**53


def test_whole_numbers_stay_below_their_bound() -> None:
    """Also for the largest number below 1, and each is equally probable."""
    numbers = uniforms(0, "a", "sources", 0, 1, 60_000)[0]
    counts = np.bincount(whole_numbers(numbers, 6), minlength=6)
    assert len(counts) == 6
    np.testing.assert_allclose(counts, 10_000, rtol=0.05)
    last = np.array([np.nextafter(1, 0)])
    for bound in (1, 3, 7, 2**20, 10**9):
        assert whole_numbers(last, bound) == bound - 1
