"""Preparation of a training by rollouts."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from hypermagnetics.data import Dataset, SplitLayout, verify_split
from hypermagnetics.data.array_view import ArrayView, Viewed, names_of_trajectories
from hypermagnetics.data.schedule import Windows
from hypermagnetics.data.trajectories import SUBSTEPS
from hypermagnetics.dynamics import AnyStatePhysics, field_of_others, physics_of
from hypermagnetics.errors import DatasetError, ExtensionError, RecipeError
from hypermagnetics.log import Listener
from hypermagnetics.models import (
    ArrayInputs,
    ArrayModel,
    ArrayScales,
    MapFrame,
    MomentFrame,
    StepFrame,
    StepperConfig,
    build_array_model,
    is_of_arrays,
    is_of_maps,
)
from hypermagnetics.models.state_data import (
    boundary_of_states,
    dynamics_of_moments,
    time_step_of_states,
)
from hypermagnetics.models.user import UserModelConfig, check_user_array_model
from hypermagnetics.train.array_setup import refuse_keys_of_sources
from hypermagnetics.train.config import ObjectiveConfig, TrainingRecipe
from hypermagnetics.train.devices import unchanged
from hypermagnetics.train.losses import check_point_loss
from hypermagnetics.train.objective import make_rollout_objective, terms_of_rollouts
from hypermagnetics.train.parts import Parts
from hypermagnetics.train.refused_keys import Unused, refuse_keys
from hypermagnetics.train.scales import pooled_rms, rms
from hypermagnetics.train.source_inputs import inputs_of
from hypermagnetics.train.terms import Physics, RolloutFacts
from hypermagnetics.train.user_code import UserCode
from hypermagnetics.user_code import must

_Inputs = Float[Array, "blocks samples ..."]


def rollout_parts(
    recipe: TrainingRecipe, dataset: Dataset, code: UserCode, listener: Listener
) -> Parts:
    """Prepare data, network and objective; arguments as of `array_parts`.

    Raises:
        DatasetError: If a split does not exist, or has no trajectories, or zeros alone.
        ExtensionError: If code of a user breaks a rule.
        RecipeError: If a key of the recipe means nothing for trajectories, or does not fit them.
    """
    _refuse_other_keys(recipe)
    config = recipe.objective
    assert isinstance(config, ObjectiveConfig), "its kind was looked at"
    train, valid = (_view(dataset, name) for name in (recipe.data.train, recipe.data.valid))
    states = train.viewed["states"]
    _refuse_other_shapes(train, valid)
    inputs = _inputs(recipe, dataset, train, code)
    if code.model is not None and isinstance(recipe.model, UserModelConfig):
        assert issubclass(code.model, ArrayModel), "its kind was looked at"
        check_user_array_model(code.model, recipe.model, inputs)
    frame = inputs.steps
    assert frame is not None, "it was made above"
    for name, loss in code.losses.items():
        check_point_loss(loss, name, frame.vector_size, config.place_of(name))
    template: ArrayModel = eqx.filter_eval_shape(
        lambda: build_array_model(recipe.model, inputs, jr.key(0), code.model)
    )
    terms = terms_of_rollouts(config)
    known = {
        name: _physics(name, term.physics, term.of, dataset, train, valid, inputs, code.physics)
        for name, term in terms.items()
    }
    facts = RolloutFacts(
        frame=frame,
        rms=pooled_rms(states.statistics) if frame.moments is None else _unit_of_moments(train),
        num_steps=states.shape[0] - 1,
        physics=known.__getitem__,
    )
    objective = make_rollout_objective(config, facts, code.losses)
    if recipe.data.check == "all":
        for view in (train, valid):
            verify_split(view.split, listener)
    length = max(term.num_states for term in terms.values())
    return Parts(
        train,
        valid,
        inputs,
        template,
        objective,
        unchanged,
        unchanged,
        windows=_windows(train, length, recipe.data.windows_per_sample),
        windows_of_valid=_windows(valid, length, 1),
    )


def _windows(view: ArrayView, length: int, per_sample: int) -> Windows:
    num_states = view.viewed["states"].shape[0]
    if num_states < length:
        raise DatasetError(
            f"Trajectories must have at least {length} states, those of a rollout; got "
            f"{num_states} (split {view.name!r} of {view.directory}). Lower rollout_steps."
        )
    return Windows(num_states, length, view.layout.samples_per_block, per_sample)


def _refuse_other_shapes(train: ArrayView, valid: ArrayView) -> None:
    wanted, found = (view.viewed["states"].shape[1:] for view in (train, valid))
    if found != wanted:
        raise DatasetError(
            f"States of the splits must have one shape, {list(wanted)}; got {list(found)} (split "
            f"{valid.name!r} of {valid.directory}). Give each split as many sources."
        )


def _refuse_other_keys(recipe: TrainingRecipe) -> None:
    has_field = isinstance(recipe.model, StepperConfig) and recipe.model.field is not None
    if not has_field:
        refuse_keys_of_sources(recipe)
    known = isinstance(recipe.model, StepperConfig | UserModelConfig)
    if not known and not is_of_arrays(recipe.model):
        raise RecipeError(
            "A training by rollouts must have a network that gives the next state; got "
            f"{recipe.model.name!r}, which reads sources (model.name). Take 'stepper' for "
            "moments, with model.field, or 'mlp' or 'conv' for states."
        )
    data = recipe.data
    wanted = {
        "data.points_per_step": Unused(data.points_per_step, None, "states are read whole"),
        "data.crop": Unused(data.crop, None, "states are read whole"),
        "data.augment": Unused(data.augment, (), "symmetries of sources change how they go on"),
        "data.noise": Unused(data.noise, None, "trajectories are exact"),
        "data.input": Unused(data.input, None, "the trajectories are known by their name"),
        "data.target": Unused(data.target, None, "the trajectories are known by their name"),
        "map": Unused(recipe.map, None, "the grid of states is that of the dataset"),
    }
    refuse_keys(wanted, "for a training by rollouts")


def _view(dataset: Dataset, name: str) -> ArrayView:
    split = dataset.any_split(name)
    return ArrayView(split, names_of_trajectories(split))


def _inputs(
    recipe: TrainingRecipe, dataset: Dataset, train: ArrayView, code: UserCode
) -> ArrayInputs:
    states = train.viewed["states"]
    if not pooled_rms(states.statistics) > 0:
        raise DatasetError(
            f"{states.name} must differ from zero somewhere to be learned from; got zeros only "
            f"(split {train.name!r} of {train.directory}). Train on another split or dataset."
        )
    if isinstance(train.layout, SplitLayout):
        return _inputs_of_moments(recipe, dataset, train, code)
    return _inputs_of_states(recipe, dataset, train)


def _inputs_of_states(recipe: TrainingRecipe, dataset: Dataset, train: ArrayView) -> ArrayInputs:
    states = train.viewed["states"]
    shape, of_maps = states.shape[1:], is_of_maps(recipe.model)
    if isinstance(recipe.model, StepperConfig):
        raise RecipeError(
            "Model 'stepper' must have moments that move; got states without sources (model.name, "
            f"{train.directory}). Take 'mlp' or 'conv'."
        )
    if of_maps and len(shape) < 2:
        raise RecipeError(
            f"Model {recipe.model.name!r} must have states on a grid, (channels, *spatial); got "
            f"states of shape {list(shape)} (model.name, {train.directory}). Take 'mlp'."
        )
    axis = None if states.channel_axis is None else states.channel_axis - 1
    found = states.statistics
    # Fields keep their zero, which convolutions take for nothing there, and their proportions.
    shift, scale = found.mean, found.std
    if of_maps:
        count = len(found.mean)
        shift, scale = (0.0,) * count, (pooled_rms(found),) * count
    both = ArrayScales(
        name=states.name,
        shape=shape,
        unit=states.unit,
        channel_axis=axis,
        shift=shift,
        scale=tuple(one or 1.0 for one in scale),
        ranges=tuple(zip(found.min, found.max, strict=True)),
    )
    frame = None
    if of_maps:
        frame = MapFrame(
            inputs=("inputs",),
            targets=("targets",),
            dim=len(shape) - 1,
            core=shape[1:],
            boundary=boundary_of_states(dataset),
        )
    return ArrayInputs(
        input=both,
        target=both,
        map=frame,
        steps=StepFrame(time_step=time_step_of_states(dataset)),
    )


def _inputs_of_moments(
    recipe: TrainingRecipe, dataset: Dataset, train: ArrayView, code: UserCode
) -> ArrayInputs:
    if not isinstance(recipe.model, StepperConfig | UserModelConfig):
        raise RecipeError(
            f"Moments that move must have a model 'stepper'; got {recipe.model.name!r}, which "
            'knows nothing of sources (model.name). Take model = { name = "stepper", network = '
            '{ name = "mlp" } }, or one with a field.'
        )
    dynamics = dynamics_of_moments(dataset)
    sources = inputs_of(recipe, dataset, code.normalisation)
    moments = MomentFrame(dynamics=dynamics, sources=sources)
    states, table = train.viewed["states"], train.viewed["sources"]
    config = recipe.model
    scale, unit = (1.0,) * moments.width, 1.0
    if not (isinstance(config, StepperConfig) and config.field is not None):
        # Nothing is shifted, so that rows of zeros are zeros inside.
        unit = _unit_of_moments(train)
        each = [rms((m,), (s,)) or 1.0 for m, s in _columns(table)]
        each[: moments.dim] = [unit] * moments.dim
        scale = (*each, *(each[: moments.dim] * dynamics.num_kept))
    return ArrayInputs(
        input=ArrayScales(
            name=table.name,
            shape=(table.shape[0], moments.width),
            columns=moments.names,
            channel_axis=1,
            shift=(0.0,) * moments.width,
            scale=scale,
        ),
        target=ArrayScales(
            name=states.name, shape=states.shape[1:], unit=states.unit, scale=(unit,)
        ),
        steps=StepFrame(time_step=dynamics.seconds, moments=moments),
    )


def _columns(table: Viewed) -> list[tuple[float, float]]:
    return list(zip(table.statistics.mean, table.statistics.std, strict=True))


def _unit_of_moments(train: ArrayView) -> float:
    """Root mean square of the norm of a moment of a body; of rows that are none it is 0."""
    states, counts = train.viewed["states"], train.split.statistics("num_sources")
    share = counts.mean[0] / states.shape[1]
    return rms(states.statistics.mean, states.statistics.std) / math.sqrt(share)


def _physics(
    name: str,
    given: object,
    of: str,
    dataset: Dataset,
    train: ArrayView,
    valid: ArrayView,
    inputs: ArrayInputs,
    functions: Mapping[str, Callable[..., Any]],
) -> Physics | None:
    """Reference physics of a term: a function of a user, that of a table, or the dataset's."""
    where = f"objective.terms.{name}.physics"
    frame = inputs.steps
    assert frame is not None, "it is of trajectories"
    if isinstance(given, str):
        return _of_user(given, functions[given], of, inputs, where)
    if frame.moments is not None:
        if given is not None:
            raise RecipeError(
                "Reference physics of moments must be that of their dataset, or a function; got a "
                f"table ({where}). Leave it out."
            )
        return _of_dynamics(frame.moments, (train, valid))
    physics = physics_of(dataset.manifest.recipe) if given is None else given
    if physics is None:
        return None
    assert isinstance(physics, AnyStatePhysics), "a table is one of these"
    if given is not None:
        _refuse_settings_of_the_start(physics, where)
    if physics.shape != inputs.target.shape:
        raise RecipeError(
            f"Reference physics must be of the states of the dataset, {list(inputs.target.shape)}; "
            f"got {list(physics.shape)} of {physics.kind!r} ({where}). Change its settings."
        )
    own, found = physics.seconds, frame.time_step
    if own is not None and found is not None and not math.isclose(own, found):
        raise RecipeError(
            f"Reference physics must make the steps of the dataset, of {found:g}; got steps of "
            f"{own:g} ({where}.time_step). Change it."
        )
    return Physics(physics.next_state, physics.residual)


