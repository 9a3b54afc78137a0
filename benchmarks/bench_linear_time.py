"""Does the time of a model grow with sources plus points, and where does it pass the exact sum?

As many discs as points, from 1e3 to 1e5, potential and field of one configuration, in bounded
memory. The side of the square grows with the root of the number, so that the neighbours of a point
stay as many. Errors are not looked at: K features serve squares of one size, so in the larger ones
a trained model would have to have more. The slope is that of log time against log (sources +
points); 1 is linear. The exact sum is timed up to 1e4, where it is quadratic already.
"""

import time
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from measurement import report

from hypermagnetics.models import HyperLayer, Model, ModelInputs, Split
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.models.split import SplitConfig
from hypermagnetics.sources import SourceColumns, superposition

NUMBERS = (1_000, 3_000, 10_000, 30_000, 100_000)
EXACT_UP_TO = 10_000
COLUMNS = SourceColumns.of("disc", constants={"radius": 0.3})


def models() -> dict[str, Model]:
    """Shipped architectures; the cutoff of Split is two spacings of the sources."""
    inputs = ModelInputs(columns=COLUMNS.names, bodies=COLUMNS.bodies, constants=COLUMNS.constants)
    keys = {"hyperkey": jr.key(0), "mainkey": jr.key(1)}
    small = HyperLayerConfig(width=256, depth=2, hwidth=1.0, hdepth=2)
    return {
        "hyper_layer_256": HyperLayer(config=small, inputs=inputs, **keys),
        "split_256": Split(SplitConfig(cutoff=2.0), inputs, jr.key(2)),
    }


def configuration(number: int) -> tuple[jax.Array, jax.Array]:
    """Sources and points, one of each per square metre."""
    half_side = 0.5 * number**0.5
    keys = jr.split(jr.key(number), 3)
    moment = jr.normal(keys[0], (number, 2))
    position, points = (
        jr.uniform(key, (number, 2), minval=-half_side, maxval=half_side) for key in keys[1:]
    )
    return jnp.concatenate([moment, position], axis=1), points


def seconds(evaluate: Callable[..., object], *arguments: jax.Array) -> float:
    """The shorter of two calls, after one that compiles."""
    found = []
    for _ in range(3):
        start = time.perf_counter()
        jax.block_until_ready(evaluate(*arguments))
        found.append(time.perf_counter() - start)
    return min(found[1:])


def both(model: Model) -> Callable[..., object]:
    """Potential and field of a model."""
    return lambda sources, points: (model.potential(sources, points), model.field(sources, points))


def main() -> None:
    """Time each at each number."""
    figures: dict[str, float] = {}
    times: dict[str, list[float]] = {name: [] for name in models()}
    pair = 0.0
    for number in NUMBERS:
        given = configuration(number)
        for name, model in models().items():
            times[name].append(seconds(both(model), *given))
            figures[f"{name}_{number}_us"] = 1e6 * times[name][-1] / (2 * number)
        if number <= EXACT_UP_TO:
            taken = seconds(partial(superposition, COLUMNS), *given)
            figures[f"exact_{number}_us"] = 1e6 * taken / (2 * number)
            pair = taken / number**2
    slopes = {
        name: float(np.polyfit(np.log(NUMBERS), np.log(taken), 1)[0])
        for name, taken in times.items()
    }
    # n² pair = time of n sources and n points
    crossings = {name: taken[-1] / NUMBERS[-1] / pair for name, taken in times.items()}
    report(
        "slope of log time against log (sources + points), the steeper model",
        max(slopes.values()),
        1.1,
        **{f"{name}_slope": slope for name, slope in slopes.items()},
        **{f"{name}_overtakes_exact_at": number for name, number in crossings.items()},
        exact_ns_per_pair=1e9 * pair,
        **figures,
    )


if __name__ == "__main__":
    main()
