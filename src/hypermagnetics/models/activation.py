"""Functions between the layers of networks from arrays to arrays, by name."""

from collections.abc import Callable, Mapping
from typing import Literal

import jax
from jaxtyping import Array

ActivationName = Literal["gelu", "tanh", "silu", "softplus", "relu", "leaky_relu", "identity"]

ACTIVATIONS: Mapping[ActivationName, Callable[[Array], Array]] = {
    "gelu": jax.nn.gelu,
    "tanh": jax.nn.tanh,
    "silu": jax.nn.silu,
    "softplus": jax.nn.softplus,
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,
    "identity": lambda values: values,
}
