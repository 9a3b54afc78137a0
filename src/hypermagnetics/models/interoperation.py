"""Models as magpylib sources."""

import warnings
from typing import Any

import numpy as np
from jaxtyping import Float64

from hypermagnetics.arrays import Numbers
from hypermagnetics.models.model import MU_0, Model
from hypermagnetics.models.ranges import OutOfRangeWarning
from hypermagnetics.shapes import Field as FieldValues
from hypermagnetics.shapes import Points
from hypermagnetics.sources import magnetisation
from hypermagnetics.sources.arguments import jax_arrays
from hypermagnetics.sources.checks import refuse_bad_tables
from hypermagnetics.sources.interoperation import import_magpylib

_Vectors = Float64[np.ndarray, "points 3"]


def as_magpylib_source(model: Model, sources: Numbers) -> Any:
    """Make a magpylib source of a model and a configuration.

    It mixes with magpylib's own sources in collections, sensors and pictures, and gives all four
    fields B [T], H [A/m], J [T] and M [A/m]. B and H are those of `model.flux_density` and
    `model.field`, in float32 unless JAX is set to float64; M inside the bodies is exact, and
    J = mu_0 M. Position and orientation, at first zero, move and turn the configuration as a whole.

    A model in two dimensions is that of bodies infinitely long along z: the observers' x and y, in
    the frame of the source, are used, and no field has a z component.

    magpylib asks for all observers of a call at once.

    Args:
        model: The model.
        sources: Rows [moment, position, ...] with the columns of the model, in [A m²], in two
            dimensions [A m], and [m].

    Returns:
        A `magpylib.misc.CustomSource`.

    Raises:
        SourceError: If the sources have another number of columns than the model reads, or a row
            is no source.
        HypermagneticsError: If magpylib is not installed.
    """
    magpylib = import_magpylib()
    (table,), columns = jax_arrays(sources=sources), model.inputs.columns
    refuse_bad_tables(columns, table)

    def at(field: str, points: Points) -> FieldValues | np.ndarray:
        match field:
            case "B":
                return model.flux_density(table, points)
            case "H":
                return model.field(table, points)
        inside = np.asarray(magnetisation(columns, table, points))
        return inside if field == "M" else MU_0 * inside

    def in_space(field: str, observers: _Vectors) -> _Vectors:
        found = np.zeros(observers.shape, np.float64)
        found[:, : model.dim] = at(field, *jax_arrays(points=observers[:, : model.dim]))
        return found

    with warnings.catch_warnings():
        # magpylib tries the function at points of its own.
        warnings.simplefilter("ignore", OutOfRangeWarning)
        return magpylib.misc.CustomSource(
            # magpylib looks at the names of the arguments, which type checking at run time hides.
            field_func=lambda field, observers: in_space(field, np.asarray(observers, np.float64)),
            style_label=f"{type(model).__name__}, {len(table)} sources",
        )
