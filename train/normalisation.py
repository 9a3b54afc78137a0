"""The physical values that are 1 inside a model."""

import math
from collections.abc import Callable, Mapping, Sequence

from hypermagnetics.data import ArrayName, Split, Statistics
from hypermagnetics.errors import ExtensionError
from hypermagnetics.models import Scales
from hypermagnetics.user_code import must

Normalisation = Callable[[Mapping[ArrayName, Statistics]], Scales]
"""From the statistics of the arrays of the training split to scales."""

_ARRAYS: tuple[ArrayName, ...] = ("sources", "grid", "potential", "field")


def scales_of(split: Split, name: str, function: Normalisation | None) -> Scales:
    """The scales of a model that is trained on a split.

    Args:
        split: The training split.
        name: `normalisation.scales` of the recipe.
        function: What makes them, if that names a user's function; None for root mean squares.

    Returns:
        The scales.

    Raises:
        ExtensionError: If the function fails, or gives something else.
        ValidationError: If root mean squares are not positive and finite.
    """
    statistics = {array: split.statistics(array) for array in _ARRAYS}
    if function is None:
        return rms_scales(statistics)
    rule = f"{name} must give hypermagnetics.models.Scales from the statistics of a split"
    with must(rule, function, "normalisation.scales"):
        found = function(statistics)
    if not isinstance(found, Scales):
        raise ExtensionError(
            f"{rule}; got {found!r} (normalisation.scales). Return "
            "Scales(length, moment, potential)."
        )
    return found


def rms_scales(statistics: Mapping[ArrayName, Statistics]) -> Scales:
    """Root mean squares of the coordinates of the points, of the moments and of the potential.

    Args:
        statistics: Of the arrays of a split.

    Returns:
        The scales.
    """
    grid, sources, potential = (statistics[name] for name in ("grid", "sources", "potential"))
    dim = len(grid.mean)
    # The columns of the sources begin with the moments.
    moment = rms(sources.mean[:dim], sources.std[:dim])
    return Scales(
        length=rms(grid.mean, grid.std) / math.sqrt(dim),
        moment=moment / math.sqrt(dim),
        potential=rms(potential.mean, potential.std),
    )


def rms(mean: Sequence[float], std: Sequence[float]) -> float:
    """Root mean square of the norm of a vector, from the moments of its components."""
    return math.sqrt(sum(m * m + s * s for m, s in zip(mean, std, strict=True)))
