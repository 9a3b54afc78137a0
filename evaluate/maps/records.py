"""Results of networks from maps to maps as plain values."""

from dataclasses import dataclass
from typing import Literal

from hypermagnetics.evaluate.results.quantity_scores import ArrayQuantityScores

MapQuantity = Literal["potential", "field", "field by differences", "targets"]
"""Map that is compared with the truth. A field by differences is -grad of the predicted potential,
by differences of neighbouring points, where no field is predicted."""


@dataclass(frozen=True)
class WaveNumberError:
    """Error of a map in a shell of wave numbers."""

    below: int
    """Wave numbers |k| of the shell, in periods along the map, are below this, and not in the shell
    before."""
    relative_l2: float
    """||error||₂ / ||truth||₂ over the shell of all samples; NaN if no truth has any of it."""
    share_of_truth: float
    """Share of the shell in the squared norm of the truth."""


@dataclass(frozen=True)
class MapScores:
    """Errors of one map that a subject gives, at all points of all samples."""

    quantity: MapQuantity
    all_points: ArrayQuantityScores
    new_points: ArrayQuantityScores | None
    """Errors at the points that the input does not hold; None where it holds all."""
    by_wave_number: tuple[WaveNumberError, ...]
