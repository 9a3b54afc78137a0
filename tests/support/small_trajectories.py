"""Small datasets of trajectories, of moments and of states, and trainings on them of a second."""

from pathlib import Path

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.generate import generate
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.states import StatesRecipe
from hypermagnetics.train.config import TrainingRecipe

SPLITS = ("train", "valid", "test")
STEPS = 6
"""Steps of a stored trajectory."""
DIRECT = (
    'model={name="stepper",network={name="mlp",width=8,depth=1}}',
    "schedule.max_steps=6",
    "schedule.learning_rate=1e-3",
    "validation.every=3",
    "checkpoint.every=3",
    "tracking.log_every=2",
)
"""A network that gives the next moments, in a second."""
CONVOLUTION = (
    "schedule.max_steps=6",
    "validation.every=3",
    "checkpoint.every=3",
    "tracking.log_every=2",
    "objective.terms.rollout.rollout_steps=2",
)
"""trainax's quickstart, in a second."""


def small_moments(directory: Path, *overrides: str) -> Dataset:
    """Spheres that precess; the blocks end with one that is not full."""
    counts = [f"splits.{name}={{num_samples=7,num_sources=3}}" for name in SPLITS]
    small = ("samples_per_grid=3", "grid.num_points=4", f"dynamics.num_steps={STEPS}", *counts)
    recipe = load_recipe(DatasetRecipe, "dataset", "precession", (*small, *overrides))
    return generate(recipe, directory)


def small_states(directory: Path, *overrides: str) -> Dataset:
    """Advection on a line of eight points; likewise."""
    size = ("states.num_points=8", "states.waves=3", f"states.num_steps={STEPS}")
    counts = [f"splits.{name}.num_samples=7" for name in SPLITS]
    small = ("samples_per_block=3", *size, *counts, *overrides)
    return generate(load_recipe(StatesRecipe, "dataset", "advection-1d", small), directory)


def small_lorenz(directory: Path) -> Dataset:
    """States of three numbers."""
    small = ("states.num_steps=4", "states.warmup_steps=0")
    counts = [f"splits.{name}.num_samples=3" for name in SPLITS]
    return generate(load_recipe(StatesRecipe, "dataset", "lorenz", (*small, *counts)), directory)


def rollout_recipe(name: str, *overrides: str) -> TrainingRecipe:
    """A shipped recipe, made tiny by overrides."""
    return load_recipe(TrainingRecipe, "training", name, overrides)
