"""Networks whose rollouts are known in closed form, and imported trajectories."""

from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from program_runs import invoke

from hypermagnetics.data import Dataset
from hypermagnetics.dynamics import AnyDynamics, dynamics_of
from hypermagnetics.models import (
    MLP,
    ArrayInputs,
    ArrayModel,
    ArrayScales,
    MapFrame,
    MLPConfig,
    ModelInputs,
    MomentFrame,
    StepFrame,
)
from hypermagnetics.models.array_conv import Conv, ConvConfig
from hypermagnetics.models.stepper import Stepper, StepperConfig
from hypermagnetics.table import SourceColumns


def imported(out: Path, values: np.ndarray, *options: str) -> Dataset:
    """Imported trajectories, half of them for tests."""
    np.save(out.with_suffix(".npy"), values)
    ran = invoke(
        "hm-data",
        "import-arrays",
        out,
        *("--states", out.with_suffix(".npy"), "--time-step", "0.5", "--shares", "0.4,0.1,0.5"),
        *("--samples-per-block", "4"),
        *options,
    )
    assert ran.code == 0, ran
    return Dataset.open(out)


def inputs_of_moments(
    dataset: Dataset,
    *,
    dynamics: AnyDynamics | None = None,
    columns: SourceColumns | None = None,
    max_sources: int | None = None,
) -> ArrayInputs:
    """Inputs of a stepper of a dataset, or of another one as the arguments say; scales are one."""
    dynamics = dynamics or dynamics_of(dataset.manifest.recipe)
    columns = columns or dataset.columns
    assert dynamics is not None
    frame = MomentFrame(dynamics=dynamics, sources=ModelInputs(columns=columns))
    count, width = max_sources or dataset.split("test").layout.max_sources, frame.width
    one = {"shift": (0.0,) * width, "scale": (1.0,) * width, "channel_axis": 1}
    return ArrayInputs(
        input=ArrayScales(name="sources", shape=(count, width), columns=frame.names, **one),
        target=ArrayScales(name="moments", shape=(count, columns.dim), unit="A m^2"),
        steps=StepFrame(time_step=dynamics.seconds, moments=frame),
    )


def staying(inputs: ArrayInputs) -> Stepper:
    """A stepper by a linear network that gives the moments which it reads."""
    found = MLP(MLPConfig(depth=0), inputs, jr.key(0))
    (count, width), (_, dim) = inputs.input.shape, inputs.target.shape
    chosen = np.zeros((count, width, count, dim), np.float32)
    for source in range(count):
        chosen[source, :dim, source] = np.eye(dim)
    weight = jnp.asarray(chosen.reshape(count * width, count * dim))
    layers = ((weight, jnp.zeros(count * dim, jnp.float32)),)
    part = eqx.tree_at(lambda one: one.layers, found, layers)
    return Stepper(StepperConfig(network=MLPConfig(depth=0)), inputs, part)


def inputs_of_states(dataset: Dataset, time_step: float, *, periodic: bool = True) -> ArrayInputs:
    """Inputs of a network of states, with maps if they are on a grid, and scales of one."""
    shape = dataset.array_split("test").layout.array("states").shape[2:]
    both = ArrayScales(name="states", shape=shape)
    frame = None
    if len(shape) > 1:
        frame = MapFrame(
            inputs=("inputs",),
            targets=("targets",),
            dim=len(shape) - 1,
            core=shape[1:],
            boundary="periodic" if periodic else "open",
        )
    return ArrayInputs(input=both, target=both, map=frame, steps=StepFrame(time_step=time_step))


def convolution(inputs: ArrayInputs, kernel: np.ndarray) -> ArrayModel:
    """A network on a grid: one convolution of one channel with the weights of a kernel."""
    config = ConvConfig(channels=(), kernel=kernel.shape[0], padding="same", bias=False)
    found = Conv(config, inputs, jr.key(0))
    (layer,) = found.layers
    weight = jnp.asarray(kernel.reshape(layer.weight.shape), jnp.float32)
    changed: ArrayModel = eqx.tree_at(lambda one: one.layers[0].weight, found, weight)
    return changed
