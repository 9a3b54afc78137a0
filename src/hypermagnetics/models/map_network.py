"""Networks from maps to maps: fields on regular grids, channels before the axes of space."""

import abc
from functools import cache

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float64

from hypermagnetics.errors import InputError, RecipeError
from hypermagnetics.models.array_inputs import ArrayInputs
from hypermagnetics.models.array_model import ArrayModel
from hypermagnetics.models.map_frame import MapFrame, MapTarget

_CUBIC = 3


class MapNetwork(ArrayModel):
    """A network from maps to maps, with its own part on the points that it reads.

    An architecture defines `features`. Where the input has every f-th point alone, features have
    f**dim channels for each of the target: its values at the points up to the next one that was
    read. If the input holds the target, its cubic spline is added to them, and they are 0 at the
    points that were read.
    """

    @abc.abstractmethod
    def features(self, values: Float[Array, " channels *read"]) -> Float[Array, " features *seen"]:
        """Features of the targets at the points that were read, in numbers of order 1.

        Args:
            values: Of the channels and points that it reads.

        Returns:
            Channels as `num_features` says; of all points, or without the same number of them at
            each side, the padding alone.
        """

    @property
    def frame(self) -> MapFrame:
        """The grids."""
        return frame_of(self.inputs)

    @property
    def takes_other_sides(self) -> bool:
        """Whether maps may have other numbers of points than those of the training."""
        return not self.frame.is_cropped

    def apply(self, values: Float[Array, "..."]) -> Float[Array, "..."]:
        """Map one sample, in numbers of order 1."""
        frame, found = self.frame, self.features(values)
        read, stride = values.shape[1:], frame.stride
        eaten = (read[0] - found.shape[1]) // 2
        found = sub_pixels(found, stride)
        wanted = frame.core_of(read)
        if min(wanted) < 1:
            least = 2 * frame.pad // stride + 1
            raise InputError(
                f"Maps must have at least {least} points along each axis, as {frame.pad} at each "
                f"side are padding; got {' x '.join(map(str, read))}. Give larger maps."
            )
        whole = [(side - 1) * stride + 1 for side in read]
        if stride > 1:
            middle = tuple(slice(eaten * stride, side - eaten * stride) for side in whole)
            base, known = (part[(slice(None), *middle)] for part in self._held(values))
            found = base + jnp.where(known, 0, found)
        trim = frame.pad - eaten * stride
        trimmed: Array = found[(slice(None), *(slice(trim, trim + side) for side in wanted))]
        return trimmed

    def _held(
        self, values: Float[Array, " channels *read"]
    ) -> tuple[Float[Array, " targets *more"], Bool[Array, " targets *more"]]:
        """Those of the targets that the input holds, and 0 for others.

        Args:
            values: What it reads, in numbers of order 1.

        Returns:
            Cubic splines, in numbers of order 1, and a mask of their points that were read.
        """
        frame, inputs, stride = self.frame, self.inputs, self.frame.stride
        physical, held = inputs.input.physical(values), held_targets(inputs)
        of_target = frame.channels_given(inputs.target.shape[0])
        whole = tuple((side - 1) * stride + 1 for side in values.shape[1:])
        read = points_read(whole, stride)
        splines, known = [], []
        for name, channels in of_target.items():
            count = channels.stop - channels.start
            if name in held:
                splined = interpolated(physical[held[name]], stride, _CUBIC)
                scale, shift = (
                    np.array(numbers)[channels].reshape(-1, *(1,) * frame.dim).astype(values.dtype)
                    for numbers in (inputs.target.scale, inputs.target.shift)
                )
                splines.append((splined - shift) / scale)
                known.append(np.broadcast_to(read, (count, *whole)))
            else:
                splines.append(jnp.zeros((count, *whole), values.dtype))
                known.append(np.zeros((count, *whole), bool))
        return jnp.concatenate(splines), jnp.asarray(np.concatenate(known))


def frame_of(inputs: ArrayInputs) -> MapFrame:
    """The grids of a network from maps to maps.

    Raises:
        RecipeError: If it has none.
    """
    if inputs.map is None:
        raise RecipeError(
            "A network of maps must have a table [map] in its recipe; got none. Add [map], or take "
            "model mlp."
        )
    return inputs.map


def held_targets(inputs: ArrayInputs) -> dict[MapTarget, slice]:
    """Channels of the input that are targets, on the points that are read.

    Those of imported arrays are if both are the same array.
    """
    frame = frame_of(inputs)
    read = frame.channels_read(inputs.input.shape[0])
    if frame.targets == ("targets",):
        is_same = inputs.input.name == inputs.target.name
        return {"targets": read["inputs"]} if is_same else {}
    return {name: own for name, own in read.items() if name in frame.targets}


def points_read(sides: tuple[int, ...], stride: int) -> Bool[np.ndarray, "*sides"]:
    """Mask of every `stride`-th point of a grid along each axis."""
    read = np.zeros(sides, bool)
    read[(slice(None, None, stride),) * len(sides)] = True
    return read


def num_features(inputs: ArrayInputs) -> int:
    """Channels of the features of a network from maps to maps."""
    frame = frame_of(inputs)
    each: int = frame.stride**frame.dim
    return inputs.target.shape[0] * each


def sub_pixels(
    values: Float[Array, " channels *sides"], stride: int
) -> Float[Array, " targets *more"]:
    """Values at all points of a grid, of channels with those up to the next known point.

    Args:
        values: stride**dim channels for each one of the result.
        stride: Distance of the points of `values`, in those of the result.

    Returns:
        Values from the first to the last point of `values`.
    """
    dim, sides = values.ndim - 1, values.shape[1:]
    if stride == 1:
        return values
    parts = values.reshape(-1, *(stride,) * dim, *sides)
    # Each axis of space beside that of its steps.
    order = [0, *(axis for i in range(dim) for axis in (1 + dim + i, 1 + i))]
    whole = parts.transpose(order).reshape(-1, *(side * stride for side in sides))
    return whole[(slice(None), *(slice((side - 1) * stride + 1) for side in sides))]


def interpolated(
    values: Float[Array, "*channels_and_sides"], stride: int, degree: int
) -> Float[Array, "*channels_and_more"]:
    """Splines along each axis of space, the first axis being that of the channels.

    Args:
        values: At every `stride`-th point.
        stride: Distance of the known points.
        degree: Degree of the splines, such as 1 or 3; less of fewer points.

    Returns:
        Values at all points from the first to the last one.
    """
    for axis in range(1, values.ndim):
        matrix = jnp.asarray(spline_matrix(values.shape[axis], stride, degree), values.dtype)
        values = jnp.moveaxis(
            jnp.tensordot(values, matrix, (axis, 1), precision="highest"), -1, axis
        )
    return values


@cache
def spline_matrix(count: int, stride: int, degree: int) -> Float64[np.ndarray, "more count"]:
    """Values at all points of a line, of a spline through every `stride`-th one.

    Its ends are free ("not a knot"); rows of known points are exactly those of a unit matrix.
    """
    from scipy.interpolate import make_interp_spline  # with optimisation

    points = np.arange(count) * stride
    spline = make_interp_spline(points, np.eye(count), min(degree, count - 1))
    matrix: np.ndarray = spline(np.arange((count - 1) * stride + 1))
    matrix[::stride] = np.eye(count)
    return matrix
