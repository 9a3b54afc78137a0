"""Networks from maps to maps: what each convolution eats, adds, knows and keeps."""

from pathlib import Path
from typing import Any, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from jaxtyping import Array
from lowered import convolution_precisions, lowered_for_cuda

from hypermagnetics.data import CropConfig, Crops, GridShape
from hypermagnetics.errors import InputError, RecipeError
from hypermagnetics.models import (
    ArrayInputs,
    ArrayModel,
    ArrayScales,
    Conv,
    ConvConfig,
    FFTConfig,
    FFTConvolution,
    MapFrame,
    UNet,
    UNetConfig,
    load,
    save_model,
)
from hypermagnetics.models.convolution import Beyond, convolution
from hypermagnetics.models.export import array_to_jax_export
from hypermagnetics.models.map_network import interpolated, sub_pixels
from hypermagnetics.sources.demagnetisation import demagnetisation


def inputs_of(frame: MapFrame, channels: tuple[int, int] = (2, 1)) -> ArrayInputs:
    """Maps of order 1 with these channels."""
    first, second = (
        ArrayScales(
            name=name,
            shape=(count, *sides),
            channel_axis=0,
            shift=(0.0,) * count,
            scale=(scale,) * count,
        )
        for name, count, sides, scale in (
            ("magnetisation", channels[0], frame.read, 2.0),
            ("potential", channels[1], frame.core, 0.5),
        )
    )
    return ArrayInputs(input=first, target=second, map=frame)


def frame_of(core: tuple[int, ...], **more: Any) -> MapFrame:
    values: dict[str, Any] = {"inputs": ("magnetisation",), "targets": ("potential",)}
    return MapFrame(**{**values, "dim": len(core), "core": core, "spacing": 0.1, **more})


def drawn(*shape: int) -> Array:
    return jr.normal(jr.key(1), shape, jnp.float32)


class Net(eqx.Module):
    """Two valid convolutions with a leaky slope of 0.2 between them."""

    first: eqx.nn.Conv
    second: eqx.nn.Conv

    def __init__(self, in_chan: int, out_chan: int, mid_chan: int = 32, kernel_size: int = 3):
        one, two = jr.split(jr.key(0))
        self.first = eqx.nn.Conv2d(in_chan, mid_chan, kernel_size, key=one, dtype=jnp.float32)
        self.second = eqx.nn.Conv2d(mid_chan, out_chan, kernel_size, key=two, dtype=jnp.float32)

    def __call__(self, x: Array) -> Array:
        """Map one sample."""
        return self.second(jax.nn.leaky_relu(self.first(x), 0.2))


README_NET = ConvConfig(channels=(32,), padding="valid", activation="leaky_relu", slope=0.2)


def test_conv_is_the_net_of_two_valid_convolutions() -> None:
    """Word for word, with the same weights."""
    net, frame = Net(2, 1), frame_of((8, 8), pad=2)
    plain = ArrayInputs(
        input=ArrayScales(
            name="inputs", shape=(2, 12, 12), channel_axis=0, shift=(0.0,) * 2, scale=(1.0,) * 2
        ),
        target=ArrayScales(name="targets", shape=(1, 8, 8), channel_axis=0),
        map=frame,
    )
    conv = Conv(README_NET, plain, jr.key(3))
    same = eqx.tree_at(lambda one: one.layers, conv, (net.first, net.second))
    x = drawn(3, 2, 12, 12)
    np.testing.assert_allclose(same(x), jax.vmap(net)(x), rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "pad"),
    [(README_NET, 2), (ConvConfig(channels=(), kernel=5), 2), (ConvConfig(channels=(4, 4)), 3)],
)
def test_crops_put_together_are_the_whole_map(config: ConvConfig, pad: int) -> None:
    """On every crop with its padding, and on the whole map with its halo, the same network."""
    whole, size = 12, 4
    of_crop = Conv(config, inputs_of(frame_of((size,) * 2, pad=pad, is_cropped=True)), jr.key(0))
    of_whole = Conv(config, inputs_of(frame_of((whole,) * 2, pad=pad)), jr.key(0))
    x = drawn(3, 2, whole + 2 * pad, whole + 2 * pad)
    grid = GridShape(points_per_side=whole + 2 * pad, halo=pad)
    crops = Crops(grid, CropConfig(size=size, pad=pad), 2)
    rows = np.moveaxis(np.asarray(x), 1, -1).reshape(3, -1, 2)
    parts = [
        np.moveaxis(np.asarray(of_crop(np.moveaxis(crops.cut(rows, n), -1, 1))), 1, -1)
        for n in range(len(crops))
    ]
    found = np.moveaxis(crops.assemble(parts), -1, 1)
    np.testing.assert_allclose(found, of_whole(x), rtol=0, atol=1e-6)


