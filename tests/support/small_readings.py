"""Small simulated readings with their derivatives by mean and variance, imported, and networks."""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hypermagnetics.config import Config
from hypermagnetics.data import Dataset
from hypermagnetics.data.array_import import import_arrays, readings_and_derivatives
from hypermagnetics.data.array_view import ArrayView, names_of_readings, read_array_batch
from hypermagnetics.data.origin import Shares
from hypermagnetics.data.parameters import Parameter
from hypermagnetics.models import MLP, ArrayInputs, ArrayModel, ArrayScales
from hypermagnetics.train.devices import ArrayDeviceBatch, Devices

NUM_SAMPLES, NUM_COMPLETE = 1001, 600
"""Samples of each split, and those, the first, that have derivatives."""
NUM_VALUES = 10
PARAMETERS = (Parameter(name="mean", value=0.5), Parameter(name="variance", value=2.0))
COVARIANCE = np.array([[1.5, 0.3, 0.0], [0.3, 0.8, -0.2], [0.0, -0.2, 0.6]])
"""One of three summaries."""
SHORT = (
    "model.width=8",
    "model.depth=2",
    "model.gain=1.0",
    "data.noise=null",
    "schedule.max_steps=6",
    "validation.every=3",
    "checkpoint.every=3",
    "tracking.log_every=2",
)
"""A recipe of a second, for readings that have their noise."""


def files_of_readings(directory: Path, samples: int, complete: int) -> tuple[Path, Path]:
    """Normal numbers x = mean + sqrt(variance) n, and their derivatives by mean and variance."""
    mean, variance = (parameter.value for parameter in PARAMETERS)
    n = np.random.default_rng(0).normal(size=(samples, NUM_VALUES))
    x = mean + np.sqrt(variance) * n
    slopes = np.stack([np.ones_like(n), n / (2 * np.sqrt(variance))], axis=-1)
    np.save(directory / "x.npy", x)
    np.save(directory / "d.npy", slopes[:complete])
    return directory / "x.npy", directory / "d.npy"


def small_readings(directory: Path, samples_per_block: int = 80) -> Dataset:
    """A dataset of these files; its derivatives, and its splits, end in the middle of a block."""
    directory.mkdir(parents=True, exist_ok=True)
    files = files_of_readings(directory, 2 * NUM_SAMPLES, 2 * NUM_COMPLETE)
    import_arrays(
        readings_and_derivatives(*files, PARAMETERS),
        directory / "data",
        shares=Shares(train=0.5, valid=0.5, test=0.0),
        samples_per_block=samples_per_block,
        shard_bytes=20_000.0,
    )
    return Dataset.open(directory / "data")


def readings_view(dataset: Dataset, name: str = "train") -> ArrayView:
    """Readings of a split, and their derivatives."""
    split = dataset.any_split(name)
    return ArrayView(split, names_of_readings(split, None))


def whole_batch(view: ArrayView, devices: int = 1) -> ArrayDeviceBatch:
    """All samples of a split."""
    blocks = range(view.layout.num_blocks)
    return Devices.local(devices).take(read_array_batch(view, blocks))


def batch_of(readings: np.ndarray, derivatives: np.ndarray) -> ArrayDeviceBatch:
    """Samples as one block, of which the first have derivatives."""
    missing = len(readings) - len(derivatives)
    padded = np.pad(derivatives, ((0, missing), *((0, 0),) * (derivatives.ndim - 1)))
    arrays = {"inputs": jnp.asarray(readings)[None], "derivatives": jnp.asarray(padded)[None]}
    counts = jnp.array([len(readings)]), jnp.array([len(derivatives)]), jnp.array([0])
    return ArrayDeviceBatch(arrays, *counts)  # type: ignore[arg-type]


def samples_of(view: ArrayView) -> tuple[np.ndarray, np.ndarray]:
    """All readings and all derivatives, in float64."""
    blocks = view.read(range(view.layout.num_blocks))
    pair = (np.concatenate([block[role] for block in blocks]) for role in ("inputs", "derivatives"))
    x, d = (values.astype(np.float64) for values in pair)
    return x, d


def difference(found: ArrayModel, wanted: ArrayModel) -> float:
    """Largest difference of two gradients, in units of the largest number.

    Each array by itself would not do: that of the last bias is 0 but for rounding.
    """
    one, other = (
        np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(gradient)])
        for gradient in (found, wanted)
    )
    return float(abs(one - other).max() / abs(other).max())


def with_covariance(network: MLP, x: np.ndarray, wanted: np.ndarray) -> MLP:
    """The network with summaries of a given covariance, as in the middle of a training."""
    c = np.cov(np.asarray(in_float64(network)(x)).T)
    matrix = np.linalg.cholesky(wanted) @ np.linalg.inv(np.linalg.cholesky(c))
    last = network.layers[-1]
    weight, bias = (jnp.asarray(np.asarray(one) @ matrix.T, jnp.float32) for one in last)
    changed: MLP = eqx.tree_at(
        lambda n: (n.layers[-1].weight, n.layers[-1].bias), network, (weight, bias)
    )
    return changed


class NoSettings(Config):
    """Settings of a network that has none."""


class Moments(ArrayModel):
    """Mean and mean square of the readings, times a matrix: summaries that lose nothing."""

    matrix: Float[Array, "2 2"]
    config: NoSettings = eqx.field(static=True)
    inputs: ArrayInputs = eqx.field(static=True)

    def __init__(self, num_values: int, matrix: np.ndarray | None = None, shift: float = 0.0):
        """Store the matrix, the identity if None, and what is added to all summaries."""
        self.matrix = jnp.asarray(np.eye(2) if matrix is None else matrix, jnp.float32)
        self.config = NoSettings()
        self.inputs = ArrayInputs(
            input=ArrayScales(name="readings", shape=(num_values,)),
            target=ArrayScales(name="summaries", shape=(2,), shift=(shift,)),
        )

    def apply(self, values: Float[Array, "..."]) -> Float[Array, "..."]:
        """Map one sample."""
        found = jnp.stack([jnp.mean(values), jnp.mean(values**2)])
        return self.matrix.astype(values.dtype) @ found


class Projections(ArrayModel):
    """y = W x, linear summaries."""

    matrix: Float[Array, "summaries values"]
    config: NoSettings = eqx.field(static=True)
    inputs: ArrayInputs = eqx.field(static=True)

    def __init__(self, matrix: np.ndarray, shape: tuple[int, ...], origin: np.ndarray):
        """Store the matrix, and the readings whose summaries are 0."""
        self.matrix, self.config = jnp.asarray(matrix, jnp.float32), NoSettings()
        self.inputs = ArrayInputs(
            input=ArrayScales(name="readings", shape=shape, shift=tuple(map(float, origin))),
            target=ArrayScales(name="summaries", shape=(len(matrix),)),
        )

    def apply(self, values: Float[Array, "..."]) -> Float[Array, "..."]:
        """Map one sample."""
        return self.matrix @ values.reshape(-1)


def in_float64(model: ArrayModel) -> ArrayModel:
    """The same network with parameters of float64."""
    wide: ArrayModel = jax.tree.map(
        lambda leaf: leaf.astype(jnp.float64) if eqx.is_array(leaf) else leaf, model
    )
    return wide
