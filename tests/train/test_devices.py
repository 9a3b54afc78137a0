"""Samples shared among devices: four of a CPU, in a process of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hypermagnetics.errors import RecipeError
from hypermagnetics.train.devices import Devices

PROGRAM = """
import json, sys
from dataclasses import replace
import equinox as eqx, jax, numpy as np
from training_parts import MODEL, dispatch_of, method, objective, random_batch
from hypermagnetics.data import Batch
from hypermagnetics.train.aggregation import loss_and_gradient
from hypermagnetics.sources import Directions
from hypermagnetics.train.devices import Devices, unchanged
from hypermagnetics.train.losses import Huber
from hypermagnetics.train.phases import trainable
from hypermagnetics.train.sample_keys import TRAINING, with_sample_keys
from hypermagnetics.train.step import compiled_steps
from hypermagnetics.data.array_view import ArrayBatch
from hypermagnetics.train.objective import SumOfTerms
from hypermagnetics.train.terms import BySourcesTerm
from hypermagnetics.train.terms.by_inputs import ByInputsTerm
from hypermagnetics.train.terms.targets import TargetsTerm
from small_networks import NETWORK

def host(batch):
    sources, num_samples, grid, potential, field = map(np.asarray, jax.tree.leaves(batch))
    return Batch(sources, np.ones(sources.shape[:2]), num_samples, grid, potential, field)

def gradient(devices, batch, chunks, order="at-once"):
    function = eqx.filter_jit(lambda model, batch: loss_and_gradient(
        objective(), model, batch, trainable(MODEL, ()), chunks, devices, order))
    return jax.device_get(function(devices.copies(MODEL), devices.take(host(batch))))

def with_slopes():
    # Potential and field, and derivatives of the potential in one random direction.
    columns = MODEL.inputs.columns
    along = Directions(columns, columns.names, 1.0, 1.0)
    slopes = BySourcesTerm(1.0, "potential", along, 1, Huber(delta=0.3).on_samples(2), 0.5)
    return replace(objective(), terms={**objective().terms, "slopes": slopes})

def slopes_gradient(devices, batch, chunks):
    keyed = with_sample_keys(unchanged, 5, TRAINING)
    function = eqx.filter_jit(lambda model, batch: loss_and_gradient(
        with_slopes(), model, keyed(batch, jax.numpy.int32(3)), trainable(MODEL, ()), chunks,
        devices))
    return jax.device_get(function(devices.copies(MODEL), devices.take(host(batch))))

def difference(one, other):
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)

GRIDS = {"row": Devices.local(4), "row of 3": Devices.local(3),
         "blocks": Devices.of_batches(2, 2), "both": Devices.of_batches(4, 2)}
assert [(*grid.mesh.devices.shape,) for grid in GRIDS.values()] == [(1, 4), (1, 3), (2, 1), (2, 2)]
found = {}
for samples, used in ((7, 7), (13, 10)):
    batch = random_batch(samples=samples, used=used)
    whole = gradient(Devices.local(1), batch, 1)
    for name, devices in GRIDS.items():
        for chunks in (1, 2, 3):
            shared = gradient(devices, batch, chunks)
            found[f"{samples} {used} {name} {chunks}"] = difference(shared, whole)

one, two = (gradient(devices, batch, 1, "by-block")
            for devices in (Devices.local(1), GRIDS["blocks"]))
found["by block"] = difference(one, whole)
same = jax.tree.map(np.array_equal, one, two)

batch = random_batch(samples=13, used=10)
whole = slopes_gradient(Devices.local(1), batch, 1)
for name, devices in GRIDS.items():
    found[f"slopes {name}"] = difference(slopes_gradient(devices, batch, 2), whole)

def array_batch(samples, used):
    random = np.random.default_rng(0)
    shapes = {"inputs": (3,), "targets": (2, 2), "jacobian": (2, 2, 3)}
    arrays = {role: random.normal(size=(2, samples, *shape)).astype(np.float32)
              for role, shape in shapes.items()}
    counts = np.full(2, used, np.int32)
    return ArrayBatch(arrays, counts, counts, np.arange(2, dtype=np.int32))

def array_gradient(devices, batch, chunks):
    # Targets, and their derivatives in one random direction.
    loss = Huber(delta=0.3).on_samples(2)
    terms = {"targets": TargetsTerm(1.0, loss, 0.7),
             "slopes": ByInputsTerm(weight=1.0, count=1, loss=loss, rms=0.5)}
    keyed = with_sample_keys(unchanged, 5, TRAINING)
    function = eqx.filter_jit(lambda model, batch: loss_and_gradient(
        SumOfTerms(terms), model, keyed(batch, jax.numpy.int32(3)), trainable(NETWORK, ()), chunks,
        devices))
    return jax.device_get(function(devices.copies(NETWORK), devices.take(batch)))

batch = array_batch(samples=13, used=10)
whole = array_gradient(Devices.local(1), batch, 1)
for name, devices in GRIDS.items():
    for chunks in (1, 2):
        shared = array_gradient(devices, batch, chunks)
        found[f"arrays {name} {chunks}"] = difference(shared, whole)

devices = Devices.of_batches(4, 2)
placed = devices.take(host(random_batch(samples=8)))
shards = {shard.data.shape[:2] for shard in placed.sources.addressable_shards}
steps = compiled_steps(method(ema_decay=0.9, devices=devices), 1)
state = devices.copies(method(ema_decay=0.9).begin(MODEL))
for number in range(3):
    state, losses = steps(state, dispatch_of([placed]), number)
print(json.dumps({"differences": found, "shards": sorted(shards), "devices": len(devices),
                  "finite": bool(np.isfinite(losses.total).all()),
                  "same_bits": all(jax.tree.leaves(same))}))
"""


@pytest.mark.slow
def test_devices_share_a_gradient() -> None:
    """To 1e-5 for any number of devices and chunks, also where samples do not divide.

    Added by block, it has the same bits on one device and on two.
    """
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=4"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=False,
        env={**_environment(), "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert len(result["differences"]) == 37
    assert max(result["differences"].values()) < 1e-5, result
    assert (result["shards"], result["devices"], result["finite"]) == ([[1, 4]], 4, True)
    assert result["same_bits"]


def test_more_devices_than_there_are_are_refused() -> None:
    """With how many there are."""
    with pytest.raises(RecipeError, match=r"must be at most 1, .*; got 3 \(cpu\). Lower it"):
        Devices.local(3)


def _environment() -> dict[str, str]:
    tests = str(Path(__file__).parents[1] / "support")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")])}
