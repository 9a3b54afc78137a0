"""Models through jax.export: what another program gets from the bytes."""

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from every_model import made
from exact_model import inputs_of
from jax import export
from magnets import KINDS, random_rows

from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.models import HyperMLP, Model, RangeSplit, build_model, to_jax_export
from hypermagnetics.models.export import PLATFORMS, Quantity
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.models.split import RangeSplitConfig
from hypermagnetics.models.steps import POINTS_PER_STEP, SOURCES_PER_STEP

_DISC, _CUBOID = KINDS["disc in 2D"], KINDS["cuboid in 3D"]


_MODELS = ("hyper_layer", "hyper_mlp", "split of discs", "split of cuboids")


@cache
def model_of(name: str) -> Model:
    """Of every architecture, small; drawn factors of a RangeSplit are as good as fitted here."""
    layer = HyperLayerConfig(width=12, depth=1, hwidth=0.5, hdepth=1, trunk_frequencies=5)
    keys = {"hyperkey": jr.key(0), "mainkey": jr.key(1)}
    split = RangeSplitConfig(rank=8, waves=16, nodes=2, capacity=64)
    make: dict[str, Callable[[], Model]] = {
        "hyper_layer": lambda: build_model(layer, inputs_of(_DISC), jr.key(0)),
        "hyper_mlp": lambda: HyperMLP(6, 1, 0.5, 1, inputs=inputs_of(_DISC), **keys),
        "split of discs": lambda: RangeSplit(split, inputs_of(_DISC), jr.key(0)),
        "split of cuboids": lambda: RangeSplit(split, inputs_of(_CUBOID), jr.key(0)),
    }
    return make[name]()


def values(model: Model, num_sources: int, num_points: int) -> tuple[jax.Array, jax.Array]:
    """Sources and points, in single precision."""
    random = np.random.default_rng(0)
    kind = _DISC if model.dim == 2 else _CUBOID
    rows = random_rows(kind, random, num_sources)
    points = random.uniform(-3, 3, (num_points, model.dim))
    return jnp.asarray(rows, jnp.float32), jnp.asarray(points, jnp.float32)


def assert_equal(model: Model, quantity: Quantity, called: export.Exported, *sizes: int) -> None:
    """To rounding, in units of the largest value."""
    sources, points = values(model, *sizes)
    expected = np.asarray(getattr(model, quantity)(sources, points))
    found = jax.jit(called.call)(sources, points)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.parametrize("quantity", ["potential", "field"])
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * ("cuboid" in name)) for name in _MODELS],
)
def test_an_export_is_the_model(name: str, quantity: Quantity) -> None:
    """One source and one point, and some of each."""
    model = model_of(name)
    called = export.deserialize(bytearray(to_jax_export(model, quantity)))
    assert set(called.platforms) == set(PLATFORMS)
    for sizes in ((1, 1), (3, 50)):
        assert_equal(model, quantity, called, *sizes)


def test_more_than_fits_into_a_step() -> None:
    """Sources and points of two steps, the second not full."""
    model = model_of("hyper_layer")
    called = export.deserialize(bytearray(to_jax_export(model, "potential")))
    assert_equal(model, "potential", called, SOURCES_PER_STEP + 3, 5)
    assert_equal(model, "potential", called, 5, POINTS_PER_STEP + 3)
    assert_equal(model, "potential", called, SOURCES_PER_STEP, POINTS_PER_STEP)


def test_a_model_that_solves_for_all_bodies_is_refused() -> None:
    """Its equations have a row for each, and an export leaves their number open."""
    with pytest.raises(HypermagneticsError, match="any number of sources; got a Reduced, which"):
        to_jax_export(made("reduced"), "potential")
