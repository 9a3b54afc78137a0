"""Conv: a chain of convolutions from maps to maps."""

from typing import Annotated, Literal

import equinox as eqx
import jax
import jax.random as jr
from jaxtyping import Array, Float
from pydantic import Field, model_validator

from hypermagnetics.config import Config, NotNegative, refusal
from hypermagnetics.errors import RecipeError
from hypermagnetics.jax_setup import with_constants
from hypermagnetics.models.activation import ACTIVATIONS, ActivationName
from hypermagnetics.models.array_inputs import ArrayInputs
from hypermagnetics.models.convolution import Beyond, Kernel, KernelSize, Width, convolution
from hypermagnetics.models.map_network import MapNetwork, frame_of, num_features
from hypermagnetics.shapes import AnyKey

_LEAKY_SLOPE = 0.01


class ConvConfig(Config):
    """Settings of a chain of convolutions."""

    name: Literal["conv"] = "conv"
    """Model: a chain of convolutions from maps to maps, which sees some points around each one."""
    channels: Annotated[tuple[Width, ...], Field(max_length=64)] = (32,)
    """Channels behind each convolution but the last, which has those of the target."""
    kernel: KernelSize = 3
    """Points of a kernel along each axis: an odd number, or any on whole periodic maps with padding
    "same", where one of 2 sees a point and the next."""
    bias: bool = True
    """Whether a convolution adds a number to each channel; without and with "identity", the network
    is linear, and has no other parameters than its kernels."""
    padding: Literal["valid", "same"] = "valid"
    """"valid": no convolution reaches beyond the map, so that each takes (kernel - 1) / 2 points
    away at each side, which the padding of the crops must hold; "same": all points stay, with zeros
    beyond the map, or its opposite side if it is periodic and whole."""
    activation: ActivationName = "gelu"
    """Function between convolutions: "gelu", "tanh", "silu", "softplus", "relu" or "leaky_relu";
    "identity" for a linear network, as potential and field are linear in the magnetisation."""
    slope: NotNegative = _LEAKY_SLOPE
    """Slope of "leaky_relu" below 0."""

    @model_validator(mode="after")
    def _a_slope_is_of_leaky_relu(self) -> "ConvConfig":
        if self.activation != "leaky_relu" and self.slope != _LEAKY_SLOPE:
            rule = 'be left out unless model.activation is "leaky_relu"'
            raise refusal("slope", rule, self.slope, "Remove it.")
        return self

    @property
    def eaten(self) -> int:
        """Points that it takes away at each side."""
        each = (self.kernel - 1) // 2 if self.padding == "valid" else 0
        return each * (len(self.channels) + 1)


class Conv(MapNetwork):
    """y = K_n * a(... a(K_1 * x + b_1) ...) + b_n, with convolutions * and an activation a."""

    layers: tuple[Kernel, ...]
    config: ConvConfig = eqx.field(static=True)
    inputs: ArrayInputs = eqx.field(static=True)

    @with_constants
    def __init__(self, config: ConvConfig, inputs: ArrayInputs, key: AnyKey) -> None:
        """Draw the initial parameters.

        Args:
            config: The settings.
            inputs: Shapes and scales of inputs and targets.
            key: Random key.

        Raises:
            RecipeError: If the padding of the crops is not what the convolutions take away.
        """
        frame = frame_of(inputs)
        if config.kernel % 2 == 0 and not (
            frame.wraps and config.padding == "same" and frame.dim < 3
        ):
            raise RecipeError(
                "model.kernel must be odd, so that each point has as many on both sides, unless "
                "whole periodic maps of one or two axes are convolved with model.padding = "
                f'"same"; got {config.kernel} (model.kernel). Take {config.kernel + 1}.'
            )
        needed = config.eaten * frame.stride
        if config.padding == "valid" and frame.pad != needed:
            raise RecipeError(
                f"Crops must have a padding of {needed} points, as {len(config.channels) + 1} "
                f"convolutions of kernel {config.kernel} without padding take them away at each "
                f"side{f', of every {frame.stride}-th point' * (frame.stride > 1)}; got "
                f"{frame.pad} (data.crop.pad). Set data.crop.pad = {needed}, or model.padding = "
                '"same".'
            )
        self.config, self.inputs = config, inputs
        sizes = (inputs.input.shape[0], *config.channels, num_features(inputs))
        keys = jr.split(key, len(sizes) - 1)
        beyond: Beyond = "wrap" if frame.wraps else "zeros"
        if config.padding == "valid":
            beyond = "none"
        self.layers = tuple(
            convolution(frame.dim, a, b, config.kernel, beyond, one, has_bias=config.bias)
            for a, b, one in zip(sizes[:-1], sizes[1:], keys, strict=True)
        )

    def features(self, values: Float[Array, " channels *read"]) -> Float[Array, " features *seen"]:
        """Features of the targets at the points that were read; see `MapNetwork`."""
        for layer in self.layers[:-1]:
            values = self._activation(layer(values))
        return self.layers[-1](values)

    def _activation(self, values: Array) -> Array:
        if self.config.activation == "leaky_relu":
            return jax.nn.leaky_relu(values, self.config.slope)
        return ACTIVATIONS[self.config.activation](values)
