"""Stored derivatives of potential or field by columns of the sources: their declaration."""

import json
from typing import Annotated, Literal

from pydantic import Field

from hypermagnetics.config import Config
from hypermagnetics.data.layout import MOST_COMPONENTS, DeclaredArray, SampleSize
from hypermagnetics.data.manifest import Manifest

DERIVATIVES = "derivatives"
"""Name of the array, and of its table in a recipe."""

# Not strict: the list of a recipe is one of Python behind a validator of a whole table.
_Names = Annotated[tuple[str, ...], Field(min_length=1, strict=False)]


class DerivativesConfig(Config):
    """Derivatives that are stored beside potential and field, exact from the closed forms."""

    columns: _Names
    """Columns by which is differentiated: "moment", "position", "size", "rotation", or names of
    columns that vary. They are the parameters of the array `derivatives`, source by source."""
    of: Literal["potential", "field"] = "potential"
    """Quantity that is differentiated: "potential" or "field"."""


def declaration(config: DerivativesConfig, size: SampleSize, parameters: int) -> DeclaredArray:
    """The array of derivatives, as a layout declares it.

    Args:
        config: Columns and quantity.
        size: Sizes of a sample.
        parameters: Number of parameters of a source.

    Returns:
        The declaration, with the parameters as last axis.
    """
    count = size.max_sources * parameters
    axes, shape = ["point"], [size.num_points]
    if config.of == "field":
        axes, shape = [*axes, "axis"], [*shape, size.dim]
    return DeclaredArray(
        name=DERIVATIVES,
        item_shape=(*shape, count),
        dimensions=(*axes, "parameter"),
        unit=("A" if config.of == "potential" else "A/m") + " by the unit of the column",
        components="parameter" if count <= MOST_COMPONENTS else None,
    )


def derivatives_of(manifest: Manifest) -> DerivativesConfig | None:
    """Columns and quantity of the stored derivatives of a generated dataset; None without any."""
    found = manifest.recipe.get(DERIVATIVES)
    return None if found is None else DerivativesConfig.model_validate_json(json.dumps(found))
