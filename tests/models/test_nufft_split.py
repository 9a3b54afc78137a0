"""A split whose waves are transforms: the values of products of waves, and linear time."""

import pickle
import sys
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hypermagnetics.errors import HypermagneticsError, RecipeError
from hypermagnetics.models import (
    GridSplit,
    GridSplitConfig,
    load,
    save_model,
    split_of_domain,
    to_jax_export,
)
from hypermagnetics.models.split.grid_settings import inputs_of_domain
from hypermagnetics.models.split.nufft_waves import NufftWaves
from hypermagnetics.sources import SourceColumns, superposition
from hypermagnetics.sources.sums import sums_for

pytest.importorskip("jax_finufft", reason="needs the extra `nufft`")

_COLUMNS = {
    2: SourceColumns.of("disc", varying=["radius"]),
    3: SourceColumns.of("sphere", varying=["radius"]),
}


@cache
def split(dim: int, transform: str) -> GridSplit:
    """A model of one domain and accuracy."""
    config = GridSplitConfig.model_validate(
        {"domain": 1.5, "accuracy": 1e-4, "transform": transform}
    )
    return GridSplit(config, inputs_of_domain(_COLUMNS[dim], config)).fitted_to_domain()


def spread(dim: int, num: int = 7, points: int = 40) -> tuple[jax.Array, jax.Array]:
    """Small bodies and points, even in the domain."""
    random = np.random.default_rng(dim)
    rows = random.uniform(-1.5, 1.5, (num, 2 * dim + 1))
    rows[:, -1] = 0.1
    at = random.uniform(-1.5, 1.5, (points, dim))
    return jnp.asarray(rows, jnp.float32), jnp.asarray(at, jnp.float32)


def assert_close(found: jax.Array, expected: jax.Array, share: float = 5e-5) -> None:
    """To a share of the largest value, by default that of transforms and float32."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=share * np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.parametrize("dim", [2, 3])
def test_transforms_give_what_products_give(dim: int) -> None:
    """Of one sample, under jit and vmap, and of a block; in both precisions."""
    sources, points = spread(dim)
    by_nufft, by_products = split(dim, "nufft"), split(dim, "products")
    assert isinstance(by_nufft.waves, NufftWaves)
    expected = by_products.potential_and_field(sources, points)
    for one, other in zip(by_nufft.potential_and_field(sources, points), expected, strict=True):
        assert_close(one, other)
    assert_close(jax.jit(by_nufft.field)(sources, points), expected[1])
    tables = jnp.stack([sources, sources.at[:, :dim].multiply(2)])
    potential, field = by_nufft.block(tables, points)
    assert_close(potential, jnp.stack([expected[0], 2 * expected[0]]))
    assert_close(field, jnp.stack([expected[1], 2 * expected[1]]))
    assert_close(jax.vmap(by_nufft.field, (0, None))(tables, points), field)
    wide = [each.astype(jnp.float64) for each in (sources, points)]
    assert_close(by_nufft.field(*wide), by_products.field(*wide), 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("dim", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_derivatives_are_those_of_products(dim: int) -> None:
    """Forward and in reverse, by points and by sources, and -grad phi = H."""
    sources, points = spread(dim, points=6)
    by_nufft, by_products = split(dim, "nufft"), split(dim, "products")
    field = by_nufft.field(sources, points)
    falling = jax.vmap(jax.grad(lambda at: -by_nufft.potential(sources, at[None])[0]))(points)
    assert_close(falling, field)

    def squares(model: GridSplit) -> jax.Array:
        return jax.jit(jax.grad(lambda rows: jnp.sum(model.field(rows, points) ** 2)))(sources)

    def along(model: GridSplit) -> jax.Array:
        ones = jnp.ones_like(sources)
        return jax.jvp(lambda rows: model.field(rows, points), (sources,), (ones,))[1]

    assert_close(squares(by_nufft), squares(by_products))
    assert_close(along(by_nufft), along(by_products))


@pytest.mark.slow
def test_what_is_outside_is_exact_and_a_nan_stays_one() -> None:
    """The library of the transforms reads no memory that is not its own."""
    sources, points = spread(2)
    model = split(2, "nufft")
    assert_close(
        model.field(sources, 100 * points),
        superposition(model.inputs.columns, sources, 100 * points)[1],
        1e-5,
    )
    free = model.with_outside("ignore")
    assert bool(jnp.isfinite(free.field(sources, 1e6 * points)).all())
    found = free.field(sources, points.at[3, 1].set(jnp.nan).at[5, 0].set(jnp.inf))
    assert np.flatnonzero(np.isnan(found).any(axis=1)).tolist() == [3, 5]
    bad = jax.jit(free.potential)(sources.at[0, 0].set(jnp.nan), points)
    assert bool(jnp.isnan(bad).all())


def test_a_file_gives_the_same_and_an_export_is_refused(tmp_path: Path) -> None:
    """A file of StableHLO holds no calls of another library."""
    sources, points = spread(2)
    model = split(2, "nufft")
    save_model(tmp_path / "model.hm", model, {})
    again = load(tmp_path / "model.hm")
    assert isinstance(again, GridSplit)
    assert again.config.transform == "nufft"
    np.testing.assert_array_equal(again.field(sources, points), model.field(sources, points))
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copied.field(sources, points), model.field(sources, points))
    with pytest.raises(
        HypermagneticsError, match=r'calls jax_finufft\. Make a split with transform "pr'
    ):
        to_jax_export(model, "field")


def test_without_the_library_a_model_and_its_file_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the command that installs it."""
    save_model(tmp_path / "model.hm", split(2, "nufft"), {})
    monkeypatch.setitem(sys.modules, "jax_finufft", None)
    for call in (
        lambda: split_of_domain(_COLUMNS[2], 1.0, num_sources=10**6),
        lambda: load(tmp_path / "model.hm"),
    ):
        with pytest.raises(
            RecipeError, match=r"jax_finufft.*pip install 'hypermagnetics\[nufft\]'"
        ):
            call()


