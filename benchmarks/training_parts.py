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
from hypermagnetics.train.dispatch import Dispatch, Order, StackedBatches
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


def dispatch_of(batch: DeviceBatch) -> Dispatch:
    """A single step, of a batch that is on the device."""
    stacked: DeviceBatch = jax.tree.map(lambda values: values[None], batch)
    return Dispatch(StackedBatches(stacked), 1)


@contextmanager
def endless_dispatches(setup: Setup) -> Iterator[Iterator[Dispatch]]:
    """The steps of a training, one a dispatch."""
    order = Order(setup.schedule, 0, lambda step: 1, 1)
    with open_feed(setup.placement, setup.train, order, setup.devices) as feed:
        yield iter(lambda: feed.next(lambda: False), None)


def seconds_per_step(
    state: State, steps: Steps, dispatches: Iterator[Dispatch], count: int
) -> tuple[State, float]:
    """Make some steps, one a dispatch, without waiting for the device in between.

    Returns:
        The state after them, and the seconds a step took.
    """
    start = time.perf_counter()
    for number in range(count):
        state, _ = steps(state, next(dispatches), number)
    jax.block_until_ready(state.optimiser)
    return state, (time.perf_counter() - start) / count
