"""Rows of a GPU that a notebook would see: ceilings, exact sums, predictions."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from card_figures import Figure, Place
from jax.sharding import SingleDeviceSharding
from measurement import time_calls

from hypermagnetics.models import (
    FourierSeriesConfig,
    HyperLayer,
    LinearConfig,
    Model,
    ModelInputs,
    RangeSplit,
    RangeSplitConfig,
    build_model,
)
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.models.hyper_mlp import HyperMLPConfig
from hypermagnetics.sources import BodyName, SourceColumns, block_superposition, superposition

REPEATS = 5
HALF_WIDTH = 3.0
"""Of the square or cube of points, where sources do not fill it with constant density [m]."""

_EDGES = {f"dimension_{axis}": 0.5 for axis in "xyz"}
_UNTURNED = {"rotation_w": 1.0, **{f"rotation_{axis}": 0.0 for axis in "xyz"}}
_BODIES: dict[str, tuple[BodyName, int, dict[str, float]]] = {
    "dipoles in 2D": ("dipole", 2, {}),
    "discs": ("disc", 2, {"radius": 0.3}),
    "rectangles": ("rectangle", 2, {"dimension_x": 0.5, "dimension_y": 0.5, "angle": 0.0}),
    "dipoles in 3D": ("dipole", 3, {}),
    "spheres": ("sphere", 3, {"radius": 0.3}),
    "cuboids": ("cuboid", 3, {**_EDGES, **_UNTURNED}),
}


def columns_of(bodies: str) -> SourceColumns:
    """Columns of bodies of one size."""
    body, dim, constants = _BODIES[bodies]
    return SourceColumns.of(body, dim=dim, constants=constants)


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


def predictions(place: Place) -> Iterator[Figure]:
    """Predictions of every shipped model for every body, on the device and on the CPU."""
    configs = (
        HyperLayerConfig(width=place.size(256, 16), depth=2, hwidth=1.0, hdepth=2),
        HyperMLPConfig(width=place.size(20, 4)),
        FourierSeriesConfig(order=4),
        LinearConfig(),
        RangeSplitConfig(rank=place.size(256, 8), waves=place.size(1024, 16)),
    )
    differences: dict[str, float] = {}
    for bodies in ("discs",) if place.is_small else _BODIES:
        columns = columns_of(bodies)
        rows = jr.normal(jr.key(1), (place.size(64, 2), 4, columns.size))
        points = _points(place.size(512, 16), columns.dim, HALF_WIDTH)
        for config in configs:
            model = build_model(config, ModelInputs(columns=columns), jr.key(0))
            found, expected = (
                _block_on(device, model, rows, points)
                for device in (jax.devices()[0], jax.devices("cpu")[0])
            )
            for name, one, other in zip(("potential", "field"), found, expected, strict=True):
                what = f"{name} of {config.name}, {bodies}"
                differences[what] = float(np.linalg.norm(one - other) / np.linalg.norm(other))
    worst = max(differences, key=lambda what: np.nan_to_num(differences[what], nan=np.inf))
    name = f"worst relative L2 ({worst})"
    yield Figure(name, differences[worst], "", bound=1e-6, before=6e-4)


def exact_sums(place: Place) -> Iterator[Figure]:
    """Potential and field of as many sources as points."""
    for bodies, full, bound, before in (
        ("discs", 65_536, 3.5, 343),
        ("spheres", 65_536, 6.0, 690),
        ("cuboids", 16_384, 250.0, 5800),
    ):
        columns, count = columns_of(bodies), place.size(full, 64)
        rows, points = _even(columns, count)
        taken = seconds(partial(superposition, columns, rows, points))
        name = f"{bodies}, {count} x {count}"
        yield Figure(name, 1e12 * taken / count**2, "ps a pair", bound, before=before)


def many_configurations(place: Place) -> Iterator[Figure]:
    """Configurations of ten sources at the same points: exact sums and models as drawn."""
    count, num_points = place.size(1000, 4), place.size(1000, 16)
    for bodies, bound, before in (("discs", 0.3, 9.6), ("cuboids", 9.0, 82)):
        columns = columns_of(bodies)
        rows = jr.normal(jr.key(3), (count, 10, columns.size))
        points = _points(num_points, columns.dim, HALF_WIDTH)
        counts = jnp.full(count, 10, jnp.int32)
        taken = seconds(partial(block_superposition, columns, rows, counts, points))
        yield Figure(f"exact sum, {bodies}", 1e3 * taken, "ms", bound, before=before)
    inputs = ModelInputs(columns=columns_of("discs"))
    rows = jr.normal(jr.key(3), (count, 10, inputs.columns.size))
    points = _points(num_points, 2, HALF_WIDTH)
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


def _points(count: int, dim: int, half_width: float) -> jax.Array:
    return jr.uniform(jr.key(4), (count, dim), minval=-half_width, maxval=half_width)


def _even(columns: SourceColumns, count: int) -> tuple[jax.Array, jax.Array]:
    """Sources and points, one of each per square metre or cubic metre."""
    dim, half_width = columns.dim, 0.5 * count ** (1 / columns.dim)
    keys = jr.split(jr.key(5), 2)
    positions = jr.uniform(keys[0], (count, dim), minval=-half_width, maxval=half_width)
    moments = jr.normal(keys[1], (count, dim))
    return jnp.concatenate([moments, positions], axis=1), _points(count, dim, half_width)


def _block_on(device: jax.Device, *arguments: Any) -> tuple[np.ndarray, ...]:
    moved = jax.tree.map(
        lambda leaf: jax.device_put(leaf, device) if isinstance(leaf, jax.Array) else leaf,
        arguments,
    )
    with jax.default_device(device):
        model, rows, points = moved
        found = eqx.filter_jit(model.block)(rows, points)
    return tuple(np.asarray(values, np.float64) for values in found)
