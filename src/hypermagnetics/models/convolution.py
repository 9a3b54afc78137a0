"""Convolutions over maps, channels before the axes of space."""

from typing import Annotated, Any, Literal, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from pydantic import AfterValidator, Field

from hypermagnetics.shapes import AnyKey

Kernel: TypeAlias = eqx.nn.Conv
Width = Annotated[int, Field(ge=1, le=2**12)]
"""Number of channels."""


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError("an odd number, so that each point has as many on both sides")
    return size


KernelSize = Annotated[int, Field(ge=1, le=63)]
"""Points of a kernel along an axis."""
OddKernel = Annotated[KernelSize, AfterValidator(_odd)]
"""The same, with as many of them on both sides of a point."""

Beyond = Literal["none", "zeros", "wrap"]
"""Values beyond the edge of a map: none, so that the result has fewer points, zeros, or those of
the opposite side."""


class Convolution(eqx.nn.Conv):
    """A convolution in the wider float type of its map and its parameters."""

    def __call__(self, x: Float[Array, " channels *sides"], **_: Any) -> Float[Array, " out *seen"]:
        """Convolve one map."""
        dtype = jnp.result_type(x, self.weight)
        if (x.dtype, self.weight.dtype) == (dtype, dtype):
            return self._of_one_type(x)
        wider: Convolution = jax.tree.map(lambda leaf: leaf.astype(dtype), self)
        return wider._of_one_type(x.astype(dtype))

    def _of_one_type(self, x: Float[Array, " channels *sides"]) -> Float[Array, " out *seen"]:
        return super().__call__(x)


class ConvolutionInSpace(Convolution):
    """A convolution over three axes, on a CPU as one over two, of neighbouring planes.

    XLA has fast convolutions of two axes alone on a CPU; this takes a fifth to a tenth of the time,
    and differs by rounding. Its parameters are the same.
    """

    def _of_one_type(self, x: Float[Array, " channels *sides"]) -> Float[Array, " out *seen"]:
        direct = super()._of_one_type
        # Functions of their own: a method would be hashed with its parameters.
        found: Array = jax.lax.platform_dependent(
            x, cpu=lambda x: self._of_planes(x), default=lambda x: direct(x)
        )
        return found

    def _of_planes(self, x: Float[Array, " channels *sides"]) -> Float[Array, " out *seen"]:
        size = self.weight.shape[2]
        half = (size - 1) // 2
        # Zeros within planes are left to XLA: of a map that is padded before, it takes longer.
        within = ((half, half),) * 2
        if self.padding == "VALID":
            within = ((0, 0),) * 2
        elif self.padding_mode == "CIRCULAR":
            x, within = jnp.pad(x, ((0, 0), *((half, half),) * 3), mode="wrap"), ((0, 0),) * 2
        else:
            x = jnp.pad(x, ((0, 0), (half, half), (0, 0), (0, 0)))
        depth = x.shape[1] - size + 1
        shifted = jnp.concatenate([x[:, first : first + depth] for first in range(size)])
        # Channels of all planes that a point sees, one after another.
        weight = jnp.moveaxis(self.weight, 2, 1).reshape(len(self.weight), -1, size, size)
        planes = jnp.moveaxis(shifted, 1, 0)
        found = jax.lax.conv_general_dilated(planes, weight, (1, 1), within)
        moved = jnp.moveaxis(found, 0, 1)
        return moved if self.bias is None else moved + self.bias


def convolution(
    dim: int,
    channels_in: int,
    channels_out: int,
    size: int,
    beyond: Beyond,
    key: AnyKey,
    *,
    has_bias: bool = True,
) -> Kernel:
    """Make a convolution of fresh parameters in float32.

    Args:
        dim: Number of axes of space.
        channels_in: Channels that it reads.
        channels_out: Channels that it gives.
        size: Points of the kernel along each axis.
        beyond: Values beyond the edge.
        key: Random key.
        has_bias: Whether a number of each channel is added.
    """
    kind: type[eqx.nn.Conv] = ConvolutionInSpace if dim == 3 else Convolution
    return kind(
        dim,
        channels_in,
        channels_out,
        size,
        padding="VALID" if beyond == "none" else "SAME",
        padding_mode="CIRCULAR" if beyond == "wrap" else "ZEROS",
        use_bias=has_bias,
        dtype=jnp.float32,
        key=key,
    )
