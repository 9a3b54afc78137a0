"""Choice and least-squares fit of plane waves on a grid, in float64.

Only displacements enter, no dataset: the kernel G of `GridWaves` is fitted to the smooth kernel,
for potential and field alike, over all displacements that a domain allows.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Float64, Int

from hypermagnetics.errors import RecipeError
from hypermagnetics.models.split.density import Density
from hypermagnetics.models.split.kernel import radial

_Matrix = Float64[np.ndarray, "_ _"]

_RIDGE = 1e-16
"""Keeps coefficients of nearly equal waves from growing against each other: they would cost digits
in float32."""
_NEAR_SHARE = 0.3
"""Share of the displacements that are drawn within one and a half cutoffs."""
_MOST_UNKNOWNS = 1200
"""Most groups of waves of different wave numbers: their fit takes half a minute and a gigabyte."""
_MOST_TRIES = 20


DensityOf = Callable[[float], Density]
"""Density of the smoothing for a bandwidth."""


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


@dataclass(frozen=True)
class Fit:
    """Fitted coefficients."""

    coefficients: Float64[np.ndarray, "*harmonics"]
    """c_n for unit moments [1 / length^(n-2)]."""
    error: float
    """Root mean square of the error over that of the value, the larger of potential and field,
    over displacements that were not fitted."""


def chosen(region: Displacements, density_of: DensityOf, accuracy: float) -> Waves:
    """Waves with which a fit has an accuracy: as few as come out of a short search.

    Two errors add up. The spectrum that is left out, exp(-bandwidth) of a Kaiser-Bessel density.
    And the period: between the largest displacement and its image the sum is free, and the more of
    its waves fit into that gap, the better it serves both ends. Both laws were measured, see
    docs/decisions.md; the search begins where they say, and goes on by the larger gain.

    Args:
        region: Displacements and cutoff.
        density_of: Density for a bandwidth.
        accuracy: Asked-for `Fit.error`.

    Returns:
        The waves.

    Raises:
        RecipeError: If more waves than a model can have are needed.
    """
    digits = math.log(1 / accuracy)
    bandwidth, gap = digits + 1.2 * len(region.widths), 1.75 * digits + 3.5
    for _ in range(_MOST_TRIES):
        if _fit_error(region, density_of, bandwidth, gap) <= accuracy:
            return _waves(region, bandwidth, gap)
        wider = bandwidth + 0.5, gap
        longer = bandwidth, gap + 1.5
        errors = [_fit_error(region, density_of, *each) for each in (wider, longer)]
        bandwidth, gap = wider if errors[0] < errors[1] else longer
    raise RecipeError(
        f"The accuracy of a model must be one that its waves can reach; got {accuracy:g}, and "
        f"{min(errors):.2g} with a bandwidth of {bandwidth:.3g} (model.accuracy). Ask for less, or "
        "take density 'kaiser-bessel'."
    )


def _fit_error(region: Displacements, density_of: DensityOf, bandwidth: float, gap: float) -> float:
    return fit(region, density_of(bandwidth), _waves(region, bandwidth, gap)).error


def _waves(region: Displacements, bandwidth: float, gap: float) -> Waves:
    """Waves whose period leaves a gap [rad of the shortest wave] behind the displacements."""
    between = gap * region.cutoff / bandwidth
    waves = Waves(tuple(2 * width + between for width in region.widths), bandwidth)
    return waves


@lru_cache(64)
def fit(region: Displacements, density: Density, waves: Waves) -> Fit:
    """Least-squares coefficients for potential and field, each relative to its typical size.

    The kernel is even along each axis, and the same along axes of the same period, so that only
    waves of different wave numbers are unknown: a ninth to a twentieth of them all.

    Args:
        region: Displacements and cutoff.
        density: Density of the smoothing.
        waves: The waves.

    Returns:
        The coefficients, and their error.

    Raises:
        RecipeError: If there are more waves than a model can have.
    """
    harmonics = waves.harmonics(region.cutoff)
    _refuse_many(region, harmonics)
    numbers = np.array(list(itertools.product(*map(range, harmonics))))
    wave_numbers = numbers * (2 * math.pi / np.array(waves.period))
    inside = np.linalg.norm(wave_numbers, axis=1) <= waves.bandwidth / region.cutoff
    inside &= numbers.any(axis=1)
    numbers = numbers[inside]
    group = _groups(numbers, waves.period)
    order = np.argsort(group, kind="stable")
    numbers, group = numbers[order], group[order]
    random = np.random.default_rng(0)
    size = max(1000, 4 * (int(group.max()) + 1))
    problem = _Problem(region, density, waves.period, numbers, group)
    matrix, wanted = problem.equations(_displacements(random, region, size, _NEAR_SHARE))
    norms = np.linalg.norm(matrix, axis=0)
    ridge = math.sqrt(_RIDGE) * np.eye(len(norms))
    # The ridge keeps the triangle regular, so that no column need be exchanged for another.
    orthogonal, triangle = scipy.linalg.qr(
        np.concatenate([matrix / norms, ridge]),
        mode="economic",
        overwrite_a=True,
        check_finite=False,
    )
    right = orthogonal[: len(wanted)].T @ wanted
    solution = scipy.linalg.solve_triangular(triangle, right, check_finite=False)
    solution = solution / norms
    coefficients = np.zeros(harmonics)
    coefficients[tuple(numbers.T)] = solution[group]
    return Fit(coefficients, problem.error(solution, _displacements(random, region, 1000, 0.0)))


def _refuse_many(region: Displacements, harmonics: tuple[int, ...]) -> None:
    # Those of a ball, the same in each octant and for each order of the axes.
    share = {2: math.pi / 4, 3: math.pi / 6}[len(harmonics)]
    orders = math.factorial(len(harmonics)) if len({*harmonics}) == 1 else 1
    count = round(share * math.prod(harmonics) / orders)
    if count > _MOST_UNKNOWNS:
        raise RecipeError(
            f"Waves on a grid must have at most {_MOST_UNKNOWNS} different wave numbers; got some "
            f"{count} for displacements up to {max(region.widths) / region.cutoff:.3g} cutoffs "
            "(model.accuracy, model.cutoff). Ask for less accuracy, or a larger cutoff."
        )


def _groups(
    numbers: Int[np.ndarray, "waves dim"], period: tuple[float, ...]
) -> Int[np.ndarray, " waves"]:
    """Number of the unknown of each wave: the same for permutations of axes of one period."""
    keys = numbers.copy()
    for one in set(period):
        axes = [axis for axis, each in enumerate(period) if each == one]
        keys[:, axes] = np.sort(keys[:, axes], axis=1)
    found: np.ndarray = np.unique(keys, axis=0, return_inverse=True)[1]
    return found.reshape(-1)


def _displacements(
    random: np.random.Generator, region: Displacements, count: int, near_share: float
) -> _Matrix:
    """Displacements of the positive octant, some of them within one and a half cutoffs."""
    dim, widths = len(region.widths), np.array(region.widths)
    even = random.uniform(size=(count, dim)) * widths
    direction = np.abs(random.normal(size=(count, dim)))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    length = 1.5 * region.cutoff * random.uniform(size=(count, 1)) ** (1 / dim)
    is_near = random.uniform(size=(count, 1)) < near_share
    found: np.ndarray = np.where(is_near, np.minimum(direction * length, widths), even)
    return found


@dataclass(frozen=True)
class _Problem:
    """Linear equations for the coefficients of groups of waves."""

    region: Displacements
    density: Density
    period: tuple[float, ...]
    numbers: Int[np.ndarray, "waves dim"]
    group: Int[np.ndarray, " waves"]
    """Number of the unknown of each wave; rises."""

    @property
    def _pairs(self) -> list[tuple[int, int]]:
        """Axes of the components of a symmetric tensor."""
        return list(itertools.combinations_with_replacement(range(len(self.region.widths)), 2))

    def equations(
        self, displacements: _Matrix
    ) -> tuple[_Matrix, Float64[np.ndarray, " equations"]]:
        """Matrix and right side, each value in units of the root mean square of its kind."""
        wanted = _unit_values(self.region, self.density, displacements)
        weights = self._weights(wanted)
        rows = self._rows(displacements) * weights[:, None, None]
        return rows.reshape(-1, rows.shape[-1]), (wanted * weights[:, None]).ravel()

    def error(self, solution: Float64[np.ndarray, " groups"], displacements: _Matrix) -> float:
        """Relative root mean square error, the larger of potential and field."""
        wanted = _unit_values(self.region, self.density, displacements)
        dim = len(self.region.widths)
        # A component of two different axes stands for two of the field.
        twice = np.array([1.0] * dim + [1.0 if i == j else 2.0 for i, j in self._pairs])
        off = twice[:, None] * (self._rows(displacements) @ solution - wanted) ** 2
        size = twice[:, None] * wanted**2
        return float(max(math.sqrt(off[part].sum() / size[part].sum()) for part in _parts(dim)))

    def _weights(self, wanted: _Matrix) -> Float64[np.ndarray, " kinds"]:
        dim = len(self.region.widths)
        sizes = [math.sqrt((wanted[part] ** 2).mean()) for part in _parts(dim)]
        twice = [math.sqrt(1 if i == j else 2) for i, j in self._pairs]
        return np.array([1 / sizes[0]] * dim + [root / sizes[1] for root in twice])

    def _rows(self, displacements: _Matrix) -> Float64[np.ndarray, "kinds displacements groups"]:
        """-dG/dx_i, and d²G/dx_i dx_j, for a coefficient 1 of each group of waves."""
        axes = range(len(self.region.widths))
        wave_numbers = self.numbers * (2 * math.pi / np.array(self.period))
        first_of_group = np.flatnonzero(np.diff(self.group, prepend=-1))
        cosines, sines = [], []
        for i in axes:
            angles = displacements[:, [i]] * np.arange(self.numbers[:, i].max() + 1)
            angles *= 2 * math.pi / self.period[i]
            cosines.append(np.cos(angles)[:, self.numbers[:, i]])
            sines.append(np.sin(angles)[:, self.numbers[:, i]])

        def product(differentiated: tuple[int, ...], sign: float) -> _Matrix:
            total = np.full_like(cosines[0], sign)
            for i in axes:
                total *= sines[i] if differentiated.count(i) == 1 else cosines[i]
            for i in differentiated:
                total *= wave_numbers[:, i]
            found: np.ndarray = np.add.reduceat(total, first_of_group, axis=1)
            return found

        first = [product((i,), 1.0) for i in axes]
        second = [product((i, j), -1.0 if i == j else 1.0) for i, j in self._pairs]
        return np.stack([*first, *second])


def _parts(dim: int) -> tuple[slice, slice]:
    """Rows of the potential, and rows of the field."""
    return slice(0, dim), slice(dim, None)


def _unit_values(
    region: Displacements, density: Density, displacements: _Matrix
) -> Float64[np.ndarray, "kinds displacements"]:
    """Potential of unit moments along each axis, and the components i <= j of their fields."""
    dim, axes = displacements.shape[1], displacements.T
    g, slope = radial((displacements**2).sum(axis=1), dim, region.cutoff, density)
    second = [
        -(float(i == j) * g + 2 * axes[i] * axes[j] * slope)
        for i, j in itertools.combinations_with_replacement(range(dim), 2)
    ]
    return np.stack([*(axes * g), *second])
