"""Rows of a GPU that a notebook would see: ceilings, exact sums, predictions."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from card_figures import Figure, Place
from card_models import Prediction, columns_of, every_prediction, points_of
from jax.sharding import SingleDeviceSharding
from measurement import time_calls

from hypermagnetics.models import HyperLayer, Model, ModelInputs, RangeSplit, RangeSplitConfig
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.sources import SourceColumns, block_superposition, superposition

REPEATS = 5


def seconds(call: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median of the time of a call, to the end of its work on the device."""
    return time_calls(lambda: jax.block_until_ready(call()), repeats).median


def ceilings(place: Place) -> Iterator[Figure]:
    """What the card itself can do; nothing of this package."""
    device = jax.devices()[0]
    host = np.ones((place.size(1 << 28, 1 << 20),), np.float32)
    gigabytes = host.nbytes / 1e9
    pinned = jax.device_put(host, SingleDeviceSharding(device, memory_kind="pinned_host"))
    on_device = SingleDeviceSharding(device, memory_kind="device")
    held = jax.device_put(host, on_device)
    add = jax.jit(lambda values: values + 1)
    yield Figure("copy on the device", 2 * gigabytes / seconds(lambda: add(held)), "GB/s")
    for name, of in (("pageable", host), ("pinned", pinned)):
        moved = partial(jax.device_put, of, on_device)
        yield Figure(f"host to device, {name}", gigabytes / seconds(moved), "GB/s")
    size = place.size(8192, 128)
    matrix = jr.normal(jr.key(0), (size, size), jnp.float32)
    for name, values, precision in (
        ("float32", matrix, "float32"),
        ("TensorFloat-32", matrix, "tensorfloat32"),
        ("bfloat16", matrix.astype(jnp.bfloat16), "bfloat16"),
    ):
        product = jax.jit(partial(jnp.matmul, precision=precision))
        taken = seconds(partial(product, values, values))
        yield Figure(f"product, {name}", 2e-12 * size**3 / taken, "TFLOP/s")


class _Difference(NamedTuple):
    """Relative L2 of a prediction on the device, against that on the CPU."""

    value: float
    """Infinite where it is no number."""
    model: str
    what: str
    """Quantity, and bodies or arrays."""


def predictions(place: Place) -> Iterator[Figure]:
    """Predictions of every shipped model for every body, on the device and on the CPU."""
    # Nearly all of the time is the compiler's, and one thread need not wait for that of another.
    with ThreadPoolExecutor(place.size(8, 2)) as pool:
        found = [one for some in pool.map(_differences, every_prediction(place)) for one in some]
    for model in dict.fromkeys(one.model for one in found):
        worst = max(one for one in found if one.model == model)
        yield Figure(f"worst relative L2 of {model} ({worst.what})", worst.value, "")
    worst = max(found)
    name = f"worst relative L2 of all ({worst.model}, {worst.what})"
    yield Figure(name, worst.value, "", bound=1e-6, before=6e-4)


def _differences(one: Prediction) -> list[_Difference]:
    devices = jax.devices()[0], jax.devices("cpu")[0]
    both = (_predicted_on(device, one) for device in devices)
    found = []
    for quantity, some, other in zip(one.quantities, *both, strict=True):
        value = float(np.linalg.norm(some - other) / np.linalg.norm(other))
        what = f"{quantity}, {one.bodies}"
        value = np.inf if np.isnan(value) else value
        found.append(_Difference(value, type(one.model).__name__, what))
    return found


def _predicted_on(device: jax.Device, one: Prediction) -> tuple[np.ndarray, ...]:
    moved = jax.tree.map(
        lambda leaf: jax.device_put(leaf, device) if isinstance(leaf, jax.Array) else leaf,
        (one.model, *one.arguments),
    )
    with jax.default_device(device):
        found = eqx.filter_jit(one.predict)(*moved)
    return tuple(np.asarray(values, np.float64) for values in jax.tree.leaves(found))


def exact_sums(place: Place) -> Iterator[Figure]:
    """Potential and field of as many sources as points, compiled, so that nothing is checked."""
    for bodies, full, bound, before in (
        ("discs", 65_536, 3.5, 343),
        ("spheres", 65_536, 6.0, 690),
        ("cuboids", 16_384, 250.0, 5800),
    ):
        columns, count = columns_of(bodies), place.size(full, 64)
        rows, points = _even(columns, count)
        compiled = jax.jit(partial(superposition, columns))
        taken = seconds(partial(compiled, rows, points))
        name = f"{bodies}, {count} x {count}"
        yield Figure(name, 1e12 * taken / count**2, "ps a pair", bound, before=before)


def many_configurations(place: Place) -> Iterator[Figure]:
    """Configurations of ten sources at the same points: compiled sums, and models as drawn."""
    count, num_points = place.size(1000, 4), place.size(1000, 16)
    for bodies, bound, before in (("discs", 0.3, 9.6), ("cuboids", 9.0, 82)):
        columns = columns_of(bodies)
        rows = jr.normal(jr.key(3), (count, 10, columns.size))
        points = points_of(num_points, columns.dim)
        counts = jnp.full(count, 10, jnp.int32)
        compiled = jax.jit(partial(block_superposition, columns))
        taken = seconds(partial(compiled, rows, counts, points))
        yield Figure(f"exact sum, {bodies}", 1e3 * taken, "ms", bound, before=before)
    inputs = ModelInputs(columns=columns_of("discs"))
    rows = jr.normal(jr.key(3), (count, 10, inputs.columns.size))
    points = points_of(num_points, 2)
    layer = HyperLayerConfig(width=place.size(256, 16), depth=2, hwidth=1.0, hdepth=2)
    models: tuple[tuple[Model, float, float], ...] = (
        (_split(place, inputs), 1.5, 130),
        (HyperLayer(config=layer, inputs=inputs, hyperkey=jr.key(0), mainkey=jr.key(1)), 0.4, 0.47),
    )
    for model, bound, before in models:
        block = eqx.filter_jit(model.block)
        taken = seconds(partial(block, rows, points))
        name = f"{type(model).__name__}, discs"
        yield Figure(name, 1e3 * taken, "ms", bound, before=before)


def many_sources(place: Place) -> Iterator[Figure]:
    """Field of a RangeSplit, whose near sources are found in cells."""
    columns, count = columns_of("discs"), place.size(100_000, 200)
    model = _split(place, ModelInputs(columns=columns))
    taken = seconds(partial(model.field, *_even(columns, count)))
    yield Figure(f"{count} discs at {count} points", 1e3 * taken, "ms", 15.0, before=197)


def _split(place: Place, inputs: ModelInputs) -> RangeSplit:
    """As drawn, with a cutoff of 2 m: some twelve sources near each point."""
    config = RangeSplitConfig(cutoff=2.0, rank=place.size(256, 8), waves=place.size(1024, 16))
    return RangeSplit(config, inputs, jr.key(2))


def _even(columns: SourceColumns, count: int) -> tuple[jax.Array, jax.Array]:
    """Sources and points, one of each per square metre or cubic metre."""
    dim, half_width = columns.dim, 0.5 * count ** (1 / columns.dim)
    keys = jr.split(jr.key(5), 2)
    positions = jr.uniform(keys[0], (count, dim), minval=-half_width, maxval=half_width)
    moments = jr.normal(keys[1], (count, dim))
    return jnp.concatenate([moments, positions], axis=1), points_of(count, dim, half_width)
