"""Datasets and trainings that several benchmarks of hm-train share."""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jax

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.models import HyperLayer
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.devices import DeviceBatch
from hypermagnetics.train.dispatch import Dispatch, Order, StackedBatches
from hypermagnetics.train.feed import open_feed
from hypermagnetics.train.setup import Setup, make_setup
from hypermagnetics.train.step import State, Steps, compiled_steps


def dataset(name: str, directory: Path, *changes: str) -> Dataset:
    """A dataset of a shipped recipe, with some keys changed."""
    # By the program, which computes labels in float64; steps are timed in float32.
    program = Path(sys.executable).parent / "hm-generate"
    options = [word for change in changes for word in ("--set", change)]
    subprocess.run([program, name, directory, *options], check=True, capture_output=True)
    return Dataset.open(directory)


def setup_of(data: Dataset, name: str, *overrides: str) -> Setup:
    """The parts of a training by a shipped recipe."""
    recipe = load_recipe(TrainingRecipe, "training", name, ("data.check=sizes", *overrides))
    return make_setup(recipe, data)


def first_steps(setup: Setup, at_once: int = 1) -> tuple[State, Steps]:
    """The state before the first step, and the compiled steps of a dispatch."""
    method = setup.phases[0].method
    return setup.devices.copies(method.begin(setup.new_model())), compiled_steps(method, at_once)


def dispatch_of(batch: DeviceBatch) -> Dispatch:
    """A single step, of a batch that is on the device."""
    stacked: DeviceBatch = jax.tree.map(lambda values: values[None], batch)
    return Dispatch(StackedBatches(stacked), 1)


@contextmanager
def endless_dispatches(setup: Setup, at_once: int = 1) -> Iterator[Iterator[Dispatch]]:
    """The steps of a training, some a dispatch."""
    order = Order(setup.schedule, 0, lambda step: at_once, at_once)
    with open_feed(setup.placement, setup.train, order, setup.devices) as feed:
        yield iter(lambda: feed.next(lambda: False), None)


def seconds_per_step(
    state: State, steps: Steps, dispatches: Iterator[Dispatch], count: int
) -> tuple[State, float]:
    """Make the steps of `count` dispatches, without waiting for the device in between.

    Returns:
        The state after them, and the seconds a step took.
    """
    start, made = time.perf_counter(), 0
    for dispatch in itertools.islice(dispatches, count):
        state, _ = steps(state, dispatch, made)
        made += dispatch.count
    jax.block_until_ready(state.optimiser)
    return state, (time.perf_counter() - start) / made


def seconds_to_first_line(data: Path, run: Path, cache: Path, *changes: str) -> float:
    """Start hm-train, and end it when it has told of its first steps."""
    program = Path(sys.executable).parent / "hm-train"
    options = [word for change in ("tracking.log_every=1", *changes) for word in ("--set", change)]
    start = time.perf_counter()
    process = subprocess.Popen(
        [program, data, run, "--recipe", "demo", *options],
        env={**os.environ, "JAX_COMPILATION_CACHE_DIR": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    metrics = run / "metrics.jsonl"
    while not (metrics.exists() and b"\n" in metrics.read_bytes()):
        if process.poll() is not None:
            raise RuntimeError("hm-train ended before its first step.")
        time.sleep(0.005)
    seconds = time.perf_counter() - start
    process.kill()
    process.wait()
    return seconds


def operations(model: HyperLayer, batch: DeviceBatch) -> float:
    """Of the matrix products of a step.

    A layer of a by b numbers takes 2 a b operations a row. The features are computed with their
    derivatives along each axis, so they have 1 + dim rows a point. The reverse pass takes each
    product twice again, once for the weights and once for what went in, but for the first layers,
    whose input has no gradient.
    """
    blocks, samples, sources = batch.sources.shape[:3]
    points, dim = batch.grid.shape[1:]
    rows = {
        "hypernetwork": blocks * samples * sources,
        "trunk": blocks * points * (1 + dim),
    }
    total = 0.0
    for name, count in rows.items():
        layers = getattr(model, name).layers
        for number, layer in enumerate(layers):
            total += 2.0 * layer.weight.size * count * (3 if number else 2)
    rank = model.rank or 0
    return total + 3 * 2.0 * blocks * samples * rank * points * (1 + dim)
