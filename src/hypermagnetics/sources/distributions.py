"""Distributions of the moments, positions, sizes and rotations of a dataset.

A distribution turns uniform random numbers into physical values, in float64.
"""

from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float, Float64, Int64
from pydantic import AfterValidator, Field, model_validator
from scipy.special import ndtri

from hypermagnetics.config import Config, NotNegative, Positive, refusal
from hypermagnetics.sources.sampling import directions, whole_numbers

_LEAST, _MOST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


def _in_float32(size: float) -> float:
    if not _LEAST <= size <= _MOST:
        raise ValueError(f"between {_LEAST:.3g} and {_MOST:.3g}, the range of float32")
    return size


def _held_by_float32(component: float) -> float:
    if not abs(component) <= _MOST:
        raise ValueError(f"at most {_MOST:.3g} in size, the range of float32")
    return component


Length = Annotated[float, Field(gt=0), AfterValidator(_in_float32)]
"""A size [m]; rounded to float32 it is still greater than 0, and finite."""

_SITES_AT_ONCE = 1 << 22
"""Sites of all lattices held in memory at a time."""

_Component = Annotated[float, AfterValidator(_held_by_float32)]
_Uniform = Float[np.ndarray, "*shape numbers"]
_Vectors = Float64[np.ndarray, "*shape dim"]


