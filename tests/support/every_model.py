"""A small model for every entry of the registry of models, and all that it predicts."""

from collections.abc import Callable
from functools import cache, partial
from typing import Annotated, Any, NamedTuple, get_args, get_origin

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from shipped_models import POINTS, SOURCES, Function, calls, model_of
from small_networks import NETWORK
from small_steppers import TABLE, stepper_inputs

from hypermagnetics.config import Config
from hypermagnetics.models import (
    AnyModel,
    ArrayInputs,
    ArrayModel,
    ArrayScales,
    ConvConfig,
    FFTConfig,
    FourierSeriesConfig,
    GridSplitConfig,
    HyperMLPConfig,
    LinearConfig,
    MapFrame,
    MLPConfig,
    ModelInputs,
    RangeSplitConfig,
    Reduced,
    ReducedConfig,
    StepFrame,
    Stepper,
    StepperConfig,
    UNetConfig,
    WaveLayerConfig,
    build_array_model,
    rollout,
)
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.models.registry import ModelConfig
from hypermagnetics.models.user import UserModelConfig
from hypermagnetics.table import SourceColumns

_CHANGE = 0.1
"""Standard deviation of the change of parameters that begin at zero."""
_NUM_STEPS = 3
_DIFFERENTIATED = ("potential_and_field", "block", "errors")

SOFT = SourceColumns.of(
    "rectangle",
    varying=("dimension_x", "dimension_y", "angle", "susceptibility", "applied_x", "applied_y"),
)
SOFT_BOXES = jnp.array(
    [
        [1.0, -0.4, 0.1, 0.0, 0.6, 0.8, 0.2, 0.0, 0.3, -0.1],
        [0.0, 0.0, 1.2, 0.2, 1.0, 1.0, 0.0, 1.0, 0.3, -0.1],
        [0.1, 0.3, -1.3, 0.4, 1.5, 1.5, 0.9, 0.5, 0.3, -0.1],
    ],
    jnp.float32,
)
"""A hard rectangle and two soft squares."""


Call = tuple[Function, tuple[Any, ...]]
"""A function, with arguments."""


class Case(NamedTuple):
    """A model that is shipped."""

    config: type[Config]
    """Class of its settings, by which the registry knows it."""
    make: Callable[[], AnyModel]
    has_products: bool = True
    """Whether a prediction multiplies matrices, or convolves."""


def moved(model: AnyModel) -> AnyModel:
    """A model whose parameters are changed a little: some begin at zero, and so predict zero."""
    random = np.random.default_rng(7)

    def changed(leaf: jax.Array) -> jax.Array:
        return leaf + jnp.asarray(_CHANGE * random.normal(size=leaf.shape), leaf.dtype)

    found: AnyModel = jax.tree.map(changed, model)
    return found


def soft_squares() -> AnyModel:
    """A Reduced with modes that are drawn, as a fit takes seconds."""
    config = ReducedConfig(aspects=((1.0, 1.0),), modes=6, divisions=4)
    return moved(Reduced(config, ModelInputs(columns=SOFT)))


def inputs_of_maps(
    channels: tuple[int, int], frame: MapFrame, steps: StepFrame | None
) -> ArrayInputs:
    """Maps of order 1 with these channels, read and given."""
    read, given = (
        ArrayScales(
            name=name,
            shape=(count, *sides),
            channel_axis=0,
            shift=(0.0,) * count,
            scale=(1.0,) * count,
        )
        for name, count, sides in zip(
            ("inputs", "targets"), channels, (frame.read, frame.core), strict=True
        )
    )
    return ArrayInputs(input=read, target=given, map=frame, steps=steps)


def network_of_maps(
    config: Config,
    *,
    channels: tuple[int, int] = (2, 1),
    stride: int = 1,
    steps: StepFrame | None = None,
) -> AnyModel:
    """A network from maps to maps of imported arrays."""
    core = (9, 9) if stride > 1 else (8, 8)
    frame = MapFrame(inputs=("inputs",), targets=("targets",), dim=2, core=core, stride=stride)
    return build_array_model(config, inputs_of_maps(channels, frame, steps), jr.key(0))


def stepper(**part: object) -> AnyModel:
    """A stepper of three spheres."""
    config = StepperConfig.model_validate(part, strict=False)
    return build_array_model(config, stepper_inputs(), jr.key(0))


