"""Models of users: imported by name, built, and checked before the first step."""

import inspect
from collections.abc import Callable
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from pydantic import Field, JsonValue

from hypermagnetics.config import Config, nearest
from hypermagnetics.errors import ExtensionError
from hypermagnetics.models.array_inputs import ArrayInputs
from hypermagnetics.models.array_model import ArrayModel
from hypermagnetics.models.inputs import ModelInputs
from hypermagnetics.models.model import Model
from hypermagnetics.models.parts import parts_of
from hypermagnetics.shapes import AnyKey, Points, SourceTable
from hypermagnetics.user_code import UserName, checked_user_name, import_user_code, must

UserModel = type[Model] | type[ArrayModel]
"""Class of a user's model."""

_MEMBERS = ("config", "inputs", "weights", "evaluate", "rank")
"""Members that a class must define."""
_ARRAY_MEMBERS = ("config", "inputs", "apply")
"""Those of a network from arrays to arrays."""
_SAMPLES, _SOURCES, _POINTS = 2, 3, 5
"""Sizes of the trial tables: different, so that axes cannot be confused."""
_TOLERANCE = 1e-2
"""Tolerance of a field, in units of the largest gradient; rounding errors are far smaller."""


class UserModelConfig(Config):
    """A user's model: its class, and keyword arguments beside `inputs` and `key`."""

    name: UserName
    """Model of your own: its class, as `module:Class`."""
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    """Settings of the model: keyword arguments of the class."""


def import_user_model(name: str, where: str) -> UserModel:
    """Import the class of a user's model.

    Args:
        name: `module:Class`, as the user has given it.
        where: Option or key of the recipe that holds it, for messages.

    Returns:
        The class, which defines all that a model must.

    Raises:
        ExtensionError: If there is no such class, it is no `Model`, or it leaves members out.
    """
    found = import_user_code(name, where)
    if not inspect.isclass(found):
        raise ExtensionError(
            f"A user's model must be a class; got {name}, of type {type(found).__name__} "
            f"({where}). Name the class."
        )
    if not issubclass(found, Model | ArrayModel):
        raise ExtensionError(
            f"A user's model must derive from hypermagnetics.models.Model; got {name}, which does "
            f"not{_without(found)} ({where}). See docs/extending.md."
        )
    members = _MEMBERS if issubclass(found, Model) else _ARRAY_MEMBERS
    missing = {*found.__abstractmethods__, *getattr(found, "__abstractvars__", ())}
    if missing:
        listed = [member for member in members if member in missing]
        raise ExtensionError(
            f"A user's model must define {', '.join(members)}; got {name} without "
            f"{', '.join(listed)} ({where}). Add them to the class, see docs/extending.md."
        )
    return found


def class_name(user_model: UserModel) -> str:
    """Name `module:Class` of a class by its defining module, as used in files.

    Raises:
        ExtensionError: If it is not defined at the top of a module, so that no name leads to it.
    """
    name = f"{user_model.__module__}:{user_model.__qualname__}"
    try:
        return checked_user_name(name)
    except ValueError as error:
        raise ExtensionError(
            f"The class of a model must be defined at the top of a module, for files to name it; "
            f"got {name}. Move it there."
        ) from error


def build_user_model(
    user_model: UserModel,
    config: UserModelConfig,
    inputs: ModelInputs | ArrayInputs,
    key: AnyKey,
) -> Model | ArrayModel:
    """Make a model of a user's class with fresh parameters.

    Raises:
        ExtensionError: If the class refuses the settings.
    """
    # The constructor is the user's, and that of Model says nothing about its arguments.
    make: Callable[..., Model | ArrayModel] = user_model
    rule = f"{config.name} must be built from inputs, key and its settings, {config.settings}"
    with must(rule, user_model, "model.settings"):
        return make(inputs=inputs, key=key, **config.settings)


def check_user_model(user_model: type[Model], config: UserModelConfig, inputs: ModelInputs) -> None:
    """Check a model against the rules of `Model`, by shapes and a few values.

    Args:
        user_model: The class.
        config: Its settings.
        inputs: Inputs of the model.

    Raises:
        ExtensionError: If it cannot be built, or built again from its own `config`; if it has other
            `inputs`, nothing to train, a name in `kept` that no part has, or another `rank` than
            Model allows; if potential and field
            are not arrays of the right shapes; or, with fresh parameters, rows of zeros add to the
            weights or the field is not the negative gradient of the potential.
    """
    class_name(user_model)
    model = _checked_shapes(user_model, config, inputs)
    _check_rank(model, config.name)
    _check_shapes(user_model, model, config.name)
    _check_padding(user_model, config, inputs)
    _check_field(user_model, config, inputs)


