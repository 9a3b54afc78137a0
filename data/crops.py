"""Crops of regular grids: boxes of points with padding, and their assembly to whole fields."""

from collections.abc import Iterable
from functools import reduce
from math import prod
from typing import Annotated

import numpy as np
from pydantic import Field

from hypermagnetics.config import Config
from hypermagnetics.data.boundary import Boundary
from hypermagnetics.data.layout import GridShape
from hypermagnetics.errors import DatasetError, RecipeError

_MAX_SIDE = 2**16


class CropConfig(Config):
    """Selection of crops of a regular grid.

    An anchor is the first core point of a crop along an axis, counted from the first point of the
    interior. Anchors are the same along each axis.
    """

    size: Annotated[int, Field(ge=1, le=_MAX_SIDE)]
    """Points per side of the core of a crop, which is the crop without its padding."""
    start: Annotated[int, Field(ge=0, le=_MAX_SIDE)] = 0
    """First anchor."""
    stop: Annotated[int, Field(ge=0, le=_MAX_SIDE)] | None = None
    """End of the anchors, which is none of them; null for the points per side of the interior. If
    null, a last crop that would leave the interior is moved back to end with it, so that nothing is
    left out."""
    step: Annotated[int, Field(ge=1, le=_MAX_SIDE)] | None = None
    """Distance of anchors; null for `size`."""
    pad: Annotated[int, Field(ge=0, le=_MAX_SIDE)] = 0
    """Points added at each side: neighbours of the grid or of its halo."""


