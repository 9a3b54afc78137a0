"""Preparation of the training of a network from arrays to arrays."""

import math
from collections.abc import Sequence

import equinox as eqx
import jax.random as jr

from hypermagnetics.data import Dataset, Statistics, verify_split
from hypermagnetics.data.array_view import ArrayView, Viewed, names_of
from hypermagnetics.errors import DatasetError, RecipeError
from hypermagnetics.log import Listener
from hypermagnetics.models import ArrayInputs, ArrayModel, ArrayScales, build_array_model
from hypermagnetics.models.user import UserModelConfig, check_user_array_model
from hypermagnetics.train.config import ObjectiveConfig, TrainingRecipe
from hypermagnetics.train.devices import Augmentation, unchanged
from hypermagnetics.train.losses import check_point_loss
from hypermagnetics.train.objective import make_array_objective, terms_of_arrays
from hypermagnetics.train.parts import Parts
from hypermagnetics.train.refused_keys import Unused, refuse_keys
from hypermagnetics.train.sample_keys import TRAINING, VALIDATION, with_sample_keys
from hypermagnetics.train.scales import pooled_rms
from hypermagnetics.train.terms import ArrayFacts
from hypermagnetics.train.user_code import UserCode


def array_parts(
    recipe: TrainingRecipe, dataset: Dataset, code: UserCode, listener: Listener
) -> Parts:
    """Prepare data, network and objective.

    Args:
        recipe: The recipe.
        dataset: The dataset, of arrays alone, or of sources whose samples have one source.
        code: Code of a user.
        listener: Receives the bytes of each file that was checked.

    Returns:
        The parts.

    Raises:
        DatasetError: If a split or an array does not exist, or targets hold nothing but zeros.
        ExtensionError: If code of a user breaks a rule.
        RecipeError: If a key of the recipe means nothing for arrays, or a term does not fit.
    """
    refuse_keys_of_sources(recipe)
    if recipe.data.noise is not None:
        raise RecipeError(
            "data.noise must be left out unless objective.kind is 'fisher', as targets belong to "
            f"the stored inputs; got one of std {recipe.data.noise.std:g} (data.noise). Leave it "
            "out."
        )
    config = recipe.objective
    assert isinstance(config, ObjectiveConfig), "its kind was looked at"
    train = _view(recipe, dataset, recipe.data.train, None)
    valid = _view(recipe, dataset, recipe.data.valid, train.columns or None)
    inputs = array_inputs_of(train)
    if code.model is not None and isinstance(recipe.model, UserModelConfig):
        assert issubclass(code.model, ArrayModel), "its kind was looked at"
        check_user_array_model(code.model, recipe.model, inputs)
    for name, loss in code.losses.items():
        check_point_loss(loss, name, 1, config.place_of(name))
    template: ArrayModel = eqx.filter_eval_shape(
        lambda: build_array_model(recipe.model, inputs, jr.key(0), code.model)
    )
    facts = ArrayFacts(train, template)
    for name, term in terms_of_arrays(config).items():
        term.check(facts, f"objective.terms.{name}")
    objective = make_array_objective(config, facts, code.losses)
    if recipe.data.check == "all":
        for view in (train, valid):
            verify_split(view.split, listener)
    augment: Augmentation = unchanged
    prepare_valid: Augmentation = unchanged
    if objective.draws:
        augment = with_sample_keys(unchanged, recipe.seed, TRAINING)
        prepare_valid = with_sample_keys(unchanged, recipe.seed, VALIDATION)
    return Parts(train, valid, inputs, template, objective, augment, prepare_valid)


def array_inputs_of(view: ArrayView) -> ArrayInputs:
    """Shapes and scales of the inputs and targets of a training split.

    Inputs are centred, with a standard deviation of 1 in each channel; a channel that does not vary
    has the scale 1. Targets are centred, with one scale for all, so that errors of all channels
    count alike.

    Args:
        view: The training split.

    Returns:
        Shapes and scales.

    Raises:
        DatasetError: If targets hold nothing but zeros.
    """
    first, second = view.viewed["inputs"], view.viewed["targets"]
    if not pooled_rms(second.statistics) > 0:
        raise DatasetError(
            f"{second.name} must differ from zero somewhere to be learned from; got zeros only "
            f"(split {view.name!r} of {view.directory}). Train on another split or dataset."
        )
    spread = math.sqrt(sum(s * s for s in second.statistics.std) / len(second.statistics.std))
    each = tuple(std or 1.0 for std in first.statistics.std)
    return ArrayInputs(
        input=_scales(first, each, view.columns),
        target=_scales(second, (spread or 1.0,) * len(second.statistics.std), ()),
        setting=view.split.digest_of_setting() if view.columns else "",
    )


def _scales(viewed: Viewed, scale: tuple[float, ...], columns: tuple[str, ...]) -> ArrayScales:
    found: Statistics = viewed.statistics
    return ArrayScales(
        name=viewed.name,
        shape=viewed.shape,
        unit=viewed.unit,
        columns=columns,
        channel_axis=viewed.channel_axis,
        shift=found.mean,
        scale=scale,
        ranges=tuple(zip(found.min, found.max, strict=True)),
    )


def _view(
    recipe: TrainingRecipe, dataset: Dataset, name: str, columns: Sequence[str] | None
) -> ArrayView:
    split = dataset.any_split(name)
    return ArrayView(split, names_of(split, recipe.data.input, recipe.data.target), columns)


def refuse_keys_of_sources(recipe: TrainingRecipe) -> None:
    """Refuse keys that mean something for sources and points alone.

    Args:
        recipe: A recipe for a network from arrays to arrays.

    Raises:
        RecipeError: If it has one.
    """
    data, normalisation = recipe.data, recipe.normalisation
    wanted = {
        "data.points_per_step": Unused(data.points_per_step, None, "arrays have no points"),
        "data.crop": Unused(data.crop, None, "arrays have no grid in space"),
        "data.augment": Unused(data.augment, (), "symmetries are of sources and fields"),
        "normalisation.scales": Unused(
            normalisation.scales,
            "rms",
            "each channel has its mean and standard deviation",
        ),
        "normalisation.values": Unused(normalisation.values, "linear", "targets are no potential"),
        "normalisation.moment": Unused(normalisation.moment, "dataset", "inputs are no moments"),
        "outside": Unused(recipe.outside or "exact", "exact", "there is no closed form of arrays"),
    }
    refuse_keys(wanted, "for a network from arrays to arrays")
