"""Datasets of states: trajectories of reference physics, without sources."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from jaxtyping import Float32
from pydantic import Field

from hypermagnetics.config import Config, Count
from hypermagnetics.data import (
    CPU,
    ArrayBlock,
    ArrayLayout,
    Compression,
    Identity,
    LabelDevice,
    StorageFormat,
    version_of,
)
from hypermagnetics.data.layout import in_shards
from hypermagnetics.data.trajectories import STATES, states_declaration
from hypermagnetics.dynamics import StatePhysicsConfig, samples_together, state_trajectories
from hypermagnetics.errors import LabelError, RecipeError
from hypermagnetics.generate.any_plan import Plan, software
from hypermagnetics.generate.config import Splits, StorageConfig, TitledRecipe
from hypermagnetics.log import in_bytes
from hypermagnetics.sources import uniforms
from hypermagnetics.sources.sums import computing_on

_MAX_BLOCK_BYTES = 256e6
"""Largest block that a recipe can ask for."""
_SECONDS_PER_STEP = 3e-6
"""Time of a step of one sample among those computed with it, without that of its values."""
_SECONDS_PER_VALUE = 2e-8


class StatesSplit(Config):
    """One split of states."""

    num_samples: Count
    """Number of samples. A sample is a trajectory from a start of its own."""


class StatesRecipe(TitledRecipe):
    """A whole dataset of states."""

    seed: Annotated[int, Field(ge=0, le=2**32 - 1)]
    """Seed of all random values; the same recipe with the same seed makes the same dataset."""
    samples_per_block: Annotated[int, Field(ge=1, le=2**20)] | None = None
    """Consecutive samples that are read together, the smallest part of a batch; they change no
    value. null for 32, or as many as fit into 64 MB."""
    states: StatePhysicsConfig
    """Physics of the states: how they begin, and how they go on."""
    storage: StorageConfig = StorageConfig()
    """Layout of the arrays in files."""
    splits: Splits[StatesSplit]
    """Splits by name, each with samples of its own."""


@dataclass(frozen=True)
class StatePlan(Plan):
    """All that determines the bytes of a dataset of states."""

    recipe: StatesRecipe
    """Recipe with every open value filled in."""

    @property
    def seconds(self) -> float:
        """About the time that the trajectories take on two cores [s]."""
        physics = self.recipe.states
        each = _SECONDS_PER_STEP + _SECONDS_PER_VALUE * math.prod(physics.shape)
        return self.num_samples * physics.num_steps * each

    @property
    def less_memory(self) -> str:
        """How blocks take less memory; see `Plan`."""
        return "Lower samples_per_block or states.num_steps"

    def on(self, device: LabelDevice) -> Plan:
        """The same, computed on the CPU alone; see `Plan`."""
        if device != CPU:
            raise RecipeError(
                "States must be computed on the CPU, in float64 and a few at a time; got "
                f"{device.in_words} (device). Leave the option out."
            )
        return super().on(device)

    def content_of(self, split: str) -> str:
        """The samples of a split in words; see `Plan`."""
        physics = self.recipe.states
        shape = " x ".join(map(str, physics.shape))
        return (
            f"{self.layouts[split].num_samples} samples of {physics.num_steps + 1} states of "
            f"{shape} values"
        )

    def start_block(self, split: str, index: int) -> Callable[[], ArrayBlock]:
        """Draw starts, and compute their trajectories; see `Plan`."""
        samples = self.layouts[split].block_samples(index)
        with computing_on("cpu"):
            states = trajectories_of_samples(self.recipe, split, samples)
        _refuse_nonfinite(states, split, samples.start)
        return lambda: ArrayBlock(len(samples), {STATES: states})


def trajectories_of_samples(
    recipe: StatesRecipe, split: str, samples: range
) -> Float32[np.ndarray, " samples states *state"]:
    """Trajectories of consecutive samples, which depend on (seed, split, sample) alone.

    Args:
        recipe: Recipe of the dataset.
        split: Name of the split.
        samples: Numbers of the samples, at least one.

    Returns:
        The trajectories.
    """
    physics = recipe.states
    together = samples_together(physics)
    parts = []
    for first in range(samples.start - samples.start % together, samples.stop, together):
        # Always with the same others, however the samples lie in blocks.
        uniform = uniforms(recipe.seed, split, "states", first, together, physics.num_drawn)
        wanted = slice(max(samples.start - first, 0), samples.stop - first)
        parts.append(state_trajectories(physics, uniform)[wanted])
    return np.concatenate(parts)


def _refuse_nonfinite(states: np.ndarray, split: str, first: int) -> None:
    finite = np.isfinite(states.reshape(*states.shape[:2], -1)).all(axis=2)
    for sample, time in np.argwhere(~finite)[:1]:
        raise LabelError(
            "States must stay finite in float32; got one that is not (split "
            f"{split!r}, sample {first + sample}, state {time}; rule V1). Lower the time step or "
            "the number of steps (states)."
        )


def plan_of_states(
    recipe: StatesRecipe, storage_format: StorageFormat, compression: Compression = "none"
) -> StatePlan:
    """Compute every size.

    Args:
        recipe: Recipe of the dataset.
        storage_format: In which format.
        compression: And how its bytes are packed.

    Returns:
        The plan.

    Raises:
        RecipeError: If a block would not fit in memory.
    """
    samples = recipe.samples_per_block or samples_together(recipe.states)
    recipe = recipe.model_copy(update={"samples_per_block": samples})
    blocks = {name: _layout(recipe, name, samples) for name in recipe.splits}
    storage = recipe.storage.of_bytes(sum(layout.num_bytes for layout in blocks.values()))
    recipe = recipe.model_copy(update={"storage": storage})
    splits = in_shards(blocks, storage.shard_bytes)
    identity = Identity(
        format_version=version_of(splits.values()),
        title=recipe.title,
        bodies={},
        constants={},
        columns=(),
        column_units=(),
        seed=recipe.seed,
        storage_format=storage_format,
        compression=compression,
        recipe=recipe.model_dump(mode="json", exclude=recipe.without_credits),
        splits=splits,
        software=software(),
        label_device=CPU,
    )
    return StatePlan(identity, recipe)


def _layout(recipe: StatesRecipe, name: str, samples_per_block: int) -> ArrayLayout:
    physics = recipe.states
    declared = states_declaration(physics.num_steps + 1, physics.shape)
    num_samples = recipe.splits[name].num_samples
    per_block = min(samples_per_block, num_samples)
    found = per_block * 4 * math.prod(declared.item_shape)
    if found > _MAX_BLOCK_BYTES:
        samples_too = "samples_per_block, or " if per_block > 1 else ""
        raise RecipeError(
            f"A block must take at most {in_bytes(_MAX_BLOCK_BYTES)}; got {in_bytes(found)} (split "
            f"{name!r}, samples_per_block {per_block}, {physics.num_steps + 1} states of "
            f"{math.prod(physics.shape)} values). Lower {samples_too}states.num_steps."
        )
    return ArrayLayout(
        num_samples=num_samples,
        samples_per_block=per_block,
        samples_per_shard=per_block,
        declared=(declared,),
    )