class Crops:
    """All crops of a regular grid, numbered from 0 with the last axis fastest.

    It holds the anchors along one axis, and makes indices for one crop at a time. Methods that
    take the index of a crop raise IndexError if there is no such crop.

    Args:
        grid: The stored grid.
        config: Selection of the crops.
        dim: Space dimension.
        boundary: Edge of the grid. The padding of a periodic one, which has no halo, goes on at the
            opposite side; nothing else wraps around.

    Raises:
        RecipeError: If there is no crop, a core would leave the interior, or its padding the
            stored grid.
    """

    def __init__(
        self, grid: GridShape, config: CropConfig, dim: int, boundary: Boundary = "open"
    ) -> None:
        self.grid, self.config, self.dim, self.boundary = grid, config, dim, boundary
        self._anchors = _anchors(config, grid.resolution)
        _refuse_outside(self._anchors, config, grid, boundary)

    def __len__(self) -> int:
        """Number of crops."""
        return prod([len(self._anchors)] * self.dim)

    @property
    def shape(self) -> tuple[int, ...]:
        """Points of a padded crop along each axis."""
        return (self.config.size + 2 * self.config.pad,) * self.dim

    @property
    def core_shape(self) -> tuple[int, ...]:
        """Points of a crop without its padding along each axis."""
        return (self.config.size,) * self.dim

    @property
    def num_points(self) -> int:
        """Points of a padded crop."""
        return prod(self.shape)

    def anchor(self, index: int) -> tuple[int, ...]:
        """The first core point of a crop, in coordinates of the interior."""
        return tuple(self._anchors[place] for place in self._places(index))

    def points(self, index: int) -> np.ndarray:
        """Indices of a padded crop in the stored grid, the last axis fastest, int64 (num_points,).

        They ascend, unless they go on at the opposite side.
        """
        return self._flat(self._sides(index, self.config.pad))

    def core(self, index: int) -> np.ndarray:
        """Indices of the core of a crop in the stored grid, ascending, int64 (size ** dim,)."""
        return self._flat(self._sides(index, 0))

    def cut(self, values: np.ndarray, index: int) -> np.ndarray:
        """The values of a padded crop.

        Args:
            values: As stored, (samples, points[, components]).
            index: Number of the crop.

        Returns:
            (samples, *shape[, components]): a view, unless the crop goes on at the opposite side.

        Raises:
            DatasetError: If there is not one value for each point of the grid.
        """
        sides = (self.grid.points_per_side,) * self.dim
        if values.ndim not in (2, 3) or values.shape[1] != prod(sides):
            raise DatasetError(
                f"Values to crop must be (samples, {prod(sides)}) or (samples, {prod(sides)}, "
                f"components); got {values.shape} ({self._where()}). Take all points of the grid."
            )
        # numpy splits one axis into several without a copy, whatever its stride.
        whole = values.reshape(values.shape[0], *sides, *values.shape[2:])
        box = self._box(index, self.config.pad)
        if all(side.start >= 0 and side.stop <= self.grid.points_per_side for side in box):
            return whole[(slice(None), *box)]
        for axis, places in enumerate(self._sides(index, self.config.pad), 1):
            whole = np.take(whole, places, axis=axis)
        return whole

    def trim(self, crop: np.ndarray) -> np.ndarray:
        """A view of a padded crop, as `cut` returns it, without its padding.

        Raises:
            DatasetError: If it has not the shape of a padded crop.
        """
        self._refuse_shape(crop, self.shape, "A crop to trim")
        pad = self.config.pad
        return crop[(slice(None), *[slice(pad, pad + self.config.size)] * self.dim)]

    def coverage(self) -> np.ndarray:
        """Number of crops with each interior point in their cores, int64 (resolution,) * dim."""
        return reduce(np.multiply.outer, [self._side_coverage()] * self.dim)

    def assemble(self, parts: Iterable[np.ndarray]) -> np.ndarray:
        """Assemble whole fields from crops WITHOUT their padding; `trim` removes it.

        Where crops overlap, the values of the first one are taken as they are.

        Args:
            parts: For each crop in order, (samples, *core_shape[, components]). They may be made
                one at a time, as only one is held.

        Returns:
            All values of the interior, (samples, resolution, ...[, components]), in their type.

        Raises:
            DatasetError: If a point is in no crop, or a part is missing, too much, or misshapen.
        """
        self._refuse_gaps()
        whole, like, count = np.empty(0), "", 0
        for count, part in enumerate(parts, start=1):
            if count > len(self):
                break
            found = f"{part.dtype} {part.shape}"
            if count == 1:
                self._refuse_shape(part, self.core_shape, "A part")
                sides = (self.grid.resolution,) * self.dim
                whole = np.empty((len(part), *sides, *part.shape[1 + self.dim :]), part.dtype)
                like = found
            if found != like:
                raise DatasetError(
                    f"All parts must be like the first, {like}; got {found} (part {count - 1}; "
                    f"{self._where()}). Make all parts from the same samples."
                )
            target, source = self._fresh(count - 1)
            whole[target] = part[source]  # copied, so that a part's memory may be used again
        if count != len(self):
            raise DatasetError(
                f"Parts must be one for each of {len(self)} crops; got {count}"
                f"{' or more' * (count > len(self))} ({self._where()}). Give all of them in order."
            )
        return whole

    def _places(self, index: int) -> tuple[int, ...]:
        """Index of the anchor of a crop along each axis."""
        if not 0 <= index < len(self):
            raise IndexError(
                f"A crop must be 0 to {len(self) - 1}; got {index}. There are no more crops."
            )
        count = len(self._anchors)
        return tuple(index // count**axis % count for axis in reversed(range(self.dim)))

    def _box(self, index: int, pad: int) -> tuple[slice, ...]:
        """The box of a crop in the stored grid."""
        firsts = [self.grid.halo + anchor - pad for anchor in self.anchor(index)]
        return tuple(slice(first, first + self.config.size + 2 * pad) for first in firsts)

    def _sides(self, index: int, pad: int) -> list[np.ndarray]:
        """Indices of a crop along each axis of the stored grid."""
        # Those of an open grid are all in it.
        count = self.grid.points_per_side
        box = self._box(index, pad)
        return [np.arange(side.start, side.stop, dtype=np.int64) % count for side in box]

    def _flat(self, sides: list[np.ndarray]) -> np.ndarray:
        flat = np.zeros((), np.int64)
        for along in sides:
            flat = flat[..., None] * self.grid.points_per_side + along
        return flat.reshape(-1)

    def _fresh(self, index: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        """The box of a crop outside all earlier ones: in the interior, and in the part."""
        # Anchors ascend, and are all combinations of those along an axis: the first crop of a
        # point is the first along each axis, where it sees points from the end of the one before.
        target, source, size = [slice(None)], [slice(None)], self.config.size
        for place in self._places(index):
            anchor = self._anchors[place]
            seen = max(self._anchors[place - 1] + size - anchor, 0) if place else 0
            target.append(slice(anchor + seen, anchor + size))
            source.append(slice(seen, size))
        return tuple(target), tuple(source)

    def _side_coverage(self) -> np.ndarray:
        """Number of crops that hold each point along one axis."""
        starts, places = np.array(self._anchors, np.int64), self.grid.resolution + 1
        begun = np.bincount(starts, minlength=places)
        return np.cumsum(begun - np.bincount(starts + self.config.size, minlength=places))[:-1]

    def _refuse_gaps(self) -> None:
        # Along one axis: in space the covered points are all combinations of these.
        covered, resolution = self._side_coverage() > 0, self.grid.resolution
        if covered.all():
            return
        size, halo, pad = self.config.size, self.grid.halo, self.config.pad
        missing = resolution**self.dim - int(covered.sum()) ** self.dim
        first = (0,) * (self.dim - 1) + (int(np.argmin(covered)),)
        step = min(self.config.step or size, size)
        while (resolution - size) % step:
            step -= 1
        # A crop at the edge of the interior has its padding in the halo.
        lower = f", and pad at most {halo} or a dataset with a halo of {pad}" * (pad > halo)
        raise DatasetError(
            f"The crops must cover every point of the interior; got {missing} of "
            f"{resolution**self.dim} points in no crop, the first at {first} ({self._where()}). "
            f"Leave out start, stop and step, or set start 0, stop {resolution - size + 1}, step "
            f"{step}{lower}."
        )

    def _refuse_shape(self, values: np.ndarray, shape: tuple[int, ...], what: str) -> None:
        if values.ndim not in (self.dim + 1, self.dim + 2) or values.shape[1:][: self.dim] != shape:
            sides = ", ".join(map(str, shape))
            raise DatasetError(
                f"{what} must be (samples, {sides}) or (samples, {sides}, components); got "
                f"{values.shape} ({self._where()}). Reshape it, and mind the padding."
            )

    def _where(self) -> str:
        crop = ", ".join(f"{key} {value}" for key, value in self.config.model_dump().items())
        return f"crop {crop}; interior {self.grid.resolution}, halo {self.grid.halo}"


def _anchors(config: CropConfig, resolution: int) -> tuple[int, ...]:
    """The anchors along an axis, ascending."""
    size, start, stop = config.size, config.start, config.stop
    if size > resolution:
        raise RecipeError(
            f"A crop must be no larger than the interior of the grid, {resolution} points per "
            f"side; got {size} (crop.size). Lower it."
        )
    if start > resolution - size:
        raise RecipeError(
            f"The first anchor must be 0 to {resolution - size}; got {start} (crop.start; "
            f"crop.size {size}, interior {resolution}). Lower it."
        )
    found = list(range(start, resolution if stop is None else stop, config.step or size))
    if stop is None:
        found = list(dict.fromkeys(min(anchor, resolution - size) for anchor in found))
    if not found:
        raise RecipeError(
            f"The end of the anchors must be above the first anchor, {start}; got {stop} "
            "(crop.stop, crop.start). Raise crop.stop above crop.start."
        )
    return tuple(found)


def _refuse_outside(
    anchors: tuple[int, ...], config: CropConfig, grid: GridShape, boundary: Boundary
) -> None:
    resolution, halo, pad = grid.resolution, grid.halo, config.pad
    past = anchors[-1] + config.size - resolution
    if past > 0:
        raise RecipeError(
            f"A crop must end within the interior, {resolution} points per side; got one from "
            f"{anchors[-1]} to below {anchors[-1] + config.size} (crop.size {config.size}). Set "
            f"crop.stop to {resolution - config.size + 1} or less."
        )
    margin = min(anchors[0], -past)
    if boundary == "periodic":
        if pad > resolution:
            raise RecipeError(
                f"The padding of a crop must be at most {resolution}, the points of a period; got "
                f"{pad} (crop.pad). Lower it."
            )
        return
    if pad > halo + margin:
        raise RecipeError(
            f"The padding of a crop must be at most {halo + margin}, as the grid has a halo of "
            f"{halo}; got {pad} (crop.pad). Lower it, or make a dataset with a halo of "
            f"{pad - margin}."
        )
