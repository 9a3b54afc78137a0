"""Settings of the reduced model."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from hypermagnetics.config import Config, Positive
from hypermagnetics.errors import RecipeError
from hypermagnetics.models.inputs import ModelInputs
from hypermagnetics.sources.distributions import Length
from hypermagnetics.sources.kinds import KINDS
from hypermagnetics.sources.kinds.box import BoxKind
from hypermagnetics.table import SIZES

_MODES = {2: 32, 3: 96}
_DIVISIONS = {2: 24, 3: 12}


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
    """Sides of the soft boxes, one entry for each aspect; sizes are of no account. null for the
    one aspect that all soft boxes of the training split share."""
    modes: _Modes | None = None
    """Modes of each body, the uniform ones included; null for 32 in two dimensions, 96 in three."""
    divisions: _Divisions | None = None
    """Cells along each side of a box of which the modes are made; an even number; null for 24 in
    two dimensions, 12 in three."""
    gap: Annotated[float, Field(ge=1e-3, le=1)] = 0.02
    """Smallest distance between a soft body and another, in longest sides of the soft body."""
    largest_susceptibility: Positive = 3000.0
    """Largest susceptibility; the response hardly changes beyond some hundreds."""


def resolved(config: ReducedConfig, inputs: ModelInputs) -> ReducedConfig:
    """Choose open settings.

    Args:
        config: Settings.
        inputs: The source table, with susceptibilities.

    Returns:
        Settings with every one filled in, and aspects of longest side 1.

    Raises:
        RecipeError: If the sources are not soft boxes, or their aspects are not known.
    """
    columns, dim = inputs.columns, inputs.dim
    if not columns.is_soft or not any(isinstance(KINDS[b], BoxKind) for b in columns.bodies):
        raise RecipeError(
            "A reduced model must have sources with susceptibilities and boxes among them; got "
            f"columns {', '.join(columns.names)} of {', '.join(columns.bodies)} (model.name). "
            "Take a dataset of soft bodies, such as soft-squares, or another model."
        )
    if inputs.is_normalised_beyond_scales:
        raise RecipeError(
            "normalisation.values must be 'linear' and normalisation.moment 'dataset' for a "
            f"reduced model, which learns no values; got {inputs.values!r} and {inputs.moment!r} "
            "(normalisation). Leave both out."
        )
    shared = _largest_sides(inputs)
    aspects = config.aspects or (None if shared is None else (shared,))
    if aspects is None:
        raise RecipeError(
            "model.aspects must list the sides of the soft boxes where no dataset is known; got "
            "null (model.aspects). List each aspect, as [[1, 1], [2, 1]]."
        )
    for sides in aspects:
        if len(sides) != dim:
            raise RecipeError(
                f"An aspect must have {dim} sides, one for each axis; got {list(sides)} "
                "(model.aspects). Give them in the order of dimension_x, dimension_y, ..."
            )
    chosen = {
        "aspects": tuple(tuple(side / max(sides) for side in sides) for sides in aspects),
        "modes": config.modes or _MODES[dim],
        "divisions": config.divisions or _DIVISIONS[dim],
    }
    return config.model_copy(update=chosen)


def refusal_of(config: ReducedConfig, inputs: ModelInputs) -> str | None:
    """Why settings do not serve sources; None if they do."""
    try:
        resolved(config, inputs)
    except RecipeError as error:
        return str(error)
    return None


def _largest_sides(inputs: ModelInputs) -> tuple[float, ...] | None:
    """Largest side of all boxes along each of their axes; None where no dataset is known."""
    columns, trained = inputs.columns, inputs.trained
    known = dict(columns.constants)
    if trained is not None:
        known |= {
            name: most for name, (_, most) in zip(columns.names, trained.sources, strict=True)
        }
    names = [name for name in SIZES if name.startswith("dimension_")][: columns.dim]
    found = tuple(known.get(name, 0.0) for name in names)
    return found if min(found) > 0 else None
