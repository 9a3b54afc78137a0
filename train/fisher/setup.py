"""Preparation of a training of summaries by their Fisher information."""

from typing import NamedTuple

import equinox as eqx
import jax.random as jr
import numpy as np

from hypermagnetics.data import Dataset, verify_split
from hypermagnetics.data.array_view import ArrayView, names_of_readings
from hypermagnetics.data.parameters import Parameter
from hypermagnetics.errors import DatasetError, RecipeError
from hypermagnetics.log import Listener
from hypermagnetics.models import (
    ArrayInputs,
    ArrayModel,
    ArrayScales,
    Noise,
    build_array_model,
    fiducial_parameters,
    is_of_arrays,
    num_outputs,
)
from hypermagnetics.models.user import UserModelConfig, check_user_array_model
from hypermagnetics.train.array_setup import refuse_keys_of_sources
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.devices import Augmentation, unchanged
from hypermagnetics.train.fisher.config import IMNN, FisherConfig
from hypermagnetics.train.fisher.objective import FisherObjective
from hypermagnetics.train.parts import Parts
from hypermagnetics.train.sample_keys import TRAINING, VALIDATION, with_reading_keys
from hypermagnetics.train.terms.kinks import kinked_functions_of_array
from hypermagnetics.train.user_code import UserCode

_ROUNDINGS = 100
"""Least noise, in roundings of the largest reading."""
_MOST_SCALES = 4096
"""Most values of a sample of which each has a scale of its own; of more, each channel has one."""

_DEPENDENT = 1e-12
"""Eigenvalue of the normalised products of derivatives up to which these depend on each other; the
rounding to float32 leaves 1e-14."""
_SHARE = 1e-3
"""Least share of a parameter in a combination on which no reading depends."""


def fisher_parts(
    recipe: TrainingRecipe, dataset: Dataset, code: UserCode, listener: Listener
) -> Parts:
    """Prepare readings, network and objective.

    Args:
        recipe: The recipe.
        dataset: A dataset of readings and their derivatives by parameters, imported or generated.
        code: Code of a user.
        listener: Receives the bytes of each file that was checked, and a warning.

    Returns:
        The parts.

    Raises:
        DatasetError: If the dataset has no readings or derivatives, or they know no finite
            information.
        ExtensionError: If the model of a user breaks a rule.
        RecipeError: If a key of the recipe means nothing here, or does not fit the dataset.
    """
    config, data = recipe.objective, recipe.data
    assert isinstance(config, FisherConfig), "its kind was looked at"
    _refuse_keys_of_targets(recipe, code)
    train, valid = (_view(dataset, name, data.input) for name in (data.train, data.valid))
    parameters = _parameters(recipe, dataset)
    readings = ReadingMoments.of(train)
    inputs = _inputs(recipe, train, parameters, readings)
    for view in (train, valid):
        _refuse_few(view, inputs.target.size)
    _refuse_infinite_information(train, parameters, readings, data.noise)
    if data.noise is None:
        _refuse_the_same_readings(train, valid)
    if data.blocks_of(train.layout.num_blocks) != train.layout.num_blocks:
        raise RecipeError(
            "Objective 'fisher' must have all samples of the split in each step, as it is a "
            f"function of all of them; got {data.blocks_per_batch} of {train.layout.num_blocks} "
            'blocks (data.blocks_per_batch). Write "all".'
        )
    if code.model is not None and isinstance(recipe.model, UserModelConfig):
        assert issubclass(code.model, ArrayModel), "its kind was looked at"
        check_user_array_model(code.model, recipe.model, inputs)
    template: ArrayModel = eqx.filter_eval_shape(
        lambda: build_array_model(recipe.model, inputs, jr.key(0), code.model)
    )
    _refuse_kinks(template, config, listener)
    if data.check == "all":
        for view in (train, valid):
            verify_split(view.split, listener)
    augment: Augmentation = unchanged
    prepare_valid: Augmentation = unchanged
    if data.noise is not None:
        augment = with_reading_keys(recipe.seed, TRAINING, redraw=data.noise.redraw)
        prepare_valid = with_reading_keys(recipe.seed, VALIDATION, redraw=False)
    objective = FisherObjective(config.scale, data.noise)
    return Parts(train, valid, inputs, template, objective, augment, prepare_valid)


