"""Does the time of a model grow with sources plus points, and by which error is the field wrong?

As many discs as points, from 10 to 1e5, potential and field of one configuration, in bounded
memory. The side of the square grows with the root of the number, so that the neighbours of a point
stay as many. Before it is timed, the RangeSplit is fitted by its least squares to the square in
question, and its errors against the exact sum are printed beside its time. It keeps 256 features
and 1024 waves, which serve small squares alone: in large ones its time is that of a wrong field.
HyperLayer has random parameters; its errors say that nothing but a time is measured.

The slope is that of log time against log (sources + points) from 1e3 on; 1 is linear. A model
passes the exact sum where it is faster with a median error of the field below 1 %; without such a
number there is null. The exact sum is timed up to 1e4 and goes on with the square of the number.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from against_exact import Errors, errors_of, first_overtaking, shortest_seconds
from measurement import report

from hypermagnetics.models import HyperLayer, Model, ModelInputs, RangeSplit
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.models.split import RangeSplitConfig
from hypermagnetics.sources import SourceColumns, superposition

NUMBERS = (10, 100, 1_000, 10_000, 100_000)
LARGE = 1_000
"""The slope is fitted from here on; below, calls cost more than their work."""
EXACT_UP_TO = 10_000
COMPARED = 1_000
"""Points at which errors are taken."""
FITTED_TO = 4_000
"""Positions of sources and points that the RangeSplit is fitted to."""
COLUMNS = SourceColumns.of("disc", constants={"radius": 0.3})
INPUTS = ModelInputs(columns=COLUMNS)


def models(number: int) -> dict[str, Model]:
    """A network as drawn, and a RangeSplit, its cutoff two spacings of the sources, fitted."""
    keys = {"hyperkey": jr.key(0), "mainkey": jr.key(1)}
    small = HyperLayerConfig(width=256, depth=2, hwidth=1.0, hdepth=2)
    split = RangeSplit(RangeSplitConfig(cutoff=2.0), INPUTS, jr.key(2))
    positions, points = (in_square(number, FITTED_TO, jr.key(seed)) for seed in (3, 4))
    rows = jnp.concatenate([positions, positions], axis=1)  # the fit takes any moment
    return {
        "untrained_hyper_layer_256": HyperLayer(config=small, inputs=INPUTS, **keys),
        "fitted_split_256": split.fitted(rows, points, jr.key(5)),
    }


def in_square(number: int, count: int, key: jax.Array) -> jax.Array:
    """Positions in the square that has one square metre for each of a number of discs."""
    half_side = 0.5 * number**0.5
    return jr.uniform(key, (count, 2), minval=-half_side, maxval=half_side)


def configuration(number: int) -> tuple[jax.Array, jax.Array]:
    """Sources and points, one of each per square metre."""
    keys = jr.split(jr.key(number), 3)
    moment = jr.normal(keys[0], (number, 2))
    position, points = (in_square(number, number, key) for key in keys[1:])
    return jnp.concatenate([moment, position], axis=1), points


def both(model: Model) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """Potential and field of a model."""
    return lambda sources, points: (model.potential(sources, points), model.field(sources, points))


def errors(model: Model, number: int, sources: jax.Array) -> Errors:
    """Of a model at some points of the square."""
    points = in_square(number, COMPARED, jr.key(6))
    return errors_of(both(model)(sources, points), superposition(COLUMNS, sources, points))


def slope(taken: list[float]) -> float:
    """That of log time against log (sources + points)."""
    large = [i for i, number in enumerate(NUMBERS) if number >= LARGE]
    logs = np.log([[NUMBERS[i], taken[i]] for i in large])
    return float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])


def main() -> None:
    """Time each at each number, and compare it with the exact sum."""
    figures: dict[str, float | None] = {}
    times: dict[str, list[float]] = {}
    found: dict[str, list[Errors]] = {}
    exact: list[float] = []
    for number in NUMBERS:
        given = configuration(number)
        for name, model in models(number).items():
            seconds = shortest_seconds(partial(both(model), *given))
            times.setdefault(name, []).append(seconds)
            found.setdefault(name, []).append(errors(model, number, given[0]))
            figures[f"{name}_{number}_us"] = 1e6 * seconds / (2 * number)
            figures |= found[name][-1].figures(f"{name}_{number}")
            print(
                f"{number} discs, {name}: {seconds:.3g} s, median error of the field "
                f"{found[name][-1].field_median:.2%}",
                flush=True,
            )
        exact.append(
            shortest_seconds(partial(superposition, COLUMNS, *given))
            if number <= EXACT_UP_TO
            else exact[-1] * (number / NUMBERS[len(exact) - 1]) ** 2
        )
        figures[f"exact_{number}_us"] = 1e6 * exact[-1] / (2 * number)
    for name, taken in times.items():
        figures[f"{name}_slope"] = slope(taken)
        overtakes = first_overtaking(NUMBERS, taken, exact, found[name])
        figures[f"{name}_overtakes_exact_at"] = overtakes
        print(f"{name}: faster than the exact sum and accurate from {overtakes or 'no'} sources on")
    report(
        "slope of log time against log (sources + points), the steeper model",
        max(slope(taken) for taken in times.values()),
        1.1,
        exact_ns_per_pair=1e9 * exact[NUMBERS.index(EXACT_UP_TO)] / EXACT_UP_TO**2,
        **figures,
    )


if __name__ == "__main__":
    main()
