"""A small network from arrays to arrays, and data whose targets and Jacobian are known."""

from pathlib import Path

import jax.random as jr
import numpy as np

from hypermagnetics.data import Dataset
from hypermagnetics.data.array_import import import_arrays, inputs_and_targets
from hypermagnetics.data.origin import Shares
from hypermagnetics.models import MLP, ArrayInputs, ArrayScales, MLPConfig

INPUTS = ArrayInputs(
    input=ArrayScales(
        name="inputs", shape=(3,), channel_axis=0, shift=(1.0, 0.0, -2.0), scale=(2.0, 0.5, 1.0)
    ),
    target=ArrayScales(name="targets", shape=(2, 2), shift=(0.3,), scale=(3.0,)),
)
NETWORK = MLP(MLPConfig(width=8, depth=2), INPUTS, jr.key(0))
NUM_INPUTS, NUM_TARGETS = 3, 5


def files_of_arrays(directory: Path, samples: int = 90) -> tuple[Path, Path, Path]:
    """Inputs m of other scales, targets tanh(A m), and their Jacobian, as files of numpy."""
    random = np.random.default_rng(0)
    rates = random.normal(size=(NUM_TARGETS, NUM_INPUTS)) / [1.0, 10.0, 0.1]
    m = random.normal(size=(samples, NUM_INPUTS)) * [1.0, 10.0, 0.1]
    q = np.tanh(m @ rates.T)
    arrays = {"m": m, "q": q, "j": (1 - q**2)[:, :, None] * rates}
    for name, values in arrays.items():
        np.save(directory / f"{name}.npy", values)
    return directory / "m.npy", directory / "q.npy", directory / "j.npy"


def small_arrays(directory: Path, samples: int = 90, samples_per_block: int = 4) -> Dataset:
    """A dataset of these files, whose splits end in the middle of a block."""
    directory.mkdir(parents=True, exist_ok=True)
    files = inputs_and_targets(*files_of_arrays(directory, samples))
    import_arrays(
        files,
        directory / "data",
        shares=Shares(train=0.7, valid=0.2, test=0.1),
        samples_per_block=samples_per_block,
        shard_bytes=2000.0,
    )
    return Dataset.open(directory / "data")
