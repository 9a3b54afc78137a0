"""How many times faster is a training step of HyperLayer than in the published formulation?

The paper's sizes (400, 3, 1.5, 3), 500 samples of one source at 1024 points, loss on potential and
field, one step of Adam. The published formulation takes the gradient of the potential at every
point of every sample by itself, vmap(vmap(grad)); ours evaluates the block. The losses must agree
to 1e-5, or there is no result.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from measurement import report, time_calls
from timed_trainings import dispatch_of

from hypermagnetics.models import HyperLayer, Model
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.sources import SourceColumns, block_superposition
from hypermagnetics.train.config import ObjectiveConfig
from hypermagnetics.train.devices import DeviceBatch
from hypermagnetics.train.losses import MeanSquare
from hypermagnetics.train.objective import make_objective
from hypermagnetics.train.phases import trainable
from hypermagnetics.train.step import Method, State, compiled_steps
from hypermagnetics.train.terms import Facts

BOUND = 150.0
SAMPLES, POINTS = 500, 1024
PARTS = 5
"""In which the published formulation goes through the samples."""


def batch() -> DeviceBatch:
    """One block of discs with their exact labels."""
    sources = jr.normal(jr.key(0), (SAMPLES, 1, 4))
    grid = jr.uniform(jr.key(1), (POINTS, 2), minval=-3.0, maxval=3.0)
    columns = SourceColumns.of("disc", constants={"radius": 1.0})
    labels = block_superposition(columns, sources, jnp.ones(SAMPLES, jnp.int32), grid)
    return DeviceBatch(
        sources[None], jnp.array([SAMPLES]), grid[None], *(label[None] for label in labels)
    )


def published_step(
    optimiser: optax.GradientTransformation,
) -> Callable[..., tuple[Model, optax.OptState, jax.Array]]:
    """One step through vmap(vmap(grad))."""

    def loss(model: Model, data: DeviceBatch) -> jax.Array:
        def potential(table: jax.Array, point: jax.Array) -> jax.Array:
            return model(table, point[None])[0]

        at_points = jax.vmap(potential, in_axes=(None, 0))
        gradient = jax.vmap(jax.grad(potential, argnums=1), in_axes=(None, 0))
        over_samples = [jax.vmap(f, in_axes=(0, None)) for f in (at_points, gradient)]
        values, slopes = (f(data.sources[0], data.grid[0]) for f in over_samples)
        potential_error, field_error = values - data.potential[0], -slopes - data.field[0]
        return jnp.mean(potential_error**2) + jnp.mean(jnp.sum(field_error**2, axis=-1))

    @eqx.filter_jit
    def step(
        model: Model, state: optax.OptState, data: DeviceBatch
    ) -> tuple[Model, optax.OptState, jax.Array]:
        def add(total: object, some: DeviceBatch) -> tuple[object, None]:
            return jax.tree.map(jnp.add, total, eqx.filter_value_and_grad(loss)(model, some)), None

        # All samples at once would take 29 GB.
        first, rest = (jax.tree.map(lambda a, s=s: a[s], data) for s in (0, slice(1, None)))
        total, _ = jax.lax.scan(add, eqx.filter_value_and_grad(loss)(model, first), rest)
        value, gradient = jax.tree.map(lambda a: a / PARTS, total)
        updates, state = optimiser.update(gradient, state)
        return eqx.apply_updates(model, updates), state, value

    return step


def parts_of(data: DeviceBatch) -> DeviceBatch:
    """The samples in groups, along a new first axis."""
    sources, potential, field = (
        values.reshape(PARTS, 1, -1, *values.shape[2:])
        for values in (data.sources, data.potential, data.field)
    )
    each = jnp.full((PARTS, 1), SAMPLES // PARTS)
    grid = jnp.broadcast_to(data.grid, (PARTS, *data.grid.shape))
    return DeviceBatch(sources, each, grid, potential, field)


def copy_of(state: State) -> State:
    """The same state in memory of its own."""
    copied: State = jax.tree.map(jnp.copy, state)
    return copied


def main() -> None:
    """Time both on the same model and data."""
    config = HyperLayerConfig(width=400, depth=3, hwidth=1.5, hdepth=3, moment_as="input")
    model = HyperLayer(config=config, hyperkey=jr.key(2), mainkey=jr.key(3))
    optimiser, data = optax.adam(1e-4), batch()
    objective = make_objective(
        ObjectiveConfig(loss=MeanSquare()), Facts(model.inputs.columns, 1.0, 1.0), {}
    )
    method = Method(objective, optimiser, trainable(model, ()))
    ours, state = compiled_steps(method, 1), method.begin(model)
    theirs, their_state = published_step(optimiser), optimiser.init(eqx.filter(model, eqx.is_array))
    # Our step gives up the memory of the state that goes in, so each call gets a copy.
    groups, dispatch = parts_of(data), dispatch_of(data)
    _, losses = ours(copy_of(state), dispatch, 0)
    _, _, their_loss = theirs(model, their_state, groups)
    difference = abs(float(losses.total[0]) / float(their_loss) - 1)
    if difference > 1e-5:
        raise SystemExit(f"The losses must agree to 1e-5; they differ by {difference:.1e}.")
    fast = time_calls(lambda: jax.block_until_ready(ours(copy_of(state), dispatch, 0)))
    slow = time_calls(lambda: jax.block_until_ready(theirs(model, their_state, groups)), repeats=2)
    report(
        "step of HyperLayer (400, 3, 1.5, 3) against the published formulation",
        slow.median / fast.median,
        BOUND,
        ours_seconds=fast.median,
        ours_spread=fast.spread,
        published_seconds=slow.median,
        published_spread=slow.spread,
        loss_difference=difference,
    )


if __name__ == "__main__":
    main()
