"""MLP: a dense network from a flat array to a flat array."""

from typing import Annotated, Literal

import equinox as eqx
from jaxtyping import Array, Float
from pydantic import Field

from hypermagnetics.config import Config, Positive
from hypermagnetics.errors import RecipeError
from hypermagnetics.jax_setup import with_constants
from hypermagnetics.models.activation import ACTIVATIONS, ActivationName
from hypermagnetics.models.array_inputs import ArrayInputs
from hypermagnetics.models.array_model import ArrayModel
from hypermagnetics.models.mlp import Layer, initial_layers, mlp_sizes
from hypermagnetics.shapes import AnyKey

_Size = Annotated[int, Field(ge=1, le=2**14)]


class MLPConfig(Config):
    """Settings of an MLP."""

    name: Literal["mlp"] = "mlp"
    """Model: a dense network from arrays to arrays, of the values of a sample in a row."""
    width: _Size = 128
    """Size of each hidden layer."""
    depth: Annotated[int, Field(ge=0, le=64)] = 4
    """Number of hidden layers."""
    activation: ActivationName = "gelu"
    """Function between layers: "gelu", "tanh", "silu", "softplus", or "relu" and "leaky_relu" of
    slope 0.01, which have a kink and so serve no objective with derivatives; "identity" for a
    linear network."""
    gain: Positive = 1.0
    """Factor of the initial weights, in units of those that keep the variance from layer to layer.
    A smaller one begins with a smoother function, for few samples."""
    outputs: Annotated[int, Field(ge=1, le=2**24)] | None = None
    """Number of values that it gives: of targets theirs, of summaries at least the number of the
    parameters; null for that number."""


class MLP(ArrayModel):
    """y = W_n a(... a(W_1 x + b_1) ...) + b_n, with an activation a between affine layers."""

    layers: tuple[Layer, ...]
    config: MLPConfig = eqx.field(static=True)
    inputs: ArrayInputs = eqx.field(static=True)

    @with_constants
    def __init__(self, config: MLPConfig, inputs: ArrayInputs, key: AnyKey) -> None:
        """Draw the initial parameters.

        Args:
            config: The settings.
            inputs: Shapes and scales of inputs and targets.
            key: Random key.

        Raises:
            RecipeError: If the number of outputs is not that of the target.
        """
        size = inputs.target.size
        if config.outputs not in (None, size):
            raise RecipeError(
                f"model.outputs must be {size}, the values of {inputs.target.name!r}, or left out; "
                f"got {config.outputs}. Leave it out."
            )
        self.config, self.inputs = config, inputs
        sizes = mlp_sizes(inputs.input.size, size, config.width, config.depth)
        self.layers = initial_layers(sizes, key, gain=config.gain)

    def apply(self, values: Float[Array, "..."]) -> Float[Array, "..."]:
        """Map one sample, in numbers of order 1."""
        activation = ACTIVATIONS[self.config.activation]
        x = values.reshape(-1)
        for weight, bias in self.layers[:-1]:
            x = activation(x @ weight + bias)
        weight, bias = self.layers[-1]
        return (x @ weight + bias).reshape(self.inputs.target.shape)
