"""Inputs and targets of a network from arrays to arrays: their shapes, channels and scales."""

import math
from typing import Annotated

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from pydantic import Field, model_validator

from hypermagnetics.config import Config, Positive, refusal
from hypermagnetics.data.parameters import Parameter
from hypermagnetics.models.map_frame import MapFrame
from hypermagnetics.models.noise import Noise
from hypermagnetics.models.step_frame import StepFrame

_Size = Annotated[int, Field(ge=1, le=2**24)]
_MOST_AXES = 8


class ArrayScales(Config):
    """An array of one sample: shape, axis of its channels, and scales.

    Inside a network a value x is (x - shift) / scale, a number of order 1. Shift and scale are one
    for each channel, or for each value.
    """

    name: str
    """Name of the array, as in a dataset."""
    shape: Annotated[tuple[_Size, ...], Field(min_length=1, max_length=_MOST_AXES)]
    """Shape of a sample."""
    unit: str = ""
    """Unit of the values; empty if it is not known."""
    columns: tuple[str, ...] = ()
    """Columns of sources that the values are; none of other arrays."""
    channel_axis: Annotated[int, Field(ge=0)] | None = None
    """Axis of the channels; null for one of all values."""
    shift: tuple[float, ...] = (0.0,)
    """Value of each channel, or at each place, that is 0 inside the network."""
    scale: tuple[Positive, ...] = (1.0,)
    """Change of each channel, or at each place, that is 1 inside the network."""
    ranges: tuple[tuple[float, float], ...] = ()
    """Least and largest value of each channel in training, if known."""

    @model_validator(mode="after")
    def _channels_agree(self) -> "ArrayScales":
        if self.channel_axis is not None and self.channel_axis >= len(self.shape):
            raise refusal("channel_axis", "be an axis of the shape", self.channel_axis)
        for key, values in (("shift", self.shift), ("scale", self.scale)):
            if len(values) not in (self.num_channels, self.size):
                raise refusal(key, f"have {self.num_channels} numbers", len(values))
        if len(self.ranges) not in (0, self.num_channels):
            raise refusal("ranges", f"be of {self.num_channels} channels", len(self.ranges))
        return self

    @property
    def num_channels(self) -> int:
        """Number of channels."""
        return 1 if self.channel_axis is None else self.shape[self.channel_axis]

    @property
    def size(self) -> int:
        """Number of values of a sample."""
        return math.prod(self.shape)

    @property
    def scales(self) -> np.ndarray:
        """The scales in a shape that stretches over a sample."""
        return self._stretched(self.scale)

    def standard(self, values: Float[Array, "..."]) -> Float[Array, "..."]:
        """Numbers of order 1 of physical values; the last axes are those of a sample."""
        shift, scale = self._stretched(self.shift), self.scales
        return (values - shift.astype(values.dtype)) / scale.astype(values.dtype)

    def physical(self, values: Float[Array, "..."]) -> Float[Array, "..."]:
        """Physical values of numbers of order 1; the last axes are those of a sample."""
        shift, scale = self._stretched(self.shift), self.scales
        found: Array = jnp.asarray(values * scale.astype(values.dtype) + shift.astype(values.dtype))
        return found

    def _stretched(self, numbers: tuple[float, ...]) -> np.ndarray:
        if len(numbers) == self.size:
            return np.array(numbers).reshape(self.shape)
        shape = [1] * len(self.shape)
        if self.channel_axis is not None:
            shape[self.channel_axis] = len(numbers)
        return np.array(numbers).reshape(shape)


class ArrayInputs(Config):
    """Arrays that a network from arrays to arrays reads and gives."""

    input: ArrayScales
    """The array that it reads."""
    target: ArrayScales
    """The array that it gives."""
    setting: str = ""
    """Digest of the bodies, constants and points that arrays of sources belong to; empty of others.
    """
    parameters: tuple[Parameter, ...] = ()
    """Parameters that summaries of readings tell, at the values of the training; none of networks
    that are trained on targets."""
    noise: Noise | None = None
    """Noise that the readings of a dataset lack; null if they have it."""
    map: MapFrame | None = None
    """Grids of a network from maps to maps; null of others."""
    steps: StepFrame | None = None
    """Steps of a network that gives the next state of a trajectory; null of others."""
