"""Multilayer perceptrons: trained, or with weights made by another network."""

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from hypermagnetics.shapes import AnyKey


class Layer(NamedTuple):
    """Weight and bias of one affine layer."""

    weight: Float[Array, "size_in size_out"]
    bias: Float[Array, " size_out"]


def mlp_sizes(size_in: int, size_out: int, width: int, depth: int) -> tuple[int, ...]:
    """Sizes of the layers of an MLP with `depth` hidden layers."""
    return (size_in, *[width] * depth, size_out)


def count_parameters(sizes: Sequence[int]) -> int:
    """Number of weights and biases of an MLP: sum of (in + 1) out."""
    return sum((a + 1) * b for a, b in pairwise(sizes))


@partial(jax.jit, static_argnames=("sizes", "output_gain", "gain"))
def initial_layers(
    sizes: tuple[int, ...], key: AnyKey, output_gain: float = 1.0, *, gain: float = 1.0
) -> tuple[Layer, ...]:
    """Normal weights that keep the variance through a rectifier-like activation, zero biases.

    Args:
        sizes: Sizes of the layers.
        key: Random key.
        output_gain: Factor of the weights of the last layer, which no activation follows.
        gain: Further factor of all weights.

    Returns:
        The layers.

    References:
        He et al., Delving deep into rectifiers, arXiv 1502.01852.
    """
    layers = []
    keys = jr.split(key, len(sizes) - 1)
    for i, (size_in, size_out) in enumerate(pairwise(sizes)):
        factor = gain * (output_gain if i == len(sizes) - 2 else math.sqrt(2))
        normal = jr.normal(keys[i], (size_in, size_out), jnp.float32)
        # Else XLA takes two factors together, and the last bits depend on where this is compiled.
        weight = jax.lax.optimization_barrier(normal) * (factor / math.sqrt(size_in))
        layers.append(Layer(weight, jnp.zeros(size_out, jnp.float32)))
    return tuple(layers)


def apply_layers(
    layers: Sequence[Layer], x: Float[Array, "*batch size_in"]
) -> Float[Array, "*batch size_out"]:
    """The MLP: affine layers with gelu between them."""
    for weight, bias in layers[:-1]:
        x = jax.nn.gelu(x @ weight + _row(bias, x.ndim))
    weight, bias = layers[-1]
    return x @ weight + _row(bias, x.ndim)


def split_layers(flat: Float[Array, " weights"], sizes: Sequence[int]) -> tuple[Layer, ...]:
    """Cut one vector into the layers of an MLP of the given sizes."""
    layers, first = [], 0
    for size_in, size_out in pairwise(sizes):
        middle = first + size_in * size_out
        weight = flat[first:middle].reshape(size_in, size_out)
        first = middle + size_out
        layers.append(Layer(weight, flat[middle:first]))
    return tuple(layers)


def join_layers(layers: Sequence[Layer]) -> Float[Array, " weights"]:
    """The inverse of `split_layers`."""
    return jnp.concatenate(
        [part for layer in layers for part in (layer.weight.ravel(), layer.bias)]
    )


class FourierMLP(eqx.Module):
    """An MLP of a vector whose leading part, a position, enters as random Fourier features.

    z = [cos(x B), sin(x B)], B normal and fixed. An MLP of bare coordinates learns high
    frequencies last; these features let it learn them at once.

    References:
        Tancik et al., Fourier features let networks learn high frequency functions in low
        dimensional domains, arXiv 2006.10739.
    """

    frequencies: Float[Array, "dim frequencies"] | None
    layers: tuple[Layer, ...]

    def __init__(
        self,
        dim: int,
        size_rest: int,
        size_out: int,
        width: int,
        depth: int,
        num_frequencies: int,
        frequency_scale: float,
        key: AnyKey,
        *,
        output_gain: float = 1.0,
    ) -> None:
        """Draw the initial parameters.

        Args:
            dim: Size of the leading part.
            size_rest: Size of what follows it and enters as it is.
            size_out: Size of the output.
            width: Size of each hidden layer.
            depth: Number of hidden layers.
            num_frequencies: Number of frequencies; 0 lets the position enter as it is.
            frequency_scale: Standard deviation of B, in radians per unit of the position.
            key: Random key.
            output_gain: Factor of the initial weights of the last layer.
        """
        frequency_key, layer_key = jr.split(key)
        self.frequencies = None
        if num_frequencies:
            normal = jr.normal(frequency_key, (dim, num_frequencies), jnp.float32)
            self.frequencies = frequency_scale * normal
        size_in = (2 * num_frequencies or dim) + size_rest
        sizes = mlp_sizes(size_in, size_out, width, depth)
        self.layers = initial_layers(sizes, layer_key, output_gain)

    def __call__(
        self,
        position: Float[Array, "*batch dim"],
        rest: Float[Array, "*batch rest"] | None = None,
    ) -> Float[Array, "*batch size_out"]:
        """Evaluate at a batch of vectors [position, rest]."""
        z = position
        if self.frequencies is not None:
            phase = position @ jax.lax.stop_gradient(self.frequencies)
            z = jnp.concatenate([jnp.cos(phase), jnp.sin(phase)], axis=-1)
        if rest is not None:
            z = jnp.concatenate([z, rest], axis=-1)
        return apply_layers(self.layers, z)


def _row(bias: Float[Array, " size"], ndim: int) -> Float[Array, "*ones size"]:
    return bias.reshape((1,) * (ndim - 1) + bias.shape)