def check_user_array_model(
    user_model: type[ArrayModel], config: UserModelConfig, inputs: ArrayInputs
) -> None:
    """Check a network from arrays to arrays against the rules of `ArrayModel`, by shapes.

    Args:
        user_model: The class.
        config: Its settings.
        inputs: Shapes and scales of inputs and targets.

    Raises:
        ExtensionError: If it cannot be built, or built again from its own `config`; if it has other
            `inputs`, or nothing to train; or if it gives another shape than that of the targets.
    """
    class_name(user_model)
    model = _checked_shapes(user_model, config, inputs)
    sample = jax.ShapeDtypeStruct(inputs.input.shape, jnp.float32)
    wanted = inputs.target.shape
    rule = f"apply of {config.name} must give an array of floats of shape {wanted}"
    place = f"model.name, of an array of shape {inputs.input.shape}"
    with must(rule, user_model, place):
        found = eqx.filter_eval_shape(lambda one, values: one.apply(values), model, sample)
    if not (isinstance(found, jax.ShapeDtypeStruct) and found.shape == wanted):
        got = eqx.tree_pformat(found, struct_as_array=True).replace("\n", " ")
        raise ExtensionError(
            f"{rule}; got {got} ({place}). Give one value for each of the targets."
        )


_Built = TypeVar("_Built", Model, ArrayModel)


def _checked_shapes(
    user_model: type[_Built], config: UserModelConfig, inputs: ModelInputs | ArrayInputs
) -> _Built:
    """Structure of a model that can be built, and built again from its own settings."""
    model = _shapes_of(user_model, config, inputs)
    _check_attributes(model, config.name, inputs)
    kept = UserModelConfig(name=config.name, settings=model.config.model_dump(mode="json"))
    again = _shapes_of(user_model, kept, inputs)
    if (again.config, _arrays(again)) != (model.config, _arrays(model)):
        raise ExtensionError(
            f"The config of {config.name} must hold the settings that build the same model again; "
            f"got {kept.settings} (model.settings {config.settings}). Keep all arguments of the "
            "class there, by their names."
        )
    _check_kept(model, config.name)
    arrays = _arrays(model)
    if not any(jnp.issubdtype(array.dtype, jnp.inexact) for array in arrays):
        raise ExtensionError(
            f"A model must have arrays of floats to be trained; got {config.name} with "
            f"{len(arrays)} arrays, all of other types (model.name). Make its parameters jax "
            "arrays of floats."
        )
    return model


def _check_attributes(
    model: Model | ArrayModel, name: str, inputs: ModelInputs | ArrayInputs
) -> None:
    if not isinstance(model.config, Config):
        raise ExtensionError(
            f"The config of {name} must be a hypermagnetics.config.Config; got one of type "
            f"{type(model.config).__name__} (model.name). Derive a class from Config, with a field "
            "for each setting."
        )
    if model.inputs != inputs:
        raise ExtensionError(
            f"The inputs of {name} must be its argument inputs; got another object, of type "
            f"{type(model.inputs).__name__} (model.name). Set self.inputs = inputs."
        )


def _check_kept(model: Model | ArrayModel, name: str) -> None:
    parts, _ = parts_of(model)
    for kept in model.kept:
        if not any(part.belongs_to(kept) for part in parts):
            known = sorted({part.name.partition(".")[0] for part in parts if part.is_array})
            raise ExtensionError(
                f"What {name} keeps must be names of its arrays, or of parts that hold them; got "
                f"{kept!r} (model.name). {nearest(kept, known)}"
            )


def _check_rank(model: Model, name: str) -> None:
    with must(f"The rank of {name} must be a positive int or None", type(model), "model.name"):
        rank = model.rank
    if rank is not None and not (isinstance(rank, int) and rank > 0):
        raise ExtensionError(
            f"The rank of {name} must be a positive int or None; got {rank!r} (model.name). Give "
            "the number of features of a model that is additive over sources, else None."
        )


def _check_shapes(user_model: type[Model], model: Model, name: str) -> None:
    """Check the shapes of potential and field, of one configuration and of a block."""
    dim = model.dim
    tables = jax.ShapeDtypeStruct((_SAMPLES, _SOURCES, model.inputs.columns.size), jnp.float32)
    points = jax.ShapeDtypeStruct((_POINTS, dim), jnp.float32)
    each = jax.ShapeDtypeStruct((_SOURCES, model.inputs.columns.size), jnp.float32)
    # Compiled, as in a step: what cannot be hashed is found too.
    evaluate = eqx.filter_jit(lambda m, table, at: m.evaluate(m.weights(table), at))
    block = eqx.filter_jit(lambda m, several, at: m.block(several, at))
    for what, function, sources, leading in (
        ("evaluate", evaluate, each, (_POINTS,)),
        ("block", block, tables, (_SAMPLES, _POINTS)),
    ):
        wanted = (leading, (*leading, dim))
        rule = f"{what} of {name} must give potential and field of shapes {wanted} in floats"
        place = f"model.name, on {_SOURCES} sources and {_POINTS} points"
        with must(rule, user_model, place):
            found = eqx.filter_eval_shape(function, model, sources, points)
        if not _is_pair(found, wanted):
            got = eqx.tree_pformat(found, struct_as_array=True).replace("\n", " ")
            raise ExtensionError(f"{rule}; got {got} ({place}). Give one value for each point.")


