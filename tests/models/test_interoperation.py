"""Models as sources of magpylib, against its own exact magnets."""

import subprocess
import sys
import warnings

import jax
import jax.numpy as jnp
import magpylib
import matplotlib as mpl
import numpy as np
import pytest
from exact_model import Exact, inputs_of
from magnets import KINDS, random_rows
from scipy.spatial.transform import Rotation

from hypermagnetics.errors import HypermagneticsError, SourceError
from hypermagnetics.models import (
    OutOfRangeWarning,
    RangeSplit,
    TrainedRange,
    as_magpylib_source,
)
from hypermagnetics.models.split import RangeSplitConfig
from hypermagnetics.models.split.fit import FitConfig
from hypermagnetics.sources import Cuboid, SourceColumns, Sphere, source_table, to_magpylib

_TURNED = Rotation.from_rotvec([0.3, -0.5, 0.2])
_MAGNETS = [
    Cuboid(
        jnp.array([0.4, -0.2, 1.0]),
        jnp.array([0.5, 0.0, -0.2]),
        jnp.array([1.0, 0.6, 0.8]),
        jnp.asarray(_TURNED.as_quat(scalar_first=True)),
    ),
    Sphere(jnp.array([-1.0, 0.5, 0.2]), jnp.array([-0.8, 0.3, 0.4]), jnp.asarray(0.5)),
]
_COLUMNS, _TABLE = source_table(_MAGNETS)
_OBSERVERS = np.random.default_rng(0).uniform(-1.5, 1.5, (200, 3))
_FIELDS = {"B": magpylib.getB, "H": magpylib.getH, "J": magpylib.getJ, "M": magpylib.getM}


def assert_close(one: np.ndarray, other: np.ndarray, tolerance: float = 1e-9) -> None:
    """Equal to a tolerance relative to the longest vector."""
    scale = np.linalg.norm(other, axis=-1).max()
    np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * scale)


@pytest.mark.slow
@pytest.mark.parametrize("name", _FIELDS)
def test_all_fields_are_those_of_magpylib(name: str) -> None:
    """Inside the bodies and outside, by an exact model."""
    source = as_magpylib_source(Exact(_COLUMNS), _TABLE)
    assert_close(
        _FIELDS[name](source, _OBSERVERS), _FIELDS[name](to_magpylib(_MAGNETS), _OBSERVERS)
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", _FIELDS)
def test_it_mixes_moves_and_turns_with_other_sources(name: str) -> None:
    """In a collection with a magnet and a sensor, along a path."""
    collections = [
        magpylib.Collection(
            source,
            magpylib.magnet.Cylinder(
                polarization=(0, 0.1, 1), dimension=(0.5, 0.5), position=(0, 0, 2)
            ),
            magpylib.Sensor(pixel=_OBSERVERS[:20]),
        )
        for source in (as_magpylib_source(Exact(_COLUMNS), _TABLE), to_magpylib(_MAGNETS))
    ]
    for collection in collections:
        collection.rotate_from_angax(np.linspace(10, 70, 3), (1, 2, 3), anchor=(0.3, 0, 0), start=0)
        collection.move((0.1, 0.2, -0.1))
    found, expected = (
        _FIELDS[name](collection.sources_all, collection.sensors_all, sumup=True)
        for collection in collections
    )
    assert found.shape == (3, 20, 3)
    assert_close(found, expected)


def fitted_split(columns: SourceColumns) -> RangeSplit:
    """A model of spheres that learns in seconds."""
    config = RangeSplitConfig(rank=128, waves=512, fit=FitConfig(num_sources=1500, num_points=1000))
    split = RangeSplit(config, inputs_of(columns), jax.random.key(0))
    keys = jax.random.split(jax.random.key(1), 3)
    positions = jax.random.uniform(keys[0], (1500, 3), jnp.float64, -1, 1)
    points = jax.random.uniform(keys[1], (1000, 3), jnp.float64, -1.5, 1.5)
    sources = jnp.concatenate([jnp.ones((1500, 3)), positions, jnp.ones((1500, 1))], axis=1)
    return split.fitted(sources, points, keys[2])


@pytest.mark.slow
def test_a_trained_model_is_near_the_exact_magnets() -> None:
    """And gives magpylib what it gives itself."""
    spheres = [_MAGNETS[1], Sphere(jnp.ones(3), jnp.array([0.7, -0.2, 0.1]), jnp.asarray(0.6))]
    columns, table = source_table(spheres)
    model = fitted_split(columns)
    source = as_magpylib_source(model, table)
    found, exact = source.getH(_OBSERVERS), to_magpylib(spheres).getH(_OBSERVERS)
    error = np.linalg.norm(found - exact, axis=-1) / np.linalg.norm(exact, axis=-1)
    assert np.median(error) < 0.01
    points = jnp.asarray(_OBSERVERS)
    np.testing.assert_array_equal(found, model.field(table, points))
    np.testing.assert_array_equal(source.getB(_OBSERVERS), model.flux_density(table, points))


def test_it_can_be_shown() -> None:
    """With a magnet beside it, by matplotlib without a screen."""
    backend = mpl.get_backend()
    mpl.use("Agg")
    try:
        source = as_magpylib_source(Exact(_COLUMNS), _TABLE)
        magnet = magpylib.magnet.Sphere(polarization=(0, 0, 1), diameter=1)
        figure = magpylib.show(source, magnet, backend="matplotlib", return_fig=True)
        assert figure.axes
        mpl.pyplot.close(figure)
    finally:
        mpl.use(backend)
    assert "Exact, 2 sources" in source.describe(return_string=True)


@pytest.mark.slow_cases
@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.dim == 2])
def test_a_model_in_two_dimensions_is_that_of_long_bodies(name: str) -> None:
    """The field in the plane, whatever z is, and none along z."""
    model = Exact(KINDS[name])
    table = jnp.asarray(random_rows(KINDS[name], np.random.default_rng(1), 3))
    source = as_magpylib_source(model, table)
    expected = np.asarray(model.field(table, jnp.asarray(_OBSERVERS[:, :2])))
    found = source.getH(_OBSERVERS)
    np.testing.assert_array_equal(found, np.pad(expected, ((0, 0), (0, 1))))
    source.rotate_from_angax(90, "x")
    turned = source.getH(_OBSERVERS[:, [0, 2, 1]] * [1, -1, 1])
    assert_close(turned, found[:, [0, 2, 1]])


