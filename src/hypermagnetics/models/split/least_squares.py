"""Least-squares coefficients of plane waves on a grid, in float64, for few unknowns."""

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.linalg
from jaxtyping import Float64, Int

from hypermagnetics.models.split.density import Density
from hypermagnetics.models.split.displacements import (
    Displacements,
    Fit,
    Matrix,
    Waves,
    drawn_displacements,
    parts,
    unit_values,
)

_RIDGE = 1e-16
"""Keeps coefficients of nearly equal waves from growing against each other: they would cost digits
in float32."""
_NEAR_SHARE = 0.3
"""Share of the displacements that are drawn within one and a half cutoffs."""


@lru_cache(64)
def least_squares(region: Displacements, density: Density, waves: Waves) -> Fit:
    """Least-squares coefficients for potential and field, each relative to its typical size.

    The kernel is even along each axis, and the same along axes of the same period, so that only
    waves of different wave numbers are unknown: a ninth to a twentieth of them all.

    Args:
        region: Displacements and cutoff.
        density: Density of the smoothing.
        waves: The waves.

    Returns:
        The coefficients, and their error.
    """
    harmonics = waves.harmonics(region.cutoff)
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
    matrix, wanted = problem.equations(drawn_displacements(random, region, size, _NEAR_SHARE))
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
    return Fit(
        coefficients, problem.error(solution, drawn_displacements(random, region, 1000, 0.0))
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

    def equations(self, displacements: Matrix) -> tuple[Matrix, Float64[np.ndarray, " equations"]]:
        """Matrix and right side, each value in units of the root mean square of its kind."""
        wanted = unit_values(self.region, self.density, displacements)
        weights = self._weights(wanted)
        rows = self._rows(displacements) * weights[:, None, None]
        return rows.reshape(-1, rows.shape[-1]), (wanted * weights[:, None]).ravel()

    def error(self, solution: Float64[np.ndarray, " groups"], displacements: Matrix) -> float:
        """Relative root mean square error, the larger of potential and field."""
        wanted = unit_values(self.region, self.density, displacements)
        dim = len(self.region.widths)
        # A component of two different axes stands for two of the field.
        twice = np.array([1.0] * dim + [1.0 if i == j else 2.0 for i, j in self._pairs])
        off = twice[:, None] * (self._rows(displacements) @ solution - wanted) ** 2
        size = twice[:, None] * wanted**2
        return float(max(math.sqrt(off[part].sum() / size[part].sum()) for part in parts(dim)))

    def _weights(self, wanted: Matrix) -> Float64[np.ndarray, " kinds"]:
        dim = len(self.region.widths)
        sizes = [math.sqrt((wanted[part] ** 2).mean()) for part in parts(dim)]
        twice = [math.sqrt(1 if i == j else 2) for i, j in self._pairs]
        return np.array([1 / sizes[0]] * dim + [root / sizes[1] for root in twice])

    def _rows(self, displacements: Matrix) -> Float64[np.ndarray, "kinds displacements groups"]:
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

        def product(differentiated: tuple[int, ...], sign: float) -> Matrix:
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