class ReadingMoments(NamedTuple):
    """Moments of the readings of a split, and their derivatives."""

    mean: np.ndarray
    """Mean of each value, of the shape of a sample."""
    variance: np.ndarray
    """Variance of each value over the samples."""
    slopes: np.ndarray
    """Largest absolute derivative of each value by each parameter."""
    products: np.ndarray
    """Sums of the products of derivatives by two parameters, over all values and samples."""

    @classmethod
    def of(cls, view: ArrayView) -> "ReadingMoments":
        """Read a whole split, block by block."""
        count, mean, squares = 0, np.zeros(view.viewed["inputs"].shape), 0.0
        slopes = np.zeros(view.viewed["derivatives"].shape)
        products = np.zeros((slopes.shape[-1],) * 2)
        for block in range(view.layout.num_blocks):
            (arrays,) = view.read((block,))
            found = arrays["inputs"].astype(np.float64)
            own = found.mean(axis=0)
            total = count + len(found)
            squares = (
                squares
                + ((found - own) ** 2).sum(axis=0)
                + (own - mean) ** 2 * (count * len(found) / total)
            )
            mean = mean + (own - mean) * (len(found) / total)
            count = total
            if len(arrays["derivatives"]):
                slopes = np.maximum(slopes, np.abs(arrays["derivatives"]).max(axis=0))
                rows = arrays["derivatives"].reshape(-1, len(products)).astype(np.float64)
                products += rows.T @ rows
        return cls(mean, np.asarray(squares / count), slopes, products)


def _view(dataset: Dataset, name: str, given: str | None) -> ArrayView:
    split = dataset.any_split(name)
    known = split.layout.array_names
    if "derivatives" not in known:
        raise DatasetError(
            "Objective 'fisher' must have readings and their derivatives by parameters; got "
            f"{', '.join(known)} (split {name!r} of {dataset.directory}). Add [derivatives] to the "
            "recipe of the dataset, or import both with hm-data import-arrays --readings "
            "--derivatives."
        )
    return ArrayView(split, names_of_readings(split, given))


def _parameters(recipe: TrainingRecipe, dataset: Dataset) -> tuple[Parameter, ...]:
    """The parameters, the same in both splits; the variance of the noise is the last if unknown."""
    data = recipe.data
    found = fiducial_parameters(dataset, data.train)
    if (other := fiducial_parameters(dataset, data.valid)) != found:
        raise DatasetError(
            "Training and validation must be at the same values of the parameters, "
            f"{_said(found)}; got {_said(other)} (split {data.valid!r} of {dataset.directory}). "
            "Take another split."
        )
    noise = data.noise
    if noise is None or noise.parameter is None:
        return found
    if noise.parameter in {one.name for one in found}:
        raise RecipeError(
            "The variance of the noise must have a name of its own among the parameters; got "
            f"{noise.parameter!r} (data.noise.parameter). Take another one, or data.noise = null "
            "where the readings have their own noise."
        )
    return (*found, Parameter(name=noise.parameter, value=noise.std**2))


def _said(parameters: tuple[Parameter, ...]) -> str:
    return ", ".join(f"{one.name} {one.value:g}" for one in parameters)


def _inputs(
    recipe: TrainingRecipe,
    view: ArrayView,
    parameters: tuple[Parameter, ...],
    readings: ReadingMoments,
) -> ArrayInputs:
    """Readings as inputs, centred and with a standard deviation of 1, and summaries as targets."""
    wanted = num_outputs(recipe.model)
    count = len(parameters) if wanted is None else wanted
    if count < len(parameters):
        raise RecipeError(
            f"Summaries must be at least {len(parameters)}, the parameters {_said(parameters)}; "
            f"got {count} (model.outputs). Raise it, or leave it out."
        )
    viewed, noise = view.viewed["inputs"], recipe.data.noise
    added = 0.0 if noise is None else noise.std**2
    mean, variance = readings.mean.ravel(), readings.variance.ravel()
    if mean.size > _MOST_SCALES:
        mean = np.array(viewed.statistics.mean)
        variance = np.array(viewed.statistics.std) ** 2
    scale = np.sqrt(variance + added)
    return ArrayInputs(
        input=ArrayScales(
            name=viewed.name,
            shape=viewed.shape,
            unit=viewed.unit,
            channel_axis=viewed.channel_axis,
            shift=tuple(map(float, mean)),
            scale=tuple(float(one) or 1.0 for one in scale),
            ranges=tuple(zip(viewed.statistics.min, viewed.statistics.max, strict=True)),
        ),
        target=ArrayScales(name="summaries", shape=(count,)),
        setting=view.split.digest_of_setting(),
        parameters=parameters,
        noise=noise,
    )


