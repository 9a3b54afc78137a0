"""Readings with known Fisher information, and a network whose summaries are known."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hypermagnetics.data import Dataset
from hypermagnetics.data.array_import import import_arrays, readings_and_derivatives
from hypermagnetics.data.array_view import ArrayView, names_of_readings
from hypermagnetics.data.origin import Shares
from hypermagnetics.data.parameters import Parameter
from hypermagnetics.models import MLP, ArrayInputs, ArrayModel, ArrayScales, MLPConfig, Noise
from hypermagnetics.models.mlp import Layer

THETA = (Parameter(name="mean", value=0.5), Parameter(name="slope", value=-2.0))
COUNT = 6
"""Readings of a sample: mean + slope t, at times t."""
TIMES = np.linspace(-1.0, 1.0, COUNT)
JACOBIAN = np.stack([np.ones(COUNT), TIMES], axis=1)
SIGMA = 0.3
BOUND = JACOBIAN.T @ JACOBIAN / SIGMA**2
"""Fisher information of the readings."""


def readings_of(
    directory: Path, noise: Literal["added", "none"], samples: int = 660, complete: int = 500
) -> Dataset:
    """A straight line at some times, with or without noise, in splits valid and test."""
    directory.mkdir(parents=True)
    line = JACOBIAN @ [one.value for one in THETA]
    readings = np.tile(line, (samples, 1))
    if noise == "added":
        readings = readings + SIGMA * np.random.default_rng(0).normal(size=readings.shape)
    np.save(directory / "x.npy", readings)
    np.save(directory / "d.npy", np.tile(JACOBIAN, (complete, 1, 1)))
    files = readings_and_derivatives(directory / "x.npy", directory / "d.npy", THETA)
    shares = Shares(train=0, valid=0.1, test=0.9)
    import_arrays(files, directory / "data", shares=shares, samples_per_block=70)
    return Dataset.open(directory / "data")


def view_of(dataset: Dataset) -> ArrayView:
    """Its readings and derivatives."""
    split = dataset.any_split("test")
    return ArrayView(split, names_of_readings(split, None))


def linear_network(
    weights: Float[np.ndarray, "readings summaries"],
    noise: Noise | None,
    parameters: Sequence[Parameter] = THETA,
) -> ArrayModel:
    """A network whose summaries are readings times weights."""
    inputs = ArrayInputs(
        input=ArrayScales(name="readings", shape=(COUNT,)),
        target=ArrayScales(name="summaries", shape=(weights.shape[1],)),
        parameters=tuple(parameters),
        noise=noise,
    )
    drawn = MLP(MLPConfig(width=1, depth=0), inputs, jnp.zeros(2, jnp.uint32))
    bias: Array = jnp.zeros(weights.shape[1])
    layer = Layer(jnp.asarray(weights, jnp.float32), bias)
    found: ArrayModel = eqx.tree_at(lambda one: one.layers, drawn, (layer,))
    return found