@pytest.mark.parametrize("is_periodic", [False, True])
def test_a_stencil_on_crops_is_exact(is_periodic: bool) -> None:
    """The Laplacian as the only convolution, of whole numbers: not a bit differs."""
    whole, size, pad = 12, 6, 1
    stencil = jnp.asarray([[0, 1, 0], [1, -4, 1], [0, 1, 0]], jnp.float32)[None, None]
    plain = [
        ArrayScales(name=n, shape=(1, s, s), channel_axis=0) for n, s in (("inputs", 8), ("t", 6))
    ]
    frame = frame_of((size,) * 2, pad=pad, is_cropped=True)
    made = Conv(
        ConvConfig(channels=()), ArrayInputs(input=plain[0], target=plain[1], map=frame), jr.key(0)
    )
    zero = jnp.zeros((1, 1, 1), jnp.float32)
    conv = eqx.tree_at(
        lambda one: (one.layers[0].weight, one.layers[0].bias), made, (stencil, zero)
    )
    field = np.random.default_rng(0).integers(-50, 50, (2, whole, whole)).astype(np.float32)
    wrapped = np.pad(field, ((0, 0), (1, 1), (1, 1)), mode="wrap")
    halo = 0 if is_periodic else pad
    stored = field if is_periodic else wrapped
    crops = Crops(
        GridShape(points_per_side=stored.shape[1], halo=halo),
        CropConfig(size=size, pad=pad),
        2,
        "periodic" if is_periodic else "open",
    )
    rows = stored.reshape(2, -1)
    parts = [np.asarray(conv(crops.cut(rows, n)[:, None]))[:, 0] for n in range(len(crops))]
    wanted = sum(np.roll(field, shift, axis) for shift in (-1, 1) for axis in (1, 2)) - 4 * field
    np.testing.assert_array_equal(crops.assemble(parts), wanted)


@pytest.mark.slow
@pytest.mark.parametrize("targets", [("potential",), ("field",), ("potential", "field")])
@pytest.mark.parametrize("core", [(9, 9), (5, 4, 6)])
def test_the_exact_kernel_is_the_convolution_of_the_raster(
    core: tuple[int, ...], targets: tuple[str, ...]
) -> None:
    """Of the closed form of a cell, with zeros outside."""
    frame = frame_of(core, targets=targets)
    channels = sum(1 if name == "potential" else frame.dim for name in targets)
    model = FFTConvolution(FFTConfig(), inputs_of(frame, (frame.dim, channels)), jr.key(0))
    x = np.asarray(drawn(2, frame.dim, *core))
    wanted = np.concatenate([demagnetisation(x, 0.1, name) for name in targets], axis=1)
    found = np.asarray(model(x))
    assert np.abs(found - wanted).max() < 1e-5 * np.abs(wanted).max()


def test_a_periodic_kernel_turns_round() -> None:
    """It commutes with every shift; with an open boundary it does not."""
    frame = frame_of((6, 8), inputs=("inputs",), targets=("targets",), boundary="periodic")
    model = FFTConvolution(FFTConfig(start="zero"), inputs_of(frame), jr.key(0))
    assert model.real.shape[2:] == (6, 5)
    model = eqx.tree_at(lambda one: one.real, model, drawn(*model.real.shape))
    x = drawn(2, 6, 8)
    moved = jnp.roll(x, (2, 3), (1, 2))
    np.testing.assert_allclose(model(moved), jnp.roll(model(x), (2, 3), (1, 2)), rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("boundary", "shift", "is_same"),
    [("periodic", 2, True), ("periodic", 1, False), ("open", 2, False)],
)
def test_a_u_net_commutes_with_shifts_of_its_coarsest_grid(
    boundary: str, shift: int, is_same: bool
) -> None:
    """Of a periodic map; one point less, and its blocks show."""
    frame = frame_of((8, 8), inputs=("inputs",), targets=("targets",), boundary=boundary)
    model = UNet(UNetConfig(channels=(4, 4)), inputs_of(frame), jr.key(0))
    x = drawn(2, 8, 8)
    found = model(jnp.roll(x, shift, 1))
    assert np.allclose(found, jnp.roll(model(x), shift, 1), rtol=0, atol=1e-5) == is_same


