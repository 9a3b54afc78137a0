"""A small model of every kind that is shipped, with arrays to predict from."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from card_figures import Place

from hypermagnetics.config import Config
from hypermagnetics.dynamics.llg import LLG
from hypermagnetics.models import (
    AnyModel,
    ArrayInputs,
    ArrayScales,
    ConvConfig,
    FFTConfig,
    FourierSeriesConfig,
    GridSplit,
    GridSplitConfig,
    LinearConfig,
    MapFrame,
    MLPConfig,
    ModelInputs,
    MomentFrame,
    RangeSplitConfig,
    ReducedConfig,
    StepFrame,
    StepperConfig,
    UNetConfig,
    WaveLayerConfig,
    build_array_model,
    build_model,
)
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.models.hyper_mlp import HyperMLPConfig
from hypermagnetics.sources import BodyName, SourceColumns

HALF_WIDTH = 3.0
"""Of the square or cube of points, where sources do not fill it with constant density [m]."""

_EDGES = {f"dimension_{axis}": 0.5 for axis in "xyz"}
_UNTURNED = {"rotation_w": 1.0, **{f"rotation_{axis}": 0.0 for axis in "xyz"}}
BODIES: dict[str, tuple[BodyName, int, dict[str, float]]] = {
    "dipoles in 2D": ("dipole", 2, {}),
    "discs": ("disc", 2, {"radius": 0.3}),
    "rectangles": ("rectangle", 2, {"dimension_x": 0.5, "dimension_y": 0.5, "angle": 0.0}),
    "dipoles in 3D": ("dipole", 3, {}),
    "spheres": ("sphere", 3, {"radius": 0.3}),
    "cuboids": ("cuboid", 3, {**_EDGES, **_UNTURNED}),
}
_SOFT = ("rectangles", "cuboids")
_SUSCEPTIBILITY = 1.0

_CHANGE = 0.1
"""Standard deviation of the change of parameters that begin at zero."""


class Prediction(NamedTuple):
    """A model, and how and from what it predicts."""

    model: AnyModel
    bodies: str
    """Bodies or arrays that it reads."""
    predict: Callable[..., Any]
    """Function of the model and the arguments."""
    arguments: tuple[jax.Array, ...]
    quantities: tuple[str, ...]
    """Names of its arrays."""


def columns_of(bodies: str) -> SourceColumns:
    """Columns of bodies of one size."""
    body, dim, constants = BODIES[bodies]
    return SourceColumns.of(body, dim=dim, constants=constants)


def points_of(count: int, dim: int, half_width: float = HALF_WIDTH) -> jax.Array:
    """Points in a square or a cube."""
    return jr.uniform(jr.key(4), (count, dim), minval=-half_width, maxval=half_width)


def source_configs(place: Place) -> tuple[Config, ...]:
    """Settings of the models of hard magnets."""
    return (
        HyperLayerConfig(width=place.size(256, 16), depth=2, hwidth=1.0, hdepth=2),
        HyperMLPConfig(width=place.size(20, 4)),
        FourierSeriesConfig(order=4),
        LinearConfig(),
        RangeSplitConfig(rank=place.size(256, 8), waves=place.size(1024, 16)),
        GridSplitConfig(domain=2.0, accuracy=0.1, largest_extent=0.5),
        WaveLayerConfig(width=place.size(256, 16), source_width=place.size(128, 16)),
    )


def soft_config(dim: int) -> ReducedConfig:
    """Settings of the model of soft boxes."""
    return ReducedConfig(aspects=((1.0,) * dim,), modes=8, divisions=4)


def network_configs(place: Place) -> dict[str, Config]:
    """Settings of the networks from arrays to arrays, by what they read."""
    channels = (place.size(16, 4), place.size(32, 4))
    return {
        "arrays": MLPConfig(width=place.size(128, 8), depth=3),
        "maps": ConvConfig(channels=channels, padding="same"),
        "every fourth point": ConvConfig(channels=channels, padding="same"),
        "maps, on two grids": UNetConfig(channels=channels),
        "maps, at once": FFTConfig(),
        "moments": StepperConfig(network=MLPConfig(width=place.size(128, 8), depth=2)),
        "moments, by their field": StepperConfig(field=LinearConfig()),
    }


def every_prediction(place: Place) -> Iterator[Prediction]:
    """Those of every model for every body that it serves; of few of them in a trial."""
    for bodies in ("discs",) if place.is_small else BODIES:
        for config in source_configs(place):
            yield _of_sources(place, config, bodies)
    for bodies in _SOFT[:1] if place.is_small else _SOFT:
        yield _of_soft_boxes(place, bodies)
    for reads, config in network_configs(place).items():
        yield _of_arrays(place, config, reads)


def _of_sources(place: Place, config: Config, bodies: str) -> Prediction:
    columns = columns_of(bodies)
    model = build_model(config, ModelInputs(columns=columns), jr.key(0))
    if isinstance(model, GridSplit):
        model = model.fitted_to_domain()
    if isinstance(config, WaveLayerConfig):
        model = _moved(model)
    rows = jr.normal(jr.key(1), (place.size(64, 2), 4, columns.size))
    return _of_block(place, model, bodies, rows)


def _of_soft_boxes(place: Place, bodies: str) -> Prediction:
    """One hard box and three soft ones, far from each other."""
    body, dim, constants = BODIES[bodies]
    known = {name: value for name, value in constants.items() if name != "susceptibility"}
    columns = SourceColumns.of(body, dim=dim, constants=known, varying=("susceptibility",))
    model = _moved(build_model(soft_config(dim), ModelInputs(columns=columns), jr.key(0)))
    count = place.size(16, 2)
    rows = np.zeros((count, 4, columns.size), np.float32)
    random = np.random.default_rng(1)
    rows[:, 0, :dim] = random.normal(size=(count, dim))
    corners = np.array([[-1, -1, 0], [1, -1, 0], [-1, 1, 0], [1, 1, 0]])[:, :dim]
    rows[..., dim : 2 * dim] = 1.5 * corners + random.uniform(-0.3, 0.3, (count, 4, dim))
    rows[:, 1:, columns.index("susceptibility")] = _SUSCEPTIBILITY
    return _of_block(place, model, f"soft {bodies}", jnp.asarray(rows))


def _of_block(place: Place, model: AnyModel, bodies: str, rows: jax.Array) -> Prediction:
    points = points_of(place.size(512, 16), model.inputs.dim)
    arguments, quantities = (rows, points), ("potential", "field")
    return Prediction(model, bodies, lambda of, *given: of.block(*given), arguments, quantities)


def _of_arrays(place: Place, config: Config, reads: str) -> Prediction:
    stride = 4 if reads == "every fourth point" else 1
    match config:
        case StepperConfig():
            inputs = _inputs_of_moments()
        case MLPConfig():
            inputs = ArrayInputs(
                input=ArrayScales(name="inputs", shape=(8,)),
                target=ArrayScales(name="targets", shape=(16,)),
            )
        case _:
            inputs = _inputs_of_maps(place.size(64, 8) + (stride > 1), stride)
    model = build_array_model(config, inputs, jr.key(0))
    if isinstance(config, FFTConfig):
        model = _moved(model)
    values = jr.normal(jr.key(6), (place.size(64, 2), *inputs.input.shape), jnp.float32)
    return Prediction(model, reads, lambda of, given: of(given), (values,), ("values",))


def _inputs_of_maps(side: int, stride: int) -> ArrayInputs:
    frame = MapFrame(
        inputs=("inputs",), targets=("targets",), dim=2, core=(side, side), stride=stride
    )
    of_maps = partial(ArrayScales, channel_axis=0)
    return ArrayInputs(
        input=of_maps(name="inputs", shape=(2, *frame.read), shift=(0.0, 0.0), scale=(1.0, 1.0)),
        target=of_maps(name="targets", shape=(1, *frame.core)),
        map=frame,
    )


def _inputs_of_moments() -> ArrayInputs:
    """Those of four spheres."""
    dynamics = LLG(kind="llg", time_step=1e-5, num_steps=5, applied_field=(0.0, 0.0, 0.2))
    frame = MomentFrame(dynamics=dynamics, sources=ModelInputs(columns=columns_of("spheres")))
    return ArrayInputs(
        input=ArrayScales(name="sources", shape=(4, frame.width), columns=frame.names),
        target=ArrayScales(name="moments", shape=(4, 3), unit="A m^2"),
        steps=StepFrame(time_step=dynamics.seconds, moments=frame),
    )


def _moved(model: AnyModel) -> AnyModel:
    """A model whose parameters are changed a little: some begin at zero, and so predict zero."""
    random = np.random.default_rng(7)

    def changed(leaf: jax.Array) -> jax.Array:
        return leaf + jnp.asarray(_CHANGE * random.normal(size=leaf.shape), leaf.dtype)

    found: AnyModel = jax.tree.map(changed, model)
    return found
