"""Scales: the physical value of one unit inside the network."""

import math
from collections.abc import Callable, Mapping, Sequence

from hypermagnetics.data import ArrayName, Split, Statistics
from hypermagnetics.errors import ExtensionError, RecipeError
from hypermagnetics.models import Scales
from hypermagnetics.table import APPLIED
from hypermagnetics.user_code import must

Normalisation = Callable[[Mapping[ArrayName, Statistics]], Scales]
"""Map from the statistics of the arrays of the training split to scales."""

_ARRAYS: tuple[ArrayName, ...] = ("sources", "grid", "potential", "field")


def scales_of(split: Split, name: str, function: Normalisation | None) -> Scales:
    """Scales of a model, from its training split.

    Args:
        split: The training split.
        name: `normalisation.scales` of the recipe.
        function: User's function that makes them; None if they are shipped.

    Returns:
        The scales.

    Raises:
        ExtensionError: If the function fails, or gives something else.
        RecipeError: If medians are requested and more than half of the values are zero.
        ValidationError: If root mean squares are not positive and finite.
    """
    statistics = {array: split.statistics(array) for array in _ARRAYS}
    sources, grid = statistics["sources"], statistics["grid"]
    statistics["sources"] = _with_causes(split.column_names, sources, grid)
    if function is None:
        if name == "rms":
            return rms_scales(statistics)
        _refuse_medians_of_zero(split, statistics)
        return median_scales(statistics)
    rule = f"{name} must give hypermagnetics.models.Scales from the statistics of a split"
    with must(rule, function, "normalisation.scales"):
        found = function(statistics)
    if not isinstance(found, Scales):
        raise ExtensionError(
            f"{rule}; got {' '.join(repr(found).split()):.100} (normalisation.scales). Return "
            "Scales(length, moment, potential)."
        )
    return found


def _with_causes(names: Sequence[str], sources: Statistics, grid: Statistics) -> Statistics:
    """Statistics of the sources; of soft bodies without moments, those of L^dim H in their place.

    H is the applied field and L the scale of the lengths.
    """
    dim = len(grid.mean)
    places = [names.index(name) for name in APPLIED[:dim] if name in names]
    if len(places) < dim or any(sources.min[:dim]) or any(sources.max[:dim]):
        return sources
    volume = (rms(grid.mean, grid.std) / math.sqrt(dim)) ** dim
    changed = {}
    for name, values in vars(sources).items():
        found = [volume * values[place] for place in places]
        changed[name] = (*found, *values[dim:])
    return Statistics(**changed)


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


def median_scales(statistics: Mapping[ArrayName, Statistics]) -> Scales:
    """Medians of the absolute values of coordinates, components of moments, and potential.

    Where axes differ, the root mean square of their medians is taken, since a scale must not
    depend on how the axes lie.

    Args:
        statistics: Of the arrays of a split.

    Returns:
        The scales.
    """
    medians = _medians(statistics)
    return Scales(**{name: math.hypot(*m) / math.sqrt(len(m)) for name, m in medians.items()})


def _medians(statistics: Mapping[ArrayName, Statistics]) -> dict[str, tuple[float, ...]]:
    dim = len(statistics["grid"].mean)
    return {
        "length": statistics["grid"].median_abs,
        # The columns of the sources begin with the moments.
        "moment": statistics["sources"].median_abs[:dim],
        "potential": statistics["potential"].median_abs,
    }


def _refuse_medians_of_zero(split: Split, statistics: Mapping[ArrayName, Statistics]) -> None:
    for name, medians in _medians(statistics).items():
        if not any(medians):
            raise RecipeError(
                f"normalisation.scales = 'median' must have medians greater than 0; got a median "
                f"of 0 of the {name} (split {split.name!r} of "
                f"{split.directory}). Take 'rms'."
            )


def pooled_rms(found: Statistics) -> float:
    """Root mean square of all values of an array, from statistics of equal numbers of them."""
    return rms(found.mean, found.std) / math.sqrt(len(found.mean))


def rms(mean: Sequence[float], std: Sequence[float]) -> float:
    """Root mean square of the norm of a vector, from the moments of its components."""
    return math.sqrt(sum(m * m + s * s for m, s in zip(mean, std, strict=True)))
