"""Preparation of a training: data, model, objective, optimiser."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

import equinox as eqx
import jax
import jax.random as jr

from hypermagnetics.data import (
    BatchSchedule,
    Crops,
    Dataset,
    Division,
    Split,
    SplitLayout,
    verify_split,
)
from hypermagnetics.data.array_view import ArrayView
from hypermagnetics.data.schedule import Windows
from hypermagnetics.errors import RecipeError
from hypermagnetics.log import SILENT, Listener
from hypermagnetics.models import (
    AnyModel,
    ArrayInputs,
    Model,
    ModelInputs,
    Stepper,
    build_array_model,
    build_model,
    is_of_arrays,
    is_of_maps,
)
from hypermagnetics.models.user import UserModelConfig, check_user_model
from hypermagnetics.train.array_setup import array_parts
from hypermagnetics.train.augmentation import make_augmentation
from hypermagnetics.train.config import ObjectiveConfig, TrainingRecipe
from hypermagnetics.train.devices import Augmentation, Devices, unchanged
from hypermagnetics.train.dispatch import Order
from hypermagnetics.train.feed import Placement, TrainData, choose_placement
from hypermagnetics.train.fisher.config import FisherConfig
from hypermagnetics.train.fisher.setup import fisher_parts
from hypermagnetics.train.losses import check_point_loss
from hypermagnetics.train.maps.setup import map_parts
from hypermagnetics.train.objective import (
    Objective,
    check_spectral,
    make_objective,
    terms_of_sources,
)
from hypermagnetics.train.parts import Parts
from hypermagnetics.train.phases import Phase, make_phases, phase_of
from hypermagnetics.train.processes import of_all
from hypermagnetics.train.rollouts.setup import rollout_parts
from hypermagnetics.train.sample_keys import TRAINING, VALIDATION, with_sample_keys
from hypermagnetics.train.scales import rms
from hypermagnetics.train.source_inputs import examples_of, inputs_of
from hypermagnetics.train.terms import Facts, ResidualTermConfig, TrajectoryTermConfig
from hypermagnetics.train.tracking.tracking import refuse_unusable
from hypermagnetics.train.user_code import UserCode, user_code_of

_STEPS_PER_DISPATCH = 16
"""Default on a GPU, where a step of a small model takes less time than its dispatch."""


@dataclass(frozen=True)
class Setup:
    """All parts of a training, made from recipe and dataset alone."""

    recipe: TrainingRecipe
    dataset: Dataset
    train: TrainData
    valid: TrainData
    inputs: ModelInputs | ArrayInputs
    code: UserCode
    schedule: BatchSchedule
    placement: Placement
    objective: Objective
    devices: Devices
    """Devices of the steps, of all processes."""
    phases: tuple[Phase, ...]
    prepare_valid: Augmentation
    """Change of the batches of the validation split, the same in each validation."""
    crops_of_valid: Crops | None = None
    """Crops of maps in a validation, which cover them; None for whole grids."""
    windows_of_valid: Windows | None = None
    """Windows of trajectories in a validation; None for whole samples."""

    def new_model(self) -> AnyModel:
        """The model with its initial parameters."""
        key = jr.key(self.recipe.seed)
        if isinstance(self.inputs, ArrayInputs):
            network = build_array_model(self.recipe.model, self.inputs, key, self.code.model)
            split = self.train.split if isinstance(self.train, ArrayView) else self.train
            if isinstance(network, Stepper) and isinstance(split, Split):
                return network.fitted(*examples_of(split), jr.fold_in(key, 1))
            return network
        assert isinstance(self.train, Split), "a model of sources has a split of sources"
        model = build_model(self.recipe.model, self.inputs, key, self.code.model)
        return model.fitted(*examples_of(self.train), jr.fold_in(key, 1))

    @property
    def steps_per_dispatch(self) -> int:
        """Largest number of steps dispatched to the device at once."""
        asked = self.recipe.compute.steps_per_dispatch
        return asked or (1 if jax.default_backend() == "cpu" else _STEPS_PER_DISPATCH)

    def order_from(self, step: int) -> Order:
        """The steps after `step` steps, in their dispatches."""
        return Order(self.schedule, step, self._steps_until_due, self.steps_per_dispatch)

    def _steps_until_due(self, done: int) -> int:
        """Number of steps until something is due, or as many as a dispatch has."""
        recipe = self.recipe
        every = (recipe.validation.every, recipe.checkpoint.every, recipe.tracking.log_every)
        ends = [done + number - done % number for number in every]
        ends.append(max(recipe.schedule.num_steps, done + 1))  # none is read behind the last
        phase = phase_of(self.phases, done)
        if phase.end is not None:
            ends.append(phase.end)
        return min(min(ends) - done, self.steps_per_dispatch)

    def samples_of(self, step: int) -> str:
        """The samples of a step, counted from 1, for people: as in "samples 256 to 511"."""
        size, total = self.train.layout.samples_per_block, len(self.train)
        blocks = [block for block in self.schedule.blocks(step - 1) if block is not None]
        ranges = (f"{b * size} to {min((b + 1) * size, total) - 1}" for b in sorted(blocks))
        return f"samples {', '.join(ranges)} of split {self.train.name!r}"

    @property
    def samples_per_step(self) -> int:
        """Samples of a full batch."""
        layout = self.train.layout
        samples = self.recipe.data.blocks_of(layout.num_blocks) * layout.samples_per_block
        return samples * self.recipe.data.windows_per_sample


def make_setup(recipe: TrainingRecipe, dataset: Dataset, listener: Listener = SILENT) -> Setup:
    """Prepare a training.

    Args:
        recipe: The recipe.
        dataset: The dataset.
        listener: Receives the bytes of each file that was checked.

    Returns:
        The parts.

    Raises:
        DatasetError: If a split does not exist, its bytes are not those that were written, or it
            holds nothing but zeros, or its sources have columns that no model can read.
        ExtensionError: If code of a user is not there, or breaks the rules that can be seen before
            the first step.
        RecipeError: If the grid does not have the requested crops, a term of the objective does not
            fit the points, or the source table cannot follow a symmetry.
        RunError: If a tracker cannot be used, or the split is to lie on the device and does not
            fit.
    """
    refuse_unusable(recipe.tracking.to)
    code = user_code_of(recipe)
    parts = _make_parts(recipe, code)(recipe, dataset, code, listener)
    if parts.windows is None and recipe.data.windows_per_sample != 1:
        raise RecipeError(
            "data.windows_per_sample must be left out unless terms are of 'trajectory' or "
            f"'residual'; got {recipe.data.windows_per_sample} (data.windows_per_sample). Leave it "
            "out."
        )
    schedule = _schedule(recipe, parts)
    devices = Devices.of_batches(recipe.compute.devices, schedule.blocks_per_batch)
    return Setup(
        recipe=recipe,
        dataset=dataset,
        train=parts.train,
        valid=parts.valid,
        inputs=parts.inputs,
        code=code,
        schedule=schedule,
        placement=_common_placement(recipe, parts.train),
        objective=parts.objective,
        devices=devices,
        phases=make_phases(recipe, parts.objective, parts.template, parts.augment, devices),
        prepare_valid=parts.prepare_valid,
        crops_of_valid=parts.crops_of_valid,
        windows_of_valid=parts.windows_of_valid,
    )


def _common_placement(recipe: TrainingRecipe, split: TrainData) -> Placement:
    """Placement of the split in all processes, some of which may have less memory."""
    placements = of_all(lambda: choose_placement(recipe.data, split))
    return "stream" if "stream" in placements else "device"


def _make_parts(
    recipe: TrainingRecipe, code: UserCode
) -> Callable[[TrainingRecipe, Dataset, UserCode, Listener], Parts]:
    """The preparation of a kind of training."""
    match recipe.objective:
        case FisherConfig():
            return fisher_parts
        case ObjectiveConfig():
            terms = recipe.objective.terms.values()
            if any(isinstance(term, TrajectoryTermConfig | ResidualTermConfig) for term in terms):
                return rollout_parts
            if recipe.map is not None or is_of_maps(recipe.model):
                return map_parts
            return array_parts if is_of_arrays(recipe.model, code.model) else source_parts
        case _:
            assert_never(recipe.objective)


def source_parts(
    recipe: TrainingRecipe, dataset: Dataset, code: UserCode, listener: Listener
) -> Parts:
    """Prepare data, model and objective of a model of sources; arguments as of `array_parts`.

    Raises:
        HypermagneticsError: As of `make_setup`.
    """
    _refuse_keys_of_arrays(recipe)
    config = recipe.objective
    assert isinstance(config, ObjectiveConfig), "its kind was looked at"
    train, valid = dataset.split(recipe.data.train), dataset.split(recipe.data.valid)
    inputs = inputs_of(recipe, dataset, code.normalisation)
    _check(code, recipe, config, inputs)  # before what may take minutes
    check_spectral(config, recipe.data, (train, valid))
    augment = make_augmentation(recipe.data.augment, inputs, recipe.seed, str(train.directory))
    template = _template(recipe, inputs, code)
    field, potential = train.statistics("field"), train.statistics("potential")
    facts = Facts(
        columns=inputs.columns,
        potential_rms=rms(potential.mean, potential.std),
        field_rms=rms(field.mean, field.std),
        split=train,
        model=template,
    )
    for name, term in terms_of_sources(config).items():
        term.check(facts, f"objective.terms.{name}")
    if recipe.data.check == "all":
        for split in (train, valid):
            verify_split(split, listener)
    objective = make_objective(config, facts, code.losses)
    prepare_valid: Augmentation = unchanged
    if objective.draws:
        augment = with_sample_keys(augment, recipe.seed, TRAINING)
        prepare_valid = with_sample_keys(unchanged, recipe.seed, VALIDATION)
    crops = _crops(recipe, train)
    return Parts(train, valid, inputs, template, objective, augment, prepare_valid, crops)


def _crops(recipe: TrainingRecipe, train: Split) -> Crops | None:
    config, layout = recipe.data.crop, train.layout
    if config is None:
        return None
    if layout.grid_shape is None:
        raise RecipeError(
            "data.crop must have a split on a regular grid; got points of another kind (split "
            f"{train.name!r} of {train.directory}). Leave it out, or take data.points_per_step."
        )
    return Crops(layout.grid_shape, config, layout.dim)


def _refuse_keys_of_arrays(recipe: TrainingRecipe) -> None:
    for key, name in (("input", recipe.data.input), ("target", recipe.data.target)):
        if name is not None:
            raise RecipeError(
                f"data.{key} must be left out for a model of sources, which reads sources and "
                f"gives potential and field; got {name!r} (data.{key}). Leave it out, or take "
                "model mlp."
            )
    if recipe.data.noise is not None:
        raise RecipeError(
            "data.noise must be left out unless objective.kind is 'fisher', as labels are exact; "
            f"got one of std {recipe.data.noise.std:g} (data.noise). Leave it out."
        )


def _check(
    code: UserCode, recipe: TrainingRecipe, config: ObjectiveConfig, inputs: ModelInputs
) -> None:
    if code.model is not None and isinstance(recipe.model, UserModelConfig):
        assert issubclass(code.model, Model), "its kind was looked at"
        check_user_model(code.model, recipe.model, inputs)
    for name, loss in code.losses.items():
        check_point_loss(loss, name, inputs.dim, config.place_of(name))


def _template(recipe: TrainingRecipe, inputs: ModelInputs, code: UserCode) -> Model:
    """Structure of the model, with an error here if it cannot be built."""
    template: Model = eqx.filter_eval_shape(
        lambda: build_model(recipe.model, inputs, jr.key(0), code.model)
    )
    return template


def _schedule(recipe: TrainingRecipe, parts: Parts) -> BatchSchedule:
    config, train = recipe.data, parts.train
    layout = train.layout
    blocks_per_batch = config.blocks_of(layout.num_blocks)
    if blocks_per_batch > layout.num_blocks:
        raise RecipeError(
            f"'data.blocks_per_batch' must be at most {layout.num_blocks}, the blocks of the split "
            f"{train.name!r}; got {blocks_per_batch} ({train.directory}). Lower it."
        )
    if recipe.compute.chunks > layout.samples_per_block:
        raise RecipeError(
            f"'compute.chunks' must be at most {layout.samples_per_block}, the samples of a block; "
            f"got {recipe.compute.chunks} (split {train.name!r} of {train.directory}). Lower it."
        )
    num_points = layout.num_points if isinstance(layout, SplitLayout) else 1
    _refuse_uneven(blocks_per_batch, config.div_parts, "parts of it (data.div_parts)")
    _refuse_other_world(blocks_per_batch, layout.samples_per_block)
    division = Division(layout.blocks_per_shard, config.div_shuffle_dist, config.div_parts)
    return BatchSchedule(
        num_blocks=layout.num_blocks,
        blocks_per_batch=blocks_per_batch,
        seed=recipe.seed,
        num_points=num_points,
        points_per_step=config.points_per_step,
        crops=parts.crops,
        division=division if config.div_data else None,
        windows=parts.windows,
    )


def _refuse_other_world(blocks: int, samples: int) -> None:
    """Refuse a number of processes among which neither the blocks nor their samples are divided.

    Raises:
        RecipeError: If it is so.
    """
    if (world := jax.process_count()) % blocks:
        _refuse_uneven(blocks, world, "processes")
    elif world > blocks * samples:
        raise RecipeError(
            "The processes of a training must be at most the samples of a batch; got "
            f"{world} for {blocks * samples} (data.blocks_per_batch, {blocks}). Start fewer, or "
            "raise data.blocks_per_batch."
        )


def _refuse_uneven(blocks: int, number: int, of: str) -> None:
    """Refuse a number that does not divide the blocks of a batch.

    Raises:
        RecipeError: If it does not.
    """
    if blocks % number:
        raise RecipeError(
            f"The blocks of a batch must be divisible among its {of}; got {blocks} for {number} "
            f"(data.blocks_per_batch). Set data.blocks_per_batch to a multiple of {number}, such "
            f"as {-(-blocks // number) * number}."
        )