class Normal(Config):
    """Independent normal components of zero mean."""

    distribution: Literal["normal"] = "normal"
    """Kind of distribution: independent normal components of zero mean."""
    std: Positive
    """Standard deviation of each component: of positions in [m], of moments in [A m²], in two
    dimensions [A m], of an applied field in [A/m]."""

    def from_uniform(self, uniform: Float[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
        """Normal values from uniform numbers between 0 and 1, both excluded: their quantiles."""
        values: np.ndarray = self.std * ndtri(np.asarray(uniform, np.float64))
        return values


class OnSphere(Config):
    """Vectors of one magnitude, all directions equally probable."""

    distribution: Literal["sphere"]
    """Kind of distribution: one magnitude, all directions equally probable."""
    magnitude: Positive
    """Magnitude of each vector: of moments in [A m²], in two dimensions [A m], of an applied field
    in [A/m]."""

    def from_uniform(self, uniform: _Uniform) -> _Vectors:
        """Vectors from a uniform number for each component."""
        return self.magnitude * directions(uniform)


class Aligned(Config):
    """Vectors about one direction: magnitude (unit vector + spread times a normal vector)."""

    distribution: Literal["aligned"]
    """Kind of distribution: about one direction, magnitude (unit vector + spread times a normal
    vector)."""
    direction: Annotated[tuple[float, ...], Field(min_length=2, max_length=3)]
    """Common direction: one component for each dimension, of any norm but 0."""
    magnitude: Positive
    """Magnitude without the spread: of moments in [A m²], in two dimensions [A m], of an applied
    field in [A/m]."""
    spread: NotNegative = 0.0
    """Standard deviation of each component, in units of the magnitude; 0 for vectors all alike."""

    @model_validator(mode="after")
    def _points_somewhere(self) -> "Aligned":
        if not any(self.direction):
            raise refusal("direction", "have a component other than 0", list(self.direction))
        return self

    def from_uniform(self, uniform: _Uniform) -> _Vectors:
        """Vectors from a uniform number for each component."""
        # Divided by the largest component first, so that no square over- or underflows.
        direction = np.asarray(self.direction) / np.abs(self.direction).max()
        spread = self.spread * ndtri(np.asarray(uniform, np.float64))
        vectors: np.ndarray = self.magnitude * (direction / np.linalg.norm(direction) + spread)
        return vectors


class Constant(Config):
    """One vector, the same for all sources."""

    distribution: Literal["constant"]
    """Kind of distribution: one vector, the same for all sources."""
    value: Annotated[tuple[_Component, ...], Field(min_length=2, max_length=3)]
    """The vector, one component for each dimension: of positions in [m], where each sample has one
    source; of moments in [A m²], in two dimensions [A m]; of an applied field in [A/m]."""

    def from_uniform(self, uniform: _Uniform) -> _Vectors:
        """The vector for each row of numbers, whatever these are."""
        return np.broadcast_to(np.asarray(self.value, np.float64), np.shape(uniform))


class InBox(Config):
    """Uniform in the box around the origin."""

    distribution: Literal["uniform"]
    """Kind of distribution: uniform in the box around the origin."""
    half_width: Positive
    """Half the side of the box around the origin [m]."""

    def from_uniform(self, uniform: Float[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
        """Coordinates from a uniform number for each."""
        return self.half_width * (2 * np.asarray(uniform, np.float64) - 1)


class Lattice(Config):
    """Distinct sites of a square or cubic lattice around the origin, each moved a little."""

    distribution: Literal["lattice"]
    """Kind of distribution: distinct sites of a square or cubic lattice around the origin, each
    moved a little."""
    spacing: Positive
    """Distance between neighbouring sites [m]."""
    jitter: NotNegative = 0.0
    """Largest displacement along each axis [m], uniform; less than half the spacing."""
    sites_per_side: Annotated[int, Field(ge=1, le=2**10)]
    """Sites along each axis; all together at least as many as the sources of a sample."""

    @model_validator(mode="after")
    def _cells_are_apart(self) -> "Lattice":
        if not self.jitter < 0.5 * self.spacing:
            rule = f"be less than half the spacing, {self.spacing / 2:g}, to keep sources apart"
            raise refusal("jitter", rule, self.jitter)
        return self

    def from_uniform(
        self,
        choice: Float64[np.ndarray, "samples sources"],
        jitter: Float64[np.ndarray, "samples sources dim"],
    ) -> Float64[np.ndarray, "samples sources dim"]:
        """Positions from a uniform number for the site of each source, and for each displacement.

        Args:
            choice: Decides the sites of a sample, no two of which are the same.
            jitter: Decides the displacement along each axis.

        Returns:
            Positions [m].
        """
        dim = jitter.shape[-1]
        sites = _distinct(choice, self.sites_per_side**dim)
        along = np.stack(np.unravel_index(sites, (self.sites_per_side,) * dim), axis=-1)
        centred = self.spacing * (along - 0.5 * (self.sites_per_side - 1))
        positions: np.ndarray = centred + self.jitter * (2 * jitter - 1)
        return positions


class Packed(Config):
    """Uniform in the box, with whole bodies inside and no overlap."""

    distribution: Literal["packed"]
    """Kind of distribution: uniform in the box, with whole bodies inside and no overlap."""
    half_width: Length
    """Half the side of the box around the origin [m]."""
    min_gap: NotNegative = 0.0
    """Least distance between two bodies [m], by `shape`."""
    shape: Literal["ball", "body"] = "ball"
    """Outlines that keep their distance. "ball": the circles or spheres around the bodies, which
    lie in the box. "body": the bodies themselves, by planes between them; two boxes keep the gap
    along the normal of a face or, in space, across an edge of each."""
    attempts: Annotated[int, Field(ge=1, le=10**6)] = 20
    """Attempts to place all bodies of a sample before the recipe is refused."""


_Listed = Annotated[tuple[Length, ...], Field(min_length=2, max_length=3)]
_Factor = Annotated[float, Field(gt=0)]


class BoxChoice(Config):
    """Full sides, together one of a list."""

    distribution: Literal["choice"]
    """Kind of distribution: the sides of one of the boxes of a list, all equally probable."""
    of: Annotated[tuple[_Listed, ...], Field(min_length=1, max_length=1000)]
    """Full sides of each box [m], along its own axes."""
    scale: Annotated[tuple[_Factor, ...], Field(min_length=2, max_length=2)] | None = None
    """Range of a factor of all sides of a box, [least, greatest], uniform in its logarithm; null
    for none."""

    @model_validator(mode="after")
    def _boxes_alike(self) -> "BoxChoice":
        if len({len(sides) for sides in self.of}) > 1:
            raise refusal("of", "hold boxes of one number of sides", [len(one) for one in self.of])
        if self.scale is not None and not self.scale[0] < self.scale[1]:
            raise refusal("scale", "be [least, greatest] in this order", list(self.scale))
        return self

    @property
    def numbers(self) -> int:
        """Uniform random numbers for each box."""
        return 1 if self.scale is None else 2

    def from_uniform(
        self, uniform: Float[np.ndarray, "*shape numbers"]
    ) -> Float64[np.ndarray, "*shape sides"]:
        """Sides [m] from the numbers of each box; the largest box from numbers of 1."""
        share = np.asarray(uniform, np.float64)
        boxes = np.asarray(sorted(self.of, key=lambda sides: np.linalg.norm(sides)))
        sides: np.ndarray = boxes[whole_numbers(share[..., 0], len(boxes))]
        if self.scale is None:
            return sides
        least, greatest = self.scale
        return sides * (least * (greatest / least) ** share[..., 1:])


class Sizes(Config):
    """Lengths drawn from a range."""

    distribution: Literal["uniform", "log-uniform"]
    """"uniform": all lengths equally probable; "log-uniform": all of their logarithms, so that
    small ones are as many in each octave as large ones."""
    low: Length
    """Least length [m]."""
    high: Length
    """Greatest length [m]; above `low`."""

    @model_validator(mode="after")
    def _range(self) -> "Sizes":
        if not self.low < self.high:
            raise refusal("low", f"be less than high, {self.high:g}", self.low)
        return self

    def from_uniform(self, uniform: Float[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
        """A length [m] from each number."""
        return _between(self.distribution, self.low, self.high, uniform)


Susceptibility = Annotated[float, Field(gt=0, le=1e7)]
"""A susceptibility chi [1] of a soft body."""


class Susceptibilities(Config):
    """Susceptibilities drawn from a range."""

    distribution: Literal["uniform", "log-uniform"]
    """"uniform": all susceptibilities equally probable; "log-uniform": all of their logarithms."""
    low: Susceptibility
    """Least susceptibility [1]."""
    high: Susceptibility
    """Greatest susceptibility [1]; above `low`."""

    @model_validator(mode="after")
    def _range(self) -> "Susceptibilities":
        if not self.low < self.high:
            raise refusal("low", f"be less than high, {self.high:g}", self.low)
        return self

    def from_uniform(self, uniform: Float[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
        """A susceptibility from each number."""
        return _between(self.distribution, self.low, self.high, uniform)


def _between(
    distribution: Literal["uniform", "log-uniform"],
    low: float,
    high: float,
    uniform: Float[np.ndarray, "*shape"],
) -> Float64[np.ndarray, "*shape"]:
    share = np.asarray(uniform, np.float64)
    if distribution == "uniform":
        return low + (high - low) * share
    values: np.ndarray = low * (high / low) ** share
    return values


class UniformAngle(Config):
    """Any angle of the whole turn."""

    distribution: Literal["uniform"]
    """Kind of distribution: any angle of the whole turn."""

    def from_uniform(self, uniform: Float[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
        """An angle [rad] from each number."""
        return 2 * np.pi * np.asarray(uniform, np.float64)


class UniformRotation(Config):
    """Any rotation, none more probable than another."""

    distribution: Literal["uniform"]
    """Kind of distribution: any rotation, none more probable than another."""

    def from_uniform(
        self, uniform: Float[np.ndarray, "*shape 3"]
    ) -> Float64[np.ndarray, "*shape 4"]:
        """Unit quaternions (w, x, y, z) from three numbers for each.

        References:
            Shoemake, Uniform random rotations, Graphics Gems III (1992), III.6.
        """
        share, *turns = np.moveaxis(np.asarray(uniform, np.float64), -1, 0)
        (a, b), (c, d) = ((np.sin(angle), np.cos(angle)) for angle in 2 * np.pi * np.stack(turns))
        small, large = np.sqrt(1 - share), np.sqrt(share)
        return np.stack([large * d, small * a, small * b, large * c], axis=-1)


Moment = Annotated[Normal | OnSphere | Aligned | Constant, Field(discriminator="distribution")]
Position = Annotated[
    Normal | InBox | Lattice | Packed | Constant, Field(discriminator="distribution")
]


def _distinct(
    uniform: Float64[np.ndarray, "samples sources"], num_sites: int
) -> Int64[np.ndarray, "samples sources"]:
    """For each sample a random choice of different sites, in random order (Fisher and Yates)."""
    num_samples, num_sources = uniform.shape
    chosen = np.empty(uniform.shape, np.int64)
    step = max(_SITES_AT_ONCE // num_sites, 1)
    for first in range(0, num_samples, step):
        part = uniform[first : first + step]
        rows = np.arange(len(part))
        sites = np.tile(np.arange(num_sites, dtype=np.int32), (len(part), 1))
        for source in range(num_sources):
            other = source + whole_numbers(part[:, source], num_sites - source)
            chosen[first : first + step, source] = sites[rows, other]
            sites[rows, other] = sites[:, source]
    return chosen
