"""How near to a large matrix product does a training step come, in operations a second?

HyperLayer at the paper's sizes, 2 blocks x 256 samples x 1024 points, loss on potential and field,
one step of Adam, against a float32 product of two 3072 x 3072 matrices through JAX in turn in the
same run. Counted are the multiplications and additions of the matrix products of the model alone:
not the activations, not the loss, not Adam.
"""

import itertools
import statistics
import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
from measurement import report
from timed_trainings import (
    dataset,
    dispatch_of,
    first_steps,
    operations,
    seconds_per_step,
    setup_of,
)

from hypermagnetics.data import read_batch
from hypermagnetics.models import HyperLayer

BOUND = 0.6
SIZE, ROUNDS = 3072, 9


def main() -> None:
    """Time both in turn."""
    with tempfile.TemporaryDirectory() as scratch:
        data = dataset("paper-discs-2d", Path(scratch) / "data")
        setup = setup_of(
            data, "hyper-layer", "data.blocks_per_batch=2", "data.points_per_step=null"
        )
        batch = setup.devices.take(read_batch(setup.train, setup.schedule.blocks(0)))
        dispatch = dispatch_of(batch)
        state, steps = first_steps(setup)
        model = state.model
        assert isinstance(model, HyperLayer)
        count = operations(model, batch)
        multiply = jax.jit(lambda a, b: a @ b)
        matrix = jax.random.normal(jax.random.key(0), (SIZE, SIZE), jnp.float32)
        multiply(matrix, matrix).block_until_ready()
        state, _ = seconds_per_step(state, steps, itertools.repeat(dispatch), 2)
        rates: dict[str, list[float]] = {"step": [], "product": []}
        for _ in range(ROUNDS):
            state, seconds = seconds_per_step(state, steps, itertools.repeat(dispatch), 3)
            rates["step"].append(count / seconds)
            start = time.perf_counter()
            multiply(matrix, matrix).block_until_ready()
            rates["product"].append(2.0 * SIZE**3 / (time.perf_counter() - start))
    medians = {name: statistics.median(found) for name, found in rates.items()}
    report(
        "operations a second of the step against those of a matrix product",
        medians["step"] / medians["product"],
        BOUND,
        step_gflops=medians["step"] / 1e9,
        product_gflops=medians["product"] / 1e9,
        step_operations=count,
    )


if __name__ == "__main__":
    main()
