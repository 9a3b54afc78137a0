"""Choice of plane waves on a grid, and their coefficients, in float64.

Only displacements enter, no dataset: the kernel G of `GridWaves` is fitted to the smooth kernel,
for potential and field alike, over all displacements that a domain allows. Few waves are fitted by
least squares; many are the Fourier series of a kernel with a smooth end, which needs a longer
period and no fit.
"""

import math
from collections.abc import Callable

from hypermagnetics.errors import RecipeError
from hypermagnetics.models.split.density import Density
from hypermagnetics.models.split.displacements import Displacements, Fit, Waves
from hypermagnetics.models.split.fourier_series import fourier_series
from hypermagnetics.models.split.least_squares import least_squares

_MOST_UNKNOWNS = 400
"""Most groups of waves of different wave numbers in a least squares: a search among them takes some
ten seconds."""
_MOST_TRIES = 20


DensityOf = Callable[[float], Density]
"""Density of the smoothing for a bandwidth."""


def chosen(
    region: Displacements,
    density_of: DensityOf,
    accuracy: float,
    most: int,
    remedy: str = "less accuracy, or a larger cutoff",
) -> Waves:
    """Waves with which a fit has an accuracy: as few as come out of a short search.

    Two errors add up. The spectrum that is left out, exp(-bandwidth) of a Kaiser-Bessel density.
    And the period: between the largest displacement and its image the sum is free, and the more of
    its waves fit into that gap, the better it serves both ends. Both laws were measured, see
    docs/decisions.md; the search begins where they say, and goes on by the larger gain.

    Args:
        region: Displacements and cutoff.
        density_of: Density for a bandwidth.
        accuracy: Asked-for `Fit.error`.
        most: Largest number of waves.
        remedy: Wish that needs fewer of them, or allows more, for the message.

    Returns:
        The waves.

    Raises:
        RecipeError: If more waves than a model can have are needed.
    """
    digits = math.log(1 / accuracy)
    bandwidth, gap = digits + 1.2 * len(region.widths), 1.75 * digits + 3.5
    if _unknowns(region, _waves(region, bandwidth, gap)) > _MOST_UNKNOWNS:
        return _chosen_of_many(region, density_of, accuracy, most, remedy)
    for _ in range(_MOST_TRIES):
        if _fit_error(region, density_of, bandwidth, gap) <= accuracy:
            return _waves(region, bandwidth, gap)
        wider = bandwidth + 0.5, gap
        longer = bandwidth, gap + 1.5
        if (
            max(_unknowns(region, _waves(region, *each)) for each in (wider, longer))
            > _MOST_UNKNOWNS
        ):
            return _chosen_of_many(region, density_of, accuracy, most, remedy)
        errors = [_fit_error(region, density_of, *each) for each in (wider, longer)]
        bandwidth, gap = wider if errors[0] < errors[1] else longer
    raise _unreached(accuracy, min(errors), bandwidth)


def _chosen_of_many(
    region: Displacements, density_of: DensityOf, accuracy: float, most: int, remedy: str
) -> Waves:
    """Waves of a Fourier series, whose gap grows with the bandwidth: both errors fall alike."""
    waves = first_of_many(region, accuracy)
    for _ in range(_MOST_TRIES):
        number, bandwidth = waves.number(region.cutoff), waves.bandwidth
        if number > most:
            raise RecipeError(
                f"A model must have at most {most} waves; got {number} for an accuracy of "
                f"{accuracy:g} and displacements of {max(region.widths) / region.cutoff:.3g} "
                f"cutoffs (model.accuracy, model.cutoff). Ask for {remedy}."
            )
        error = fit(region, density_of(bandwidth), waves).error
        if error <= accuracy:
            return waves
        bandwidth += max(0.25, math.log(error / accuracy))
        waves = _waves(region, bandwidth, 2 * bandwidth)
    raise _unreached(accuracy, error, bandwidth)


def first_of_many(region: Displacements, accuracy: float) -> Waves:
    """Waves with which a search among many begins; close to those that it finds.

    Args:
        region: Displacements and cutoff.
        accuracy: Asked-for `Fit.error`.
    """
    # The smaller the core of the kernel, the less of its root mean square is far from it.
    dim, far = len(region.widths), max(region.widths) / region.cutoff
    bandwidth = math.log(1 / accuracy) + dim * (1.2 + 0.33 * math.log(max(far, 1)))
    return _waves(region, bandwidth, 2 * bandwidth)


def _unreached(accuracy: float, error: float, bandwidth: float) -> RecipeError:
    return RecipeError(
        f"The accuracy of a model must be one that its waves can reach; got {accuracy:g}, and "
        f"{error:.2g} with a bandwidth of {bandwidth:.3g} (model.accuracy). Ask for less, or "
        "take density 'kaiser-bessel'."
    )


def _fit_error(region: Displacements, density_of: DensityOf, bandwidth: float, gap: float) -> float:
    return fit(region, density_of(bandwidth), _waves(region, bandwidth, gap)).error


def _waves(region: Displacements, bandwidth: float, gap: float) -> Waves:
    """Waves whose period leaves a gap [rad of the shortest wave] behind the displacements."""
    between = gap * region.cutoff / bandwidth
    waves = Waves(tuple(2 * width + between for width in region.widths), bandwidth)
    return waves


def fit(region: Displacements, density: Density, waves: Waves) -> Fit:
    """Coefficients for potential and field: by least squares if the waves are few.

    Args:
        region: Displacements and cutoff.
        density: Density of the smoothing.
        waves: The waves.

    Returns:
        The coefficients, and their error.
    """
    if _unknowns(region, waves) <= _MOST_UNKNOWNS:
        return least_squares(region, density, waves)
    return fourier_series(region, density, waves)


def _unknowns(region: Displacements, waves: Waves) -> int:
    """Number of waves of different wave numbers, nearly."""
    # Those of a ball, the same in each octant and for each order of the axes.
    harmonics = waves.harmonics(region.cutoff)
    share = {2: math.pi / 4, 3: math.pi / 6}[len(harmonics)]
    orders = math.factorial(len(harmonics)) if len({*harmonics}) == 1 else 1
    return round(share * math.prod(harmonics) / orders)
