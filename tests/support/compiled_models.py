"""Potential and field of a model as one compiled program each.

Called as they are, models run operation by operation, and each operation of each shape is compiled
on its own: a hundred small programs instead of one.
"""

import equinox as eqx

from hypermagnetics.models import Model
from hypermagnetics.shapes import Field, Points, Potential, SourceTable


@eqx.filter_jit
def potential(model: Model, sources: SourceTable, points: Points) -> Potential:
    """The potential of one configuration."""
    return model(sources, points)


@eqx.filter_jit
def field(model: Model, sources: SourceTable, points: Points) -> Field:
    """The field of one configuration."""
    return model.field(sources, points)
