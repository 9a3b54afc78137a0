"""Convolutions over maps, channels before the axes of space."""

from typing import Annotated, Literal, TypeAlias

import equinox as eqx
import jax.numpy as jnp
from pydantic import AfterValidator, Field

from hypermagnetics.shapes import AnyKey

Kernel: TypeAlias = eqx.nn.Conv
Width = Annotated[int, Field(ge=1, le=2**12)]
"""Number of channels."""


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError("an odd number, so that each point has as many on both sides")
    return size


OddKernel = Annotated[int, Field(ge=1, le=63), AfterValidator(_odd)]
"""Points of a kernel along an axis."""

Beyond = Literal["none", "zeros", "wrap"]
"""Values beyond the edge of a map: none, so that the result has fewer points, zeros, or those of
the opposite side."""


def convolution(
    dim: int, channels_in: int, channels_out: int, size: int, beyond: Beyond, key: AnyKey
) -> Kernel:
    """Make a convolution with a bias, of fresh parameters in float32.

    Args:
        dim: Number of axes of space.
        channels_in: Channels that it reads.
        channels_out: Channels that it gives.
        size: Points of the kernel along each axis.
        beyond: Values beyond the edge.
        key: Random key.
    """
    return eqx.nn.Conv(
        dim,
        channels_in,
        channels_out,
        size,
        padding="VALID" if beyond == "none" else "SAME",
        padding_mode="CIRCULAR" if beyond == "wrap" else "ZEROS",
        dtype=jnp.float32,
        key=key,
    )
