"""A small model, batches of normal numbers, and a method: what tests of steps share."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax

from hypermagnetics.models import HyperLayer
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.train.config import ObjectiveConfig
from hypermagnetics.train.devices import DeviceBatch
from hypermagnetics.train.dispatch import Dispatch, StackedBatches
from hypermagnetics.train.losses import Huber
from hypermagnetics.train.objective import SumOfTerms, make_objective
from hypermagnetics.train.phases import trainable
from hypermagnetics.train.step import Method
from hypermagnetics.train.terms import Facts

MODEL = HyperLayer(
    config=HyperLayerConfig(width=10, depth=2, hwidth=0.5, hdepth=1),
    hyperkey=jr.key(0),
    mainkey=jr.key(1),
)


def random_batch(
    blocks: int = 2, samples: int = 4, points: int = 6, *, used: int | None = None, seed: int = 2
) -> DeviceBatch:
    """Normal numbers in the shapes of a batch, of which the first `used` samples count."""
    random = np.random.default_rng(seed)

    def normal(*shape: int) -> jax.Array:
        return jnp.asarray(random.normal(size=shape), jnp.float32)

    return DeviceBatch(
        normal(blocks, samples, 3, 4),
        jnp.full(blocks, samples if used is None else used, jnp.int32),
        normal(blocks, points, 2),
        normal(blocks, samples, points),
        normal(blocks, samples, points, 2),
    )


def objective() -> SumOfTerms:
    """The usual one."""
    return make_objective(
        ObjectiveConfig(loss=Huber(delta=0.3)), Facts(MODEL.inputs.columns, 0.7, 1.9), {}
    )


def method(**changes: object) -> Method:
    """Adam on that objective."""
    settings = {
        "objective": objective(),
        "optimiser": optax.adam(1e-2),
        "trained": trainable(MODEL, ()),
    }
    return Method(**{**settings, **changes})  # type: ignore[arg-type]


def dispatch_of(batches: Sequence[DeviceBatch], most: int = 1) -> Dispatch:
    """A dispatch of batches on the device; the last stands where there is room for more."""
    filled = [*batches, *batches[-1:] * (most - len(batches))]
    stacked: DeviceBatch = jax.tree.map(lambda *parts: jnp.stack(parts), *filled)
    return Dispatch(StackedBatches(stacked), len(batches))
