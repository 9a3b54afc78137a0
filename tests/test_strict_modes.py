"""Settings of JAX that find faults in a user's own code: ours works under each of them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, get_args

import jax
import numpy as np
import pytest
from exact_model import inputs_of
from jax.random import key
from small_networks import INPUTS as NETWORK_INPUTS
from small_steppers import TABLE, stepper_inputs

from hypermagnetics.data import Dataset
from hypermagnetics.models import (
    MLP,
    ArrayInputs,
    ArrayScales,
    ConvConfig,
    FFTConfig,
    HyperLayer,
    MapFrame,
    MLPConfig,
    Model,
    ModelInputs,
    RangeSplitConfig,
    StepperConfig,
    UNetConfig,
    build_array_model,
    build_model,
    load,
    rollout,
    save_model,
)
from hypermagnetics.models.fourier import FourierSeriesConfig
from hypermagnetics.models.fourier_fit import FourierFitConfig
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.models.hyper_mlp import HyperMLPConfig
from hypermagnetics.models.linear import LinearConfig
from hypermagnetics.models.reduced import ReducedConfig
from hypermagnetics.models.registry import _Shipped
from hypermagnetics.models.wave_layer import WaveLayerConfig
from hypermagnetics.sources import (
    Body,
    Cuboid,
    Dipole,
    Disc,
    Rectangle,
    SourceColumns,
    Sphere,
    block_superposition,
    labels,
    magnetisation,
    region_codes,
    signed_distance,
    source_table,
    superposition,
)
from hypermagnetics.train import train

# The whole suite runs in float64, and without promotion of ranks.
_MODES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "dtype promotion": lambda: jax.numpy_dtype_promotion("strict"),
    "transfer guard": lambda: jax.transfer_guard("disallow"),
    "nans": lambda: jax.debug_nans(True),
    "infs": lambda: jax.debug_infs(True),
    "leaks": jax.checking_leaks,
    "float32": lambda: jax.enable_x64(False),
}
_Value = TypeVar("_Value")
_COLUMNS = SourceColumns.of("disc", constants={"radius": 0.3})
_SMALL = HyperLayerConfig(width=8, depth=1, hwidth=0.5, hdepth=1)
_SOURCES = (np.eye(3, 4) - 0.3).astype(np.float32)
_POINTS = np.linspace(-1, 2, 10, dtype=np.float32).reshape(5, 2)


@pytest.mark.slow_cases
@pytest.mark.parametrize("mode", _MODES)
def test_a_model_is_read_and_gives_its_field(mode: str, tmp_path: Path) -> None:
    """From a file."""
    keys = {"hyperkey": key(0), "mainkey": key(1)}
    model = HyperLayer(config=_SMALL, inputs=inputs_of(_COLUMNS), **keys)
    save_model(tmp_path / "model.hm", model, {})
    arguments = jax.device_put((_SOURCES, _POINTS))
    expected = np.asarray(model.field(*arguments))
    with _MODES[mode]():
        found = load(tmp_path / "model.hm").field(*arguments)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("mode", _MODES)
def test_sources_are_summed(mode: str) -> None:
    """The exact field."""
    arguments = jax.device_put((_SOURCES, _POINTS))
    expected = superposition(_COLUMNS, *arguments)
    with _MODES[mode]():
        found = superposition(_COLUMNS, *arguments)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


_MAKE: dict[str, partial[Model]] = {
    config.name: partial(build_model, config, inputs_of(_COLUMNS), key(0))
    for config in (
        _SMALL,
        HyperMLPConfig(width=4, depth=1, hwidth=0.5, hdepth=1),
        LinearConfig(width=4, depth=1),
        FourierSeriesConfig(
            order=2,
            hdepth=1,
            fit=FourierFitConfig(num_sources=3, num_points=40, steps=1, sources_per_step=2),
        ),
        RangeSplitConfig(rank=4, waves=8),
        WaveLayerConfig(width=4, source_width=4),
    )
}
_BODIES = (
    partial(Dipole, [1, 0.5], [0, 0]),
    partial(Disc, [1, 0.5], [0, 0], 1),
    partial(Rectangle, [1, 0.5], [0, 0], [1, 2], 0.1),
    partial(Sphere, [1, 0, 0.5], [0, 0, 0], 1),
    partial(Cuboid, [1, 0, 0.5], [0, 0, 0], [1, 2, 1]),
)
_OF_TABLES = (superposition, magnetisation, signed_distance)


def _under_guard(call: Callable[..., _Value], *arguments: object) -> _Value:
    """What a call gives where nothing may be moved to the device but by an order to do so."""
    with jax.transfer_guard("disallow"):
        return call(*arguments)


def test_no_shipped_model_is_left_out() -> None:
    """Of the next tests: from arrays to arrays, from maps to maps, and of sources."""
    shipped = {*get_args(get_args(_Shipped)[0])}
    of_sources = {type(make.args[0]) for make in _MAKE.values()}
    others = {MLPConfig, StepperConfig, ReducedConfig, *map(type, _MAPS)}
    assert of_sources | others == shipped


@pytest.mark.slow
def test_a_network_of_arrays_is_made_and_evaluated_under_the_transfer_guard() -> None:
    """Of numbers of Python and arrays of numpy."""
    network = _under_guard(partial(MLP, MLPConfig(width=4, depth=1), NETWORK_INPUTS, key(0)))
    values = np.ones((5, 3), np.float32)
    for call in (network, network.jacobian):
        assert np.isfinite(_under_guard(call, values)).all()
        assert np.isfinite(_under_guard(call, values.tolist())).all()
    assert np.isfinite(_under_guard(network.derivative, values, values)).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "part", [{"field": {"name": "split"}}, {"network": {"name": "mlp", "width": 4, "depth": 1}}]
)
def test_a_stepper_is_made_and_rolled_out_under_the_transfer_guard(part: dict[str, Any]) -> None:
    """Of a table of numpy."""
    config = StepperConfig.model_validate(part, strict=False)
    stepper = _under_guard(partial(build_array_model, config, stepper_inputs(), key(0)))
    assert np.isfinite(_under_guard(partial(rollout, stepper), TABLE, 2)).all()


_MAPS = (
    ConvConfig(channels=(4,), padding="same"),
    UNetConfig(channels=(4, 4)),
    FFTConfig(),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "stride"), [*((one, 1) for one in _MAPS), *((one, 2) for one in _MAPS[:2])]
)
@pytest.mark.parametrize("dim", [2, 3])
def test_a_network_of_maps_is_made_and_evaluated_under_the_transfer_guard(
    config: ConvConfig | UNetConfig | FFTConfig, dim: int, stride: int
) -> None:
    """Of arrays of numpy, with a spline where it reads some points alone, as fft never does."""
    name = "magnetisation" if stride == 1 else "field"
    frame = MapFrame(
        inputs=(name,),
        targets=("potential",) if stride == 1 else ("field",),
        dim=dim,
        core=(5,) * dim,
        stride=stride,
        spacing=0.1,
    )
    given = 1 if stride == 1 else dim
    inputs = ArrayInputs(
        input=ArrayScales(
            name=name,
            shape=(dim, *frame.read),
            channel_axis=0,
            shift=(0.0,) * dim,
            scale=(1.0,) * dim,
        ),
        target=ArrayScales(
            name="target",
            shape=(given, *frame.core),
            channel_axis=0,
            shift=(0.0,) * given,
            scale=(1.0,) * given,
        ),
        map=frame,
    )
    network = _under_guard(partial(build_array_model, config, inputs, key(0)))
    values = np.ones((2, *inputs.input.shape), np.float32)
    assert np.isfinite(_under_guard(network, values)).all()
    assert np.isfinite(_under_guard(network.derivative, values, values)).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", _MAKE)
def test_a_model_is_made_fitted_and_evaluated_under_the_transfer_guard(name: str) -> None:
    """Of numbers of Python and arrays of numpy, which come from the host."""
    model = _under_guard(_MAKE[name])
    many = np.linspace(-2, 2, 400, dtype=np.float32).reshape(100, 4) + np.eye(100, 4, dtype="f4")
    rows, at = jax.device_put((many, many[:, :2]))
    model = _under_guard(model.fitted, rows, at, key(1))
    for call in (model, model.potential, model.field, model.flux_density):
        assert np.isfinite(_under_guard(call, _SOURCES.tolist(), _POINTS)).all()
    for call in (model.block, model.learned_block):
        for values in _under_guard(call, _SOURCES[None], _POINTS.tolist()):
            assert np.isfinite(values).all()
    labels_ = np.ones((1, 5)), np.ones((1, 5, 2))
    for values in _under_guard(model.errors, _SOURCES[None], _POINTS, *labels_):
        assert np.isfinite(values).all()


@pytest.mark.slow
def test_a_model_of_soft_boxes_is_made_fitted_and_evaluated_under_the_transfer_guard() -> None:
    """Its modes are made by numpy on the host."""
    columns = SourceColumns.of(
        "rectangle", varying=["susceptibility"], constants={"dimension_x": 1, "dimension_y": 1}
    )
    config = ReducedConfig(modes=4, divisions=4)
    model = _under_guard(partial(build_model, config, ModelInputs(columns=columns), key(0)))
    rows = np.array([[1, 0.5, 0, 0, 0], [0, 0, 1.5, 0.2, 20]], np.float32)
    model = _under_guard(model.fitted, *jax.device_put((rows, _POINTS)), key(1))
    for call in (model.potential, model.field, model.flux_density):
        assert np.isfinite(_under_guard(call, rows.tolist(), _POINTS)).all()
    for values in _under_guard(model.block, rows[None], _POINTS.tolist()):
        assert np.isfinite(values).all()


@pytest.mark.parametrize("make", _BODIES, ids=lambda make: make.func.__name__)
def test_a_body_is_made_and_evaluated_under_the_transfer_guard(make: Callable[[], Body]) -> None:
    """And put into a table."""
    body = _under_guard(make)
    points = [[3.0] * len(body.position)]
    for call in (body.potential, body.field):
        assert np.isfinite(_under_guard(call, points)).all()
    _, table = _under_guard(source_table, [body, body])
    assert len(table) == 2


def test_tables_are_evaluated_under_the_transfer_guard() -> None:
    """Tables of a user, and one of two kinds of bodies."""
    columns, table = _under_guard(source_table, [make() for make in _BODIES[:3]])
    assert columns.names[-1] == "body"
    assert len(table) == 3
    for call in _OF_TABLES:
        for values in jax.tree.leaves(_under_guard(call, _COLUMNS, _SOURCES, _POINTS.tolist())):
            assert np.isfinite(values).all()
    count = np.array([3])
    for both in (block_superposition, labels):
        arguments = (_COLUMNS, _SOURCES[None], count)
        for values in jax.tree.leaves(_under_guard(both, *arguments, _POINTS)):
            assert np.isfinite(values).all()
    codes = _under_guard(region_codes, _COLUMNS, _SOURCES[None, None], _POINTS[None])
    assert codes.shape == (1, 1, 5)


@pytest.mark.slow
@pytest.mark.parametrize("mode", _MODES)
def test_a_model_is_trained(mode: str, tiny: Dataset, tmp_path: Path) -> None:
    """By the optimiser of the shipped recipe."""
    with _MODES[mode]():
        run = train(
            tiny,
            tmp_path / "run",
            model={"width": 8, "hwidth": 0.5},
            schedule={"max_steps": 2},
            quiet=True,
        )
    assert (run.directory / "model.hm").exists()
