"""Displacements that waves on a grid serve, the waves, and the smooth kernel there."""

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from hypermagnetics.models.split.density import Density
from hypermagnetics.models.split.kernel import radial

Matrix = Float64[np.ndarray, "_ _"]


class Displacements(NamedTuple):
    """Region of displacements, and the smoothing there; lengths in any unit."""

    widths: tuple[float, ...]
    """Largest displacement along each axis."""
    cutoff: float

    def scaled(self, factor: float) -> "Displacements":
        """The same region in another unit of length."""
        return Displacements(tuple(factor * width for width in self.widths), factor * self.cutoff)


class Waves(NamedTuple):
    """Waves on a grid: those within a ball of wave numbers."""

    period: tuple[float, ...]
    """Of each axis."""
    bandwidth: float
    """Largest wave number [rad per cutoff]."""

    def harmonics(self, cutoff: float) -> tuple[int, ...]:
        """Number of harmonics of each axis, the constant one included."""
        largest = self.bandwidth / cutoff
        return tuple(int(largest * period / (2 * math.pi)) + 1 for period in self.period)

    def number(self, cutoff: float) -> int:
        """Number of waves: of products of a cosine or sine for each axis."""
        return math.prod(2 * count - 1 for count in self.harmonics(cutoff))


@dataclass(frozen=True)
class Fit:
    """Coefficients of waves, and their error."""

    coefficients: Float64[np.ndarray, "*harmonics"]
    """c_n for unit moments [1 / length^(n-2)]."""
    error: float
    """Root mean square of the error over that of the value, the larger of potential and field,
    over displacements that were not fitted."""


def drawn_displacements(
    random: np.random.Generator, region: Displacements, count: int, near_share: float
) -> Matrix:
    """Displacements of the positive octant, some of them within one and a half cutoffs."""
    dim, widths = len(region.widths), np.array(region.widths)
    even = random.uniform(size=(count, dim)) * widths
    direction = np.abs(random.normal(size=(count, dim)))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    length = 1.5 * region.cutoff * random.uniform(size=(count, 1)) ** (1 / dim)
    is_near = random.uniform(size=(count, 1)) < near_share
    found: np.ndarray = np.where(is_near, np.minimum(direction * length, widths), even)
    return found


def parts(dim: int) -> tuple[slice, slice]:
    """Rows of the potential, and rows of the field."""
    return slice(0, dim), slice(dim, None)


def unit_values(
    region: Displacements, density: Density, displacements: Matrix
) -> Float64[np.ndarray, "kinds displacements"]:
    """Potential of unit moments along each axis, and the components i <= j of their fields."""
    dim, axes = displacements.shape[1], displacements.T
    g, slope = radial((displacements**2).sum(axis=1), dim, region.cutoff, density)
    second = [
        -(float(i == j) * g + 2 * axes[i] * axes[j] * slope)
        for i, j in itertools.combinations_with_replacement(range(dim), 2)
    ]
    return np.stack([*(axes * g), *second])