@pytest.mark.slow
@pytest.mark.parametrize("core", [(9, 9), (5, 5, 5)])
@pytest.mark.parametrize("kind", ["conv", "unet"])
def test_points_that_were_read_are_kept(kind: str, core: tuple[int, ...]) -> None:
    """Super-resolution changes nothing there, whatever its parameters are."""
    frame = frame_of(core, inputs=("potential", "field"), stride=4)
    inputs = inputs_of(frame, (1 + frame.dim, 1))
    same = inputs.model_copy(update={"target": inputs.target.model_copy(update={"scale": (2.0,)})})
    model: ArrayModel = UNet(UNetConfig(channels=(4, 4)), same, jr.key(0))
    if kind == "conv":
        model = Conv(ConvConfig(channels=(4,), padding="same"), same, jr.key(0))
    x = drawn(2, 1 + frame.dim, *frame.read)
    found = model(x)
    assert found.shape == (2, 1, *core)
    every = (slice(None), slice(None), *(slice(None, None, 4),) * frame.dim)
    np.testing.assert_array_equal(found[every], x[:, :1])
    assert not np.allclose(found, jax.vmap(lambda one: interpolated(one, 4, 3))(x[:, :1]))


def test_a_cubic_spline_has_all_cubics() -> None:
    """And rows of channels stand for the points up to the next one."""
    x, y = np.meshgrid(np.arange(17.0), np.arange(13.0), indexing="ij")
    cubic = (x**3 - 4 * x * y**2 + y**3 + 2 * x * y - 7)[None]
    found = interpolated(jnp.asarray(cubic[:, ::4, ::4]), 4, 3)
    np.testing.assert_allclose(found, cubic, rtol=0, atol=1e-10 * np.abs(cubic).max())
    padded = np.pad(cubic, ((0, 0), (0, 3), (0, 3)), mode="edge")
    channels = np.stack([padded[0, i::4, j::4] for i in range(4) for j in range(4)])
    np.testing.assert_array_equal(sub_pixels(jnp.asarray(channels), 4), cubic)


@pytest.mark.slow
def test_convolutions_take_maps_of_other_sides() -> None:
    """Of the same spacing; a kernel of the whole map, and crops, do not."""
    conv = Conv(ConvConfig(channels=(4,), padding="same"), inputs_of(frame_of((8, 8))), jr.key(0))
    unet = UNet(UNetConfig(channels=(4, 4)), inputs_of(frame_of((8, 8))), jr.key(0))
    x = drawn(3, 2, 11, 7)
    for model in (conv, unet):
        assert model(x).shape == (3, 1, 11, 7)
        np.testing.assert_array_equal(model(x[0]).shape, (1, 11, 7))
    fft = FFTConvolution(FFTConfig(), inputs_of(frame_of((8, 8))), jr.key(0))
    of_crops = UNet(
        UNetConfig(channels=(4, 4)), inputs_of(frame_of((8, 8), is_cropped=True)), jr.key(0)
    )
    for other in (fft, of_crops):
        with pytest.raises(InputError, match=r"must have shape \[2, 8, 8\]"):
            other(x)
    with pytest.raises(InputError, match=r"must have shape \[2, 8, 8\]"):
        unet(drawn(3, 8, 8))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: Conv(README_NET, inputs_of(frame_of((8, 8))), jr.key(0)),
            r"a padding of 2 points.*got 0 \(data.crop.pad\). Set data.crop.pad = 2",
        ),
        (
            lambda: Conv(README_NET, inputs_of(frame_of((9, 9), stride=4, pad=4)), jr.key(0)),
            r"a padding of 8 points.*of every 4-th point; got 4",
        ),
        (
            lambda: UNet(
                UNetConfig(), inputs_of(frame_of((12, 12), boundary="periodic")), jr.key(0)
            ),
            r"a multiple of 8 points .* got 12 x 12",
        ),
        (
            lambda: FFTConvolution(FFTConfig(), inputs_of(frame_of((9, 9), stride=2)), jr.key(0)),
            r"map.stride must be 1 for model fft; got 2",
        ),
        (
            lambda: FFTConvolution(
                FFTConfig(start="exact"), inputs_of(frame_of((8, 8), inputs=("field",))), jr.key(0)
            ),
            r'model.start must be "zero" .* got "exact" for field',
        ),
        (
            lambda: UNet(
                UNetConfig(),
                inputs_of(frame_of((8, 8))).model_copy(update={"map": None}),
                jr.key(0),
            ),
            r"must have a table \[map\]",
        ),
    ],
)
def test_maps_that_do_not_fit_are_refused(build: Any, message: str) -> None:
    """With the number that would."""
    with pytest.raises(RecipeError, match=message):
        build()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["conv", "unet", "fft"])