def _refuse_few(view: ArrayView, summaries: int) -> None:
    """Refuse a split with too few samples for the covariance of the summaries.

    With two more than summaries the mean of its inverse is infinite.
    """
    if len(view) <= summaries + 2:
        raise DatasetError(
            f"The covariance of {summaries} summaries must come from at least {summaries + 3} "
            f"samples; got {len(view)} (split {view.name!r} of {view.directory}). Make more "
            "samples, or fewer summaries (model.outputs)."
        )


def _refuse_infinite_information(
    view: ArrayView, parameters: tuple[Parameter, ...], found: ReadingMoments, noise: Noise | None
) -> None:
    place = f"split {view.name!r} of {view.directory}"
    by_each = found.slopes.reshape(-1, found.slopes.shape[-1]).max(axis=0)
    if not by_each.all():
        name = parameters[int(np.flatnonzero(by_each == 0)[0])].name
        raise DatasetError(
            "Derivatives by each parameter must differ from zero somewhere, else the readings know "
            f"nothing about it; got zeros only for {name} ({place}). Leave that parameter out."
        )
    if alike := _alike(found.products):
        names = ", ".join(parameters[number].name for number in alike)
        raise DatasetError(
            "Derivatives by the parameters must be linearly independent, else no summary can tell "
            f"these apart; got dependent ones by {names} ({place}). Leave one of them out."
        )
    largest = float(np.abs(found.mean).max())
    if noise is not None and not noise.std > _ROUNDINGS * np.finfo(np.float32).eps * largest:
        raise DatasetError(
            f"Noise must be at least {_ROUNDINGS} roundings of the readings in float32, "
            f"{_ROUNDINGS * np.finfo(np.float32).eps * largest:.2g}; got {noise.std:g} "
            f"(data.noise.std, {place}). Raise it."
        )
    exact = (found.variance == 0) & (found.slopes > 0).any(axis=-1)
    if noise is None and exact.any():
        raise DatasetError(
            "Readings that depend on a parameter must vary from sample to sample, else they know "
            f"it exactly and the Fisher information is infinite; got {int(exact.sum())} of "
            f"{exact.size} that are the same in all samples ({place}). Add the noise of the "
            "sensors, data.noise = { std = ... }."
        )


def _alike(products: np.ndarray) -> tuple[int, ...]:
    """Numbers of parameters whose derivatives depend on each other linearly, in every sample."""
    lengths = np.sqrt(np.diag(products))
    least, directions = np.linalg.eigh(products / np.outer(lengths, lengths))
    if least[0] > _DEPENDENT:
        return ()
    shares = np.abs(directions[:, 0])
    return tuple(map(int, np.flatnonzero(shares > _SHARE * shares.max())))


def _refuse_the_same_readings(train: ArrayView, valid: ArrayView) -> None:
    """Refuse a validation on the readings of the training."""
    first, second = (view.read((0,))[0]["inputs"] for view in (train, valid))
    count = min(len(first), len(second))
    if np.array_equal(first[:count], second[:count]):
        raise DatasetError(
            "The validation must be on other readings than the training; got the same ones "
            f"(splits {train.name!r} and {valid.name!r} of {train.directory}). Take another split, "
            "or simulate it with other random numbers."
        )


def _refuse_kinks(template: ArrayModel, config: FisherConfig, listener: Listener) -> None:
    kinks = kinked_functions_of_array(template)
    if not kinks:
        return
    lacks = "the gradient of dx/dtheta lacks what kinks contribute that move"
    if isinstance(config.scale, IMNN):
        # Its own networks have kinks; who compares with it wants them.
        listener.tell(
            f"The network has kinks ({', '.join(kinks)}): {lacks}, so that det F stays low."
        )
        return
    raise RecipeError(
        f"Objective 'fisher' must have a network of smooth functions, as {lacks}; got "
        f"{', '.join(kinks)}. Take a smooth one in its place, such as gelu."
    )


def _refuse_keys_of_targets(recipe: TrainingRecipe, code: UserCode) -> None:
    if not is_of_arrays(recipe.model, code.model):
        raise RecipeError(
            "Objective 'fisher' must have a network from arrays to arrays, from readings to "
            f"summaries; got {recipe.model.name!r} (model.name). Take 'mlp'."
        )
    if recipe.data.target is not None:
        raise RecipeError(
            "data.target must be left out for objective 'fisher', whose summaries are no array of "
            f"the dataset; got {recipe.data.target!r} (data.target). Leave it out."
        )
    refuse_keys_of_sources(recipe)