def test_a_gpu_is_refused() -> None:
    """The wheels of the library are for CPUs."""
    sources, _ = spread(2)
    with sums_for("gpu"), pytest.raises(HypermagneticsError, match="on a CPU; got a GPU"):
        split(2, "nufft").weights(sources)


@pytest.mark.slow_cases
@pytest.mark.parametrize("transform", ["products", "nufft"])
def test_no_points_and_no_sources(transform: str) -> None:
    """Empty arrays, and zeros."""
    sources, points = spread(2)
    model = split(2, transform)
    potential, field = model.potential_and_field(sources, points[:0])
    assert (potential.shape, field.shape) == ((0,), (0, 2))
    assert not np.any(model.field(sources[:0], points))


@pytest.mark.slow
def test_boxes_are_as_many_dipoles_at_once() -> None:
    """Memory is bounded for bodies that stand for many dipoles each."""
    boxes = SourceColumns.of("cuboid", varying=["dimension_x", "dimension_y", "dimension_z"])
    config = GridSplitConfig(domain=1.5, accuracy=1e-2, transform="nufft", nodes=4)
    model = GridSplit(config, inputs_of_domain(boxes, config))
    ball = split(3, "nufft")
    assert model.rows_at_once.sources * 4**3 == ball.rows_at_once.sources
    assert model.rows_at_once.points == ball.rows_at_once.points


@pytest.mark.parametrize("dim", [2, 3])
def test_more_sources_have_a_smaller_cutoff(dim: int) -> None:
    """In some spacings of the sources, as far as waves go; few keep the default."""
    few, many = (split_of_domain(_COLUMNS[dim], 3.0, 1e-2, num) for num in (2_000, 20_000))
    assert few.config.transform == "products"
    assert few.smoothing == split_of_domain(_COLUMNS[dim], 3.0, 1e-2).smoothing
    spacing = 6.0 / 20_000 ** (1 / dim)
    assert many.smoothing.cutoff == pytest.approx({2: 3, 3: 2}[dim] * spacing)
    by_products = GridSplitConfig(
        domain=3.0, accuracy=1e-2, num_sources=10**9, transform="products"
    )
    most = GridSplit(by_products, inputs_of_domain(_COLUMNS[dim], by_products))
    assert most.rank is not None
    assert 2**16 < most.rank <= 2**18


@pytest.mark.slow
@pytest.mark.parametrize("dim", [2, 3])
def test_many_sources_at_many_points(dim: int) -> None:
    """With a smaller cutoff, cells, and a source and a point outside of the domain."""
    model = split_of_domain(_COLUMNS[dim], 1.5, 1e-2, {2: 200_000, 3: 20_000}[dim])
    assert model.config.transform == "nufft"
    sources, points = spread(dim, 3000, 3000)
    sources = sources.at[:, -1].set(0.01).at[5, dim].set(2.0)
    points = points.at[7, 0].set(1.9)
    found = model.potential_and_field(sources, points)
    some = jnp.arange(0, 3000, 30).at[0].set(7)
    exact = superposition(model.inputs.columns, sources, points[some])
    for one, other in zip(found, exact, strict=True):
        off = jnp.linalg.norm((one[some] - other).reshape(100, -1), axis=1)
        size = jnp.linalg.norm(other.reshape(100, -1), axis=1)
        assert float(jnp.median(off / size)) < 3e-3
        assert float((off / size)[0]) < 1e-5