_SAME = ConvConfig(channels=(4,), padding="same")
_OF_HARD_MAGNETS: dict[str, type[Config]] = {
    "hyper_layer": HyperLayerConfig,
    "hyper_mlp": HyperMLPConfig,
    "linear": LinearConfig,
    "fourier_series": FourierSeriesConfig,
    "grid_split": GridSplitConfig,
    "wave_layer": WaveLayerConfig,
    "range_split": RangeSplitConfig,
}
CASES: dict[str, Case] = {
    **{name: Case(kind, partial(model_of, name)) for name, kind in _OF_HARD_MAGNETS.items()},
    "reduced": Case(ReducedConfig, soft_squares),
    "mlp": Case(MLPConfig, lambda: NETWORK),
    "conv": Case(ConvConfig, lambda: network_of_maps(_SAME)),
    "super_resolution": Case(ConvConfig, lambda: network_of_maps(_SAME, stride=4)),
    "conv_of_states": Case(
        ConvConfig,
        lambda: network_of_maps(_SAME, channels=(1, 1), steps=StepFrame(time_step=0.5)),
    ),
    "unet": Case(UNetConfig, lambda: network_of_maps(UNetConfig(channels=(4, 4)))),
    "fft": Case(FFTConfig, lambda: moved(network_of_maps(FFTConfig())), has_products=False),
    "stepper_of_a_field": Case(
        StepperConfig, lambda: stepper(field={"name": "linear"}, substeps=1)
    ),
    "stepper_of_a_network": Case(
        StepperConfig, lambda: stepper(network={"name": "mlp", "width": 4, "depth": 1})
    ),
}
"""By name; a kind of model may have several."""


def registered(kind: Any = ModelConfig) -> set[type[Config]]:
    """Classes of the settings of all models that are shipped."""
    if isinstance(kind, type):
        return set() if kind is UserModelConfig else {kind}
    members = get_args(kind)
    if get_origin(kind) is Annotated:
        return registered(members[0])
    return set().union(*map(registered, members))


@cache
def made(name: str) -> AnyModel:
    """The model of a case."""
    return CASES[name].make()


def all_calls(name: str) -> list[Call]:
    """All that the model of a case gives from arrays, with arguments.

    Of soft boxes and of steppers, which take seconds to trace, not what is made of these alone.
    """
    model = made(name)
    if isinstance(model, ArrayModel):
        x = _arguments_of(model)
        found = [(model, (x,)), *_rollouts(model)]
        if isinstance(model, Stepper):
            return found
        changes = (model.derivative, (x, x)), (model.with_derivatives, (x, x[..., None]))
        return [*found, (model.jacobian, (x,)), *changes]
    if model.inputs.columns.is_soft:
        tables = jnp.stack([SOFT_BOXES, 2 * SOFT_BOXES])
        block = (model.block, (tables, POINTS))
        return [*differentiated(name), block, (model.flux_density, (SOFT_BOXES, POINTS))]
    return calls(model)


def differentiated(name: str) -> list[Call]:
    """Those of `all_calls` whose derivatives are no parts of others."""
    model = made(name)
    if isinstance(model, ArrayModel):
        return _rollouts(model) or [(model, (_arguments_of(model),))]
    if model.inputs.columns.is_soft:
        return [(model.potential_and_field, (SOFT_BOXES, POINTS))]
    return [call for call in calls(model) if getattr(call[0], "__name__", "") in _DIFFERENTIATED]


def main_prediction(name: str) -> tuple[Callable[..., Any], tuple[jax.Array, ...]]:
    """A function of a model and arrays, and the arrays: values, and those of a rollout."""
    model = made(name)
    if not isinstance(model, ArrayModel):
        rows = SOFT_BOXES if model.inputs.columns.is_soft else SOURCES
        return lambda of, *given: of.potential_and_field(*given), (rows, POINTS)
    x = _arguments_of(model)
    if model.inputs.steps is None:
        return lambda of, given: of(given), (x,)
    return lambda of, given: (of(given), rollout(of, given, _NUM_STEPS)), (x,)


def _rollouts(model: ArrayModel) -> list[Call]:
    """None of a network that does not give the next state."""
    if model.inputs.steps is None:
        return []
    return [(lambda start: rollout(model, start, _NUM_STEPS), (_arguments_of(model),))]


def _arguments_of(model: ArrayModel) -> jax.Array:
    """Two samples."""
    shape = (2, *model.inputs.input.shape)
    values = TABLE if model.inputs.input.columns else np.random.default_rng(5).normal(size=shape)
    return jnp.broadcast_to(jnp.asarray(values, jnp.float32), shape)
