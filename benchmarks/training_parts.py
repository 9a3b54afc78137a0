"""Datasets and trainings that several benchmarks of hm-train share."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jax

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.devices import DeviceBatch
from hypermagnetics.train.feed import open_feed
from hypermagnetics.train.setup import Setup, make_setup
from hypermagnetics.train.step import State, Steps, compiled_steps


def dataset(name: str, directory: Path) -> Dataset:
    """A dataset of a shipped recipe."""
    # By the program, which computes labels in float64; steps are timed in float32.
    program = Path(sys.executable).parent / "hm-generate"
    subprocess.run([program, name, directory], check=True, capture_output=True)
    return Dataset.open(directory)


def setup_of(data: Dataset, name: str, *overrides: str) -> Setup:
    """The parts of a training by a shipped recipe."""
    recipe = load_recipe(TrainingRecipe, "training", name, ("data.check=sizes", *overrides))
    return make_setup(recipe, data)


def first_steps(setup: Setup) -> tuple[State, Steps]:
    """The state before the first step, and its compiled step."""
    method = setup.phases[0].method
    return setup.devices.copies(method.begin(setup.new_model())), compiled_steps(method, 1)


@contextmanager
def endless_batches(setup: Setup) -> Iterator[Iterator[DeviceBatch]]:
    """The batches of a training, one after another."""
    with open_feed(setup.placement, setup.train, setup.schedule, 0, setup.devices) as feed:
        yield iter(feed.next, None)


def seconds_per_step(
    state: State, steps: Steps, batches: Iterator[DeviceBatch], count: int
) -> tuple[State, float]:
    """Make some steps without waiting for the device in between.

    Returns:
        The state after them, and the seconds a step took.
    """
    start = time.perf_counter()
    for number in range(count):
        state, _ = steps(state, [next(batches)], number)
    jax.block_until_ready(state.optimiser)
    return state, (time.perf_counter() - start) / count
