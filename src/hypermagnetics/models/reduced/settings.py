"""Settings of the reduced model."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from hypermagnetics.config import Config, Positive
from hypermagnetics.sources.distributions import Length


def _even(number: int) -> int:
    if number % 2:
        raise ValueError("an even number")
    return number


_Aspect = Annotated[tuple[Length, ...], Field(min_length=2, max_length=3)]
_Modes = Annotated[int, Field(ge=3, le=512)]
_Divisions = Annotated[int, Field(ge=4, le=64), AfterValidator(_even)]


class ReducedConfig(Config):
    """Settings of a Reduced."""

    name: Literal["reduced"] = "reduced"
    """Model: soft boxes in the field of each other and of hard magnets, by the first modes of their
    magnetisation. It needs no labels: its modes are made from solved neighbourhoods of one box, in
    seconds to minutes, before the first step."""
    aspects: Annotated[tuple[_Aspect, ...], Field(min_length=1, max_length=16)] | None = None
    """Sides of the soft boxes, one entry for each aspect; sizes are of no account. null for those
    that the source table has as constants, where all bodies share them."""
    modes: _Modes | None = None
    """Modes of each body, the uniform ones included; null for 32 in two dimensions, 64 in three."""
    divisions: _Divisions | None = None
    """Cells along each side of a box of which the modes are made; an even number; null for 24 in
    two dimensions, 12 in three."""
    gap: Annotated[float, Field(ge=1e-3, le=1)] = 0.02
    """Smallest distance between a soft body and another, in longest sides of the soft body."""
    largest_susceptibility: Positive = 3000.0
    """Largest susceptibility; the response hardly changes beyond some hundreds."""
