"""UNet: convolutions on coarser and coarser grids, and back, from maps to maps."""

from itertools import pairwise
from typing import Annotated, Literal

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float
from pydantic import Field

from hypermagnetics.config import Config
from hypermagnetics.errors import InputError, RecipeError
from hypermagnetics.jax_setup import with_constants
from hypermagnetics.models.activation import ACTIVATIONS, ActivationName
from hypermagnetics.models.array_inputs import ArrayInputs
from hypermagnetics.models.convolution import Beyond, Kernel, OddKernel, Width, convolution
from hypermagnetics.models.map_network import MapNetwork, frame_of, num_features
from hypermagnetics.shapes import AnyKey

_FACTOR = 2
"""Ratio of the spacings of neighbouring levels."""


class UNetConfig(Config):
    """Settings of a U-Net."""

    name: Literal["unet"] = "unet"
    """Model: a U-Net from maps to maps, which sees far on coarse grids and near on fine ones."""
    channels: Annotated[tuple[Width, ...], Field(min_length=1, max_length=12)] = (16, 32, 64, 64)
    """Channels of each level, the finest first; each has half the points of the one before it along
    each axis."""
    kernel: OddKernel = 3
    """Points of a kernel along each axis, an odd number."""
    activation: ActivationName = "gelu"
    """Function behind each convolution: "gelu", "tanh", "silu", "softplus", "relu" or "leaky_relu";
    "identity" for a linear network, as potential and field are linear in the magnetisation."""


class Pair(eqx.Module):
    """Two convolutions of one level, each with an activation behind it."""

    first: Kernel
    second: Kernel


class UNet(MapNetwork):
    """A U-Net: two convolutions on each level down, and two on each level up.

    Downwards the means of neighbouring points are taken; upwards each value is repeated, and the
    channels of the same level on the way down are joined to it.

    References:
        O. Ronneberger, P. Fischer, T. Brox, U-Net: Convolutional networks for biomedical image
        segmentation, MICCAI 2015, arXiv 1505.04597.
    """

    down: tuple[Pair, ...]
    up: tuple[Pair, ...]
    last: Kernel
    config: UNetConfig = eqx.field(static=True)
    inputs: ArrayInputs = eqx.field(static=True)

    @with_constants
    def __init__(self, config: UNetConfig, inputs: ArrayInputs, key: AnyKey) -> None:
        """Draw the initial parameters.

        Args:
            config: The settings.
            inputs: Shapes and scales of inputs and targets.
            key: Random key.

        Raises:
            RecipeError: If a periodic map has no coarser grids of this number.
        """
        frame, channels = frame_of(inputs), config.channels
        self.config, self.inputs = config, inputs
        multiple = _FACTOR ** (len(channels) - 1)
        if frame.wraps and any(side % multiple for side in frame.read):
            raise RecipeError(
                f"A periodic map must have a multiple of {multiple} points along each axis for "
                f"{len(channels)} levels; got {' x '.join(map(str, frame.read))} (model.channels). "
                "Take fewer levels."
            )
        beyond: Beyond = "wrap" if frame.wraps else "zeros"
        keys = iter(jr.split(key, 4 * len(channels)))

        def pair(channels_in: int, channels_out: int) -> Pair:
            sizes = (channels_in, channels_out), (channels_out, channels_out)
            made = [convolution(frame.dim, *s, config.kernel, beyond, next(keys)) for s in sizes]
            return Pair(*made)

        before = (inputs.input.shape[0], *channels[:-1])
        self.down = tuple(pair(*sizes) for sizes in zip(before, channels, strict=True))
        self.up = tuple(pair(below + own, own) for own, below in pairwise(channels))
        self.last = convolution(frame.dim, channels[0], num_features(inputs), 1, "none", next(keys))

    def features(self, values: Float[Array, " channels *read"]) -> Float[Array, " features *read"]:
        """Features of the targets at the points that were read; see `MapNetwork`."""
        sides, multiple = values.shape[1:], _FACTOR ** (len(self.config.channels) - 1)
        if self.frame.wraps and any(side % multiple for side in sides):
            raise InputError(
                f"A periodic map must have a multiple of {multiple} points along each axis for "
                f"{len(self.config.channels)} levels; got {' x '.join(map(str, sides))}. Give such "
                "maps."
            )
        # Zeros beyond the end, as there are beyond every edge of a map that does not wrap.
        missing = [(0, -side % multiple) for side in sides]
        x = jnp.pad(values, [(0, 0), *missing])
        held = []
        for level, pair in enumerate(self.down):
            x = self._both(pair, x if level == 0 else coarser(x))
            held.append(x)
        for pair, own in zip(reversed(self.up), reversed(held[:-1]), strict=True):
            x = self._both(pair, jnp.concatenate([own, finer(x)]))
        found: Array = self.last(x)
        return found[(slice(None), *map(slice, sides))]

    def _both(self, pair: Pair, values: Array) -> Array:
        activation = ACTIVATIONS[self.config.activation]
        return activation(pair.second(activation(pair.first(values))))


def coarser(values: Float[Array, " channels *sides"]) -> Float[Array, " channels *half"]:
    """Means of neighbouring points, two along each axis."""
    parts = [part for side in values.shape[1:] for part in (side // _FACTOR, _FACTOR)]
    paired = values.reshape(values.shape[0], *parts)
    return jnp.mean(paired, axis=tuple(range(2, paired.ndim, 2)))


def finer(values: Float[Array, " channels *sides"]) -> Float[Array, " channels *double"]:
    """Each value twice along each axis."""
    for axis in range(1, values.ndim):
        values = jnp.repeat(values, _FACTOR, axis=axis)
    return values