def _check_padding(user_model: type[Model], config: UserModelConfig, inputs: ModelInputs) -> None:
    """Check that padding rows of zeros change nothing."""
    rows = jnp.zeros((_SOURCES, inputs.columns.size), jnp.float32)
    rule = f"The weights that {config.name} makes of rows of zeros must be 0"
    with must(rule, user_model, "model.name"):
        made = eqx.filter_jit(lambda: _of_sources(user_model, config, inputs).weights(rows))()
    largest = max((float(jnp.max(jnp.abs(part))) for part in jax.tree.leaves(made)), default=0.0)
    if largest != 0:  # NaN too
        raise ExtensionError(
            f"{rule}; got values up to {largest:.3g} (model.name). Multiply by the moment, or "
            "leave rows of zero moment out of the sum: such rows fill up the tables."
        )


def _check_field(user_model: type[Model], config: UserModelConfig, inputs: ModelInputs) -> None:
    """Check the field against the gradient: a wrong sign or scale would spoil training silently."""
    table, points = _examples(inputs)

    @eqx.filter_jit
    def deviation() -> tuple[jax.Array, jax.Array]:
        model = _of_sources(user_model, config, inputs)
        weights = model.weights(table)
        gradient = jax.grad(lambda at: jnp.sum(model.evaluate(weights, at)[0]))(points)
        field = model.evaluate(weights, points)[1]
        return jnp.max(jnp.abs(field + gradient)), jnp.max(jnp.abs(gradient))

    rule = f"The field of {config.name} must be the negative gradient of its potential"
    with must(rule, user_model, "model.name"):
        worst, scale = map(float, deviation())
    if worst > _TOLERANCE * scale:
        raise ExtensionError(
            f"{rule} with respect to the points; got one that differs by {worst:.3g} A/m where the "
            f"gradient is up to {scale:.3g} A/m (model.name). See value_and_gradient in "
            "docs/extending.md."
        )


def _of_sources(user_model: type[Model], config: UserModelConfig, inputs: ModelInputs) -> Model:
    model = build_user_model(user_model, config, inputs, jr.key(0))
    assert isinstance(model, Model), "its class is one of Model"
    return model


def _examples(inputs: ModelInputs) -> tuple[SourceTable, Points]:
    """Sources at the ends of the training range, if known, and points in between."""
    sources, points = jnp.ones((2, inputs.columns.size)), jnp.ones((2, inputs.dim))
    if inputs.trained is not None:
        sources = jnp.asarray(inputs.trained.sources).T
        points = jnp.asarray(inputs.trained.points).T
    share = jnp.linspace(0, 1, _POINTS)[:, None]
    between = share * points[1:] + (1 - share) * points[:1]
    return sources.astype(jnp.float32), between.astype(jnp.float32)


def _is_pair(found: object, shapes: tuple[tuple[int, ...], ...]) -> bool:
    return (
        isinstance(found, tuple)
        and len(found) == len(shapes)
        and all(
            isinstance(array, jax.ShapeDtypeStruct)
            and array.shape == shape
            and jnp.issubdtype(array.dtype, jnp.floating)
            for array, shape in zip(found, shapes, strict=True)
        )
    )


def _shapes_of(
    user_model: type[_Built], config: UserModelConfig, inputs: ModelInputs | ArrayInputs
) -> _Built:
    model: _Built = eqx.filter_eval_shape(
        lambda: build_user_model(user_model, config, inputs, jr.key(0))
    )
    return model


def _arrays(model: Model | ArrayModel) -> list[jax.ShapeDtypeStruct]:
    return [leaf for leaf in jax.tree.leaves(model) if isinstance(leaf, jax.ShapeDtypeStruct)]


def _without(found: type) -> str:
    declared = {name for base in found.__mro__ for name in getattr(base, "__annotations__", ())}
    missing = [name for name in _MEMBERS if not hasattr(found, name) and name not in declared]
    return f" and has no {', '.join(missing)}" if missing else ""
