"""How fast is a step of hm-train on maps, against the same network written bare?

A U-Net from the magnetisation to the potential, 64 x 64 points, 16 samples, loss of Huber, one step
of Adam. The bare step has Equinox and optax alone and a batch that lies ready; that of hm-train
makes the raster of the sources as well. The losses must agree to 1e-5, or there is no result.
"""

import tempfile
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from measurement import report, time_calls

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.plan import make_plan
from hypermagnetics.generate.run import generate
from hypermagnetics.models import UNet
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.devices import ArrayDeviceBatch, Devices
from hypermagnetics.train.dispatch import Dispatch, StackedBatches
from hypermagnetics.train.feed import read_blocks
from hypermagnetics.train.setup import Setup, make_setup
from hypermagnetics.train.step import compiled_steps

BOUND = 0.8
RATE, DELTA = 1e-3, 0.1


class Pair(eqx.Module):
    """Two convolutions, each with gelu behind it."""

    first: eqx.nn.Conv2d
    second: eqx.nn.Conv2d

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map one sample."""
        return jax.nn.gelu(self.second(jax.nn.gelu(self.first(x))))


class Bare(eqx.Module):
    """A U-Net as it is written in a notebook."""

    down: tuple[Pair, ...]
    up: tuple[Pair, ...]
    last: eqx.nn.Conv2d

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map one sample."""
        held = []
        for level, pair in enumerate(self.down):
            if level:
                x = eqx.nn.AvgPool2d(2, 2)(x)
            x = pair(x)
            held.append(x)
        for pair, own in zip(self.up[::-1], held[-2::-1], strict=True):
            x = jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
            x = pair(jnp.concatenate([own, x]))
        return self.last(x)


def bare(network: UNet) -> Bare:
    """The same network, with the same weights."""
    pairs = [
        tuple(Pair(one.first, one.second) for one in way) for way in (network.down, network.up)
    ]
    return Bare(pairs[0], pairs[1], network.last)


def setup_of(directory: Path) -> Setup:
    """A training of maps, with its dataset."""
    splits = "splits={train={num_samples=64,num_sources=4},valid={num_samples=16,num_sources=4}}"
    recipe = load_recipe(DatasetRecipe, "dataset", "maps", (splits, "samples_per_grid=16"))
    generate(make_plan(recipe, "zarr"), directory)
    changes = (
        'model={name="unet",channels=[16,32,64,64]}',
        f'objective.loss={{kind="huber",delta={DELTA}}}',
        f"schedule={{max_steps=10,learning_rate={RATE},final_fraction=1.0}}",
        'optimiser={name="adam",arguments={}}',
        "data.augment=[]",
    )
    training = load_recipe(TrainingRecipe, "training", "map-unet", changes)
    return make_setup(training, Dataset.open(directory))


def main() -> None:
    """Time both on the same samples."""
    with tempfile.TemporaryDirectory() as scratch:
        setup = setup_of(Path(scratch) / "data")
        network = setup.new_model()
        assert isinstance(network, UNet)
        method = setup.phases[0].method
        batch = Devices.local(1).take(read_blocks(setup.train, (0,), None))
        maps = method.augment(batch, jnp.asarray(0))
        assert isinstance(maps, ArrayDeviceBatch)
        steps = compiled_steps(method, 1)
        state = method.begin(network)
        dispatch = Dispatch(StackedBatches(jax.tree.map(lambda one: one[None], batch)), 1)

        inputs = network.inputs.input.standard(maps.arrays["inputs"][0])
        targets = network.inputs.target.standard(maps.arrays["targets"][0])
        optimiser, model = optax.adam(RATE), bare(network)

        def loss(model: Bare, x: jax.Array, y: jax.Array) -> jax.Array:
            error = jnp.abs(jax.vmap(model)(x) - y)
            small = error**2 / (2 * DELTA)
            return jnp.mean(jnp.where(error < DELTA, small, error - DELTA / 2))

        @eqx.filter_jit(donate="all-except-first")
        def step(
            data: tuple[jax.Array, jax.Array], model: Bare, state: optax.OptState
        ) -> tuple[Bare, optax.OptState, jax.Array]:
            value, gradient = eqx.filter_value_and_grad(loss)(model, *data)
            updates, state = optimiser.update(gradient, state)
            return eqx.apply_updates(model, updates), state, value

        first, _, value = step(
            (inputs, targets), model, optimiser.init(eqx.filter(model, eqx.is_array))
        )
        _, losses = steps(jax.tree.map(jnp.copy, state), dispatch, 0)
        difference = abs(float(losses.total[0]) / float(value) - 1)
        if difference > 1e-5:
            raise SystemExit(f"The losses must agree to 1e-5; they differ by {difference:.1e}.")

        def ours() -> None:
            nonlocal state
            state, _ = jax.block_until_ready(steps(state, dispatch, 0))

        held = [first, optimiser.init(eqx.filter(first, eqx.is_array))]

        def theirs() -> None:
            held[0], held[1], _ = jax.block_until_ready(step((inputs, targets), held[0], held[1]))

        own, other = time_calls(ours, repeats=15), time_calls(theirs, repeats=15)
        report(
            "speed of a step of hm-train on maps against the bare network",
            other.median / own.median,
            BOUND,
            ours_seconds=own.median,
            ours_spread=own.spread,
            bare_seconds=other.median,
            bare_spread=other.spread,
            loss_difference=difference,
        )


if __name__ == "__main__":
    main()