def test_a_network_of_maps_is_kept_in_a_file_and_exported(tmp_path: Path, kind: str) -> None:
    """Bit for bit, with its frame."""
    inputs = inputs_of(frame_of((8, 8)))
    model: ArrayModel = FFTConvolution(FFTConfig(), inputs, jr.key(0))
    if kind == "conv":
        model = Conv(ConvConfig(padding="same", channels=(4,)), inputs, jr.key(0))
    if kind == "unet":
        model = UNet(UNetConfig(channels=(4, 4)), inputs, jr.key(0))
    save_model(tmp_path / "model.hm", model, {})
    again, x = load(tmp_path / "model.hm"), drawn(2, 2, 8, 8)
    assert isinstance(again, ArrayModel)
    assert again.inputs == inputs
    np.testing.assert_array_equal(again(x), model(x))
    exported = jax.export.deserialize(bytearray(array_to_jax_export(model, "targets")))
    np.testing.assert_allclose(exported.call(x), model(x), rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("core", [(8, 8), (4, 4, 4)])
def test_convolutions_on_cuda_are_in_full_float32(core: tuple[int, ...]) -> None:
    """Values and gradients, over two axes and over three, whatever JAX is set to."""
    frame = frame_of(core)
    model = UNet(UNetConfig(channels=(4, 4)), inputs_of(frame, (len(core), 1)), jr.key(0))
    leaves, rest = eqx.partition(model, eqx.is_array)
    x = drawn(2, len(core), *core)

    def loss(arrays: UNet) -> Array:
        return jnp.sum(eqx.combine(arrays, rest)(x) ** 2)

    with jax.default_matmul_precision("tensorfloat32"):
        program = lowered_for_cuda(jax.value_and_grad(loss), leaves)
    found = convolution_precisions(program)
    assert len(found) > 14
    assert set(found) == {"HIGHEST"}
    # Over all axes at once, and not plane by plane as on a CPU.
    axes = ", ".join(map(str, range(len(core))))
    assert f"x[o, i, {axes}]" in program


@pytest.mark.slow_cases
@pytest.mark.parametrize("beyond", get_args(Beyond))
@pytest.mark.parametrize("size", [1, 3])
def test_a_convolution_in_space_is_that_of_its_planes(beyond: Beyond, size: int) -> None:
    """With values and gradients of the one over three axes."""
    layer = convolution(3, 2, 4, size, beyond, jr.key(0))
    plain = eqx.nn.Conv3d(
        2,
        4,
        size,
        padding=layer.padding,
        padding_mode=layer.padding_mode,
        key=jr.key(0),
        dtype=jnp.float32,
    )
    plain = eqx.tree_at(lambda one: (one.weight, one.bias), plain, (layer.weight, layer.bias))
    x = drawn(3, 2, 5, 6, 4)

    @eqx.filter_jit
    @eqx.filter_value_and_grad
    def loss(one: eqx.nn.Conv) -> Array:
        return jnp.sum(jnp.sin(jax.vmap(one)(x)))

    np.testing.assert_allclose(jax.vmap(layer)(x), jax.vmap(plain)(x), rtol=0, atol=1e-5)
    for own, other in zip(*map(jax.tree.leaves, (loss(layer), loss(plain))), strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_small_maps_are_refused() -> None:
    """With the least number of points."""
    model = Conv(README_NET, inputs_of(frame_of((8, 8), pad=2)), jr.key(0))
    assert model(drawn(2, 5, 6)).shape == (1, 1, 2)
    with pytest.raises(InputError, match=r"at least 5 points along each axis.*got 4 x 6"):
        model(drawn(2, 4, 6))
    frame = frame_of((8, 8), inputs=("inputs",), targets=("targets",), boundary="periodic")
    unet = UNet(UNetConfig(channels=(4, 4)), inputs_of(frame), jr.key(0))
    with pytest.raises(InputError, match=r"a multiple of 2 points.*got 7 x 8"):
        unet(drawn(2, 7, 8))


@pytest.mark.slow
def test_a_map_is_linear_without_an_activation() -> None:
    """As a U-Net of nothing but convolutions and means is, but for its biases."""
    inputs = inputs_of(frame_of((8, 8)))
    model = UNet(UNetConfig(channels=(4, 4), activation="identity"), inputs, jr.key(0))
    x, y = drawn(2, 2, 8, 8)
    zero = model(jnp.zeros_like(x))
    np.testing.assert_allclose(
        model(x + 2 * y) - zero, model(x) + 2 * model(y) - 3 * zero, rtol=0, atol=1e-5
    )
