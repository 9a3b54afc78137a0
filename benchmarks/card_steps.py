"""Rows of a GPU about compiled training steps."""

import itertools
import time
from collections.abc import Iterator
from functools import partial
from statistics import median

import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from card_figures import Figure, Place
from card_programs import dataset_of
from timed_trainings import (
    endless_dispatches,
    first_steps,
    operations,
    seconds_per_step,
    setup_of,
)

from hypermagnetics.data import Dataset
from hypermagnetics.models import HyperLayer, ModelInputs
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.precision import MatmulPrecision
from hypermagnetics.sources import SourceColumns
from hypermagnetics.train.config import ObjectiveConfig
from hypermagnetics.train.devices import DeviceBatch
from hypermagnetics.train.dispatch import Dispatch, StackedBatches
from hypermagnetics.train.objective import make_objective
from hypermagnetics.train.phases import trainable
from hypermagnetics.train.step import Method, compiled_steps
from hypermagnetics.train.terms import Facts

ROUNDS = 7
PRODUCT = 3072
"""Side of the matrices of the product that a step is held against."""


def recipe_step(place: Place) -> Iterator[Figure]:
    """A step of `hyper-layer` as hm-train makes it: in a dispatch, the split on the device."""
    data = Dataset.open(dataset_of(place, "paper-discs-2d"))
    changes = ("model.width=16", "data.points_per_step=16") if place.is_small else ()
    setup = setup_of(data, "hyper-layer", "data.mode=device", *changes)
    at_once = setup.steps_per_dispatch
    state, steps = first_steps(setup, at_once)
    taken = []
    with endless_dispatches(setup, at_once) as dispatches:
        state, _ = seconds_per_step(state, steps, dispatches, 2)
        for _ in range(ROUNDS):
            state, each = seconds_per_step(state, steps, dispatches, place.size(16, 2))
            taken.append(each)
    batch = f"{setup.samples_per_step} x {setup.schedule.points_in_step}"
    name = f"batch {batch}, {at_once} steps a dispatch"
    yield Figure(name, 1e3 * median(taken), "ms", 0.36, before=0.69)


def step_operations(place: Place) -> Iterator[Figure]:
    """Operations a second of a large step, and of a product of the same precision."""
    for precision, name, bound, before in (
        ("float32", "float32", 0.6, 0.30),
        ("tensorfloat32", "TensorFloat-32", 0.4, 0.11),
    ):
        steps, product = _step_rate(place, precision), _product_rate(place, precision)
        yield Figure(f"step, {name}", steps / 1e12, "TFLOP/s")
        yield Figure(f"product of {PRODUCT} x {PRODUCT}, {name}", product / 1e12, "TFLOP/s")
        yield Figure(f"step against product, {name}", steps / product, "", bound, True, before)


def _step_rate(place: Place, precision: MatmulPrecision) -> float:
    """Operations a second of steps of HyperLayer at the paper's sizes."""
    at_once, columns = place.size(8, 1), SourceColumns.of("disc", constants={"radius": 1.0})
    samples, points = place.size(500, 4), place.size(1024, 16)
    config = HyperLayerConfig(
        width=place.size(400, 16), depth=3, hwidth=1.5, hdepth=3, moment_as="input"
    )
    inputs = ModelInputs(columns=columns)
    model = HyperLayer(config=config, inputs=inputs, hyperkey=jr.key(0), mainkey=jr.key(1))
    keys = jr.split(jr.key(2), 4)
    batch = DeviceBatch(
        jr.normal(keys[0], (1, samples, 1, columns.size)),
        jnp.array([samples]),
        jr.uniform(keys[1], (1, points, 2), minval=-3.0, maxval=3.0),
        jr.normal(keys[2], (1, samples, points)),
        jr.normal(keys[3], (1, samples, points, 2)),
    )
    objective = make_objective(ObjectiveConfig(), Facts(columns, 1.0, 1.0), {})
    method = Method(objective, optax.adam(1e-4), trainable(model, ()), matmul=precision)
    stacked: DeviceBatch = jax.tree.map(
        lambda values: jnp.broadcast_to(values, (at_once, *values.shape)), batch
    )
    dispatches = itertools.repeat(Dispatch(StackedBatches(stacked), at_once))
    steps, state = compiled_steps(method, at_once), method.begin(model)
    state, _ = seconds_per_step(state, steps, dispatches, 2)
    taken = []
    for _ in range(ROUNDS):
        state, each = seconds_per_step(state, steps, dispatches, 4)
        taken.append(each)
    return operations(model, batch) / median(taken)


def _product_rate(place: Place, precision: MatmulPrecision) -> float:
    """Operations a second of products, one at a time."""
    side = place.size(PRODUCT, 64)
    matrix = jr.normal(jr.key(0), (side, side), jnp.float32)
    multiply = jax.jit(partial(jnp.matmul, precision=precision))
    multiply(matrix, matrix).block_until_ready()
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        multiply(matrix, matrix).block_until_ready()
        taken.append(time.perf_counter() - start)
    return 2.0 * side**3 / median(taken)