def _refuse_settings_of_the_start(physics: AnyStatePhysics, where: str) -> None:
    for key in ("num_steps", *physics.of_the_start):
        found = getattr(physics, key)
        if found != type(physics).model_fields[key].default:
            raise RecipeError(
                f"Reference physics must leave out {key}, which is of the start of trajectories "
                f"alone; got {found} ({where}.{key}). Remove it."
            )


def _of_dynamics(moments: MomentFrame, views: Sequence[ArrayView]) -> Physics:
    """The dynamics of a dataset, in the substeps of its hardest sample."""
    columns, dynamics = moments.sources.columns, moments.dynamics
    exact = partial(field_of_others, dim=columns.dim)
    substeps = max(round(view.split.statistics(SUBSTEPS).max[0]) for view in views)

    def step(inputs: _Inputs) -> _Inputs:
        return dynamics.next_moments(inputs, columns, exact, substeps)

    def residual(states: _Inputs, inputs: _Inputs) -> _Inputs:
        return dynamics.residual(states, inputs, columns, exact)

    return Physics(step, residual)


def _of_user(
    name: str, function: Callable[..., Any], of: str, inputs: ArrayInputs, where: str
) -> Physics:
    """A function of a user: of one state, or of the state behind a step and the one before."""
    state = jax.ShapeDtypeStruct(inputs.target.shape, jnp.float32)
    before = jax.ShapeDtypeStruct(inputs.input.shape, jnp.float32)
    arguments = (before,) if of == "trajectory" else (state, before)
    rule = (
        f"{name} must give an array of floats of shape {inputs.target.shape} for "
        f"{' and '.join(str(one.shape) for one in arguments)}"
    )
    with must(rule, function, where):
        found = eqx.filter_eval_shape(function, *arguments)
    if not (
        isinstance(found, jax.ShapeDtypeStruct)
        and found.shape == state.shape
        and jnp.issubdtype(found.dtype, jnp.floating)
    ):
        got = eqx.tree_pformat(found, struct_as_array=True).replace("\n", " ")
        raise ExtensionError(f"{rule}; got {got} ({where}). Give a value for each of the state.")

    def step(values: _Inputs) -> _Inputs:
        after: Array = jax.vmap(jax.vmap(function))(values)
        return after.astype(values.dtype)

    def residual(states: _Inputs, values: _Inputs) -> _Inputs:
        violation: Array = jax.vmap(jax.vmap(function))(states, values)
        return violation.astype(states.dtype)

    return Physics(step, residual)