@pytest.mark.slow
def test_a_long_cuboid_is_a_rectangle() -> None:
    """The moment of the rectangle is that of one metre of the cuboid."""
    kind = KINDS["rectangle in 2D"]
    length, table = 1e4, np.array([[0.7, -0.4, 0.2, 0.1, 1.2, 0.8, 0.3]])
    assert kind.names[4:] == ("dimension_x", "dimension_y", "angle")
    source = as_magpylib_source(Exact(kind), jnp.asarray(table))
    cuboid = magpylib.magnet.Cuboid(
        magnetization=Rotation.from_euler("z", -0.3).apply([0.7, -0.4, 0]) / (1.2 * 0.8),
        dimension=(1.2, 0.8, length),
        position=(0.2, 0.1, 0),
        orientation=Rotation.from_euler("z", 0.3),
    )
    assert_close(source.getB(_OBSERVERS), cuboid.getB(_OBSERVERS), 1e-6)


@pytest.mark.slow
def test_the_range_is_not_judged_by_magpylibs_own_points() -> None:
    """Making the source is silent, and asking it outside of the range warns."""
    kind = KINDS["sphere in 3D"]
    table = jnp.array([[0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.5]])
    trained = TrainedRange(sources=((-1.0, 1.0),) * 7, points=((-1.5, 1.5),) * 3)
    model = Exact(kind, trained=trained)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        as_magpylib_source(model, table).getH(_OBSERVERS)
    source = as_magpylib_source(model.with_outside("warn"), table)
    with pytest.warns(OutOfRangeWarning, match="coordinates of points"):
        source.getH((2, 0, 0))


def test_bad_sources_are_refused() -> None:
    """When the source is made, not when a field is asked for."""
    with pytest.raises(SourceError, match="must have"):
        as_magpylib_source(Exact(_COLUMNS), _TABLE[:, :-1])


def test_without_magpylib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "magpylib", None)
    with pytest.raises(HypermagneticsError, match=r"hypermagnetics\[peers\]"):
        as_magpylib_source(Exact(_COLUMNS), _TABLE)


@pytest.mark.slow
def test_models_are_imported_without_magpylib() -> None:
    code = "import sys, hypermagnetics.models; print('magpylib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
