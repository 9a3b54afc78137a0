"""Inputs of a network from a source table: dimensionless numbers of order 1."""

from typing import Literal, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float
from pydantic import model_validator

from hypermagnetics.config import Config, Positive, refusal
from hypermagnetics.errors import RecipeError
from hypermagnetics.shapes import SourceTable
from hypermagnetics.table import (
    QUATERNION,
    SIZES,
    SourceColumns,
    applied_names,
    shares_applied_field,
)

ValuesAs = Literal["linear", "asinh"]
"""Meaning of a network's value u: the potential is scale * u, or scale * sinh(u)."""

MomentUnit = Literal["dataset", "sample"]
"""Unit of the moments: one for all configurations, or one for each."""

Outside = Literal["exact", "warn", "raise", "ignore"]
"""Treatment of pairs of source and point outside of a model's domain: their exact values are taken;
or the model's own, with a warning; or none, but an error; or the model's own."""

_Column = Float[Array, "sources 1"]


class Scales(Config):
    """Scales: the physical value of one unit inside the network."""

    length: Positive = 1.0
    """[m]"""
    moment: Positive = 1.0
    """[A m²]; in two dimensions [A m]."""
    potential: Positive = 1.0
    """[A]"""


class TrainedRange(Config):
    """Ranges of the values seen in training."""

    sources: tuple[tuple[float, float], ...]
    """Least and largest value of each column of the source table."""
    points: tuple[tuple[float, float], ...]
    """Least and largest coordinate of the points along each axis [m]."""


class ModelInputs(Config):
    """Inputs of a model: the source table of its dataset, and its normalisation."""

    columns: SourceColumns = SourceColumns.of("dipole", dim=2)
    """The source table."""
    trained: TrainedRange | None = None
    """Ranges of the values seen in training, if known."""
    scales: Scales = Scales()
    values: ValuesAs = "linear"
    """Meaning of the network's values."""
    moment: MomentUnit = "dataset"
    """Unit of the moments."""
    outside: Outside = "exact"
    """Treatment of sources and points outside of the domain; "warn" by default for soft bodies,
    which have no exact values of pairs."""

    @model_validator(mode="after")
    def _fits_soft_bodies(self) -> "ModelInputs":
        if self.columns.is_soft:
            if "outside" not in self.model_fields_set:
                self.__dict__["outside"] = "warn"
            if self.outside == "exact":
                rule = 'be "warn", "raise" or "ignore" of soft bodies, of which no pair is exact'
                raise refusal("outside", rule, self.outside)
            if self.moment == "sample" and shares_applied_field(self.columns):
                rule = 'be "dataset" where all bodies share one applied field, which no unit scales'
                raise refusal("moment", rule, self.moment)
        return self

    @property
    def dim(self) -> int:
        """Space dimension."""
        return self.columns.dim

    @property
    def is_normalised_beyond_scales(self) -> bool:
        """Whether normalisation goes beyond factors shared by all configurations."""
        return (self.values, self.moment) != ("linear", "dataset")

    @property
    def moments_of_linear(self) -> tuple[str, ...]:
        """The moment columns, for a model that would be linear in them with no normalisation.

        A unit of the moments of each configuration keeps it linear; values as asinh do not.
        """
        return self.columns.names[: self.dim] if self.values == "linear" else ()

    @property
    def shape_size(self) -> int:
        """Number of features in `NetworkInputs.shape`."""
        width = {"angle": 2, QUATERNION[0]: 9, "body": len(self.columns.codes)}
        width |= dict.fromkeys(QUATERNION[1:], 0)
        return sum(width.get(name, 1) for name in self.columns.shape_names)


def refuse_exact_pairs(outside: Outside) -> None:
    """Refuse exact values of the pairs outside of the domain of a model of soft bodies.

    Raises:
        RecipeError: If they are wanted.
    """
    if outside == "exact":
        raise RecipeError(
            "outside must be 'warn', 'raise' or 'ignore' for a model of soft bodies, which answer "
            "to each other, so that a pair of source and point alone has no exact value; got "
            "'exact' (outside). Take 'warn'."
        )


def refuse_sums_of_soft_bodies(columns: SourceColumns, model: str) -> None:
    """Refuse soft bodies for a model that is a sum over sources.

    Args:
        columns: Columns of its source tables.
        model: Name of the model, for the message.

    Raises:
        RecipeError: If they are soft.
    """
    if columns.is_soft:
        raise RecipeError(
            "The model of soft bodies must be no sum over sources, as they answer to each other; "
            f"got {model}, which adds them up (model.name). Take 'hyper_mlp'."
        )


class NetworkInputs(NamedTuple):
    """The sources of one configuration, as network inputs."""

    moment: Float[Array, "sources dim"]
    position: Float[Array, "sources dim"]
    shape: Float[Array, "sources features"]
    """Sizes, rotation, susceptibility, applied field and kind of body."""


def read_rows(inputs: ModelInputs, sources: SourceTable) -> NetworkInputs:
    """Convert the columns of a source table to network inputs.

    Moments and lengths are divided by their scales. A rectangle is the same after half a turn, so
    its angle a is read as cos 2a and sin 2a. The quaternions q and -q are one rotation, so the
    entries of its matrix, quadratic in q, are read. The code of a body is read as one number for
    each body: 1 for its own, 0 for the others. All are finite for a padding row.

    A susceptibility chi is read as chi / (chi + d) in d dimensions, the magnetisation of a ball in
    a uniform field as a share of that at infinite chi: it goes from 0 to 1, and changes as little
    as the field does from chi = 100 to 1000. An applied field is read in the scale of the moments
    over the scale of the lengths to the power of d, the unit of a magnetisation.

    Args:
        inputs: Columns and scales.
        sources: Rows in physical units.

    Returns:
        The features.
    """
    dim, scales = inputs.dim, inputs.scales
    rest = sources[:, 2 * dim :]
    column = {name: rest[:, i : i + 1] for i, name in enumerate(inputs.columns.shape_names)}
    lengths = [column[name] for name in SIZES if name in column]
    features = [sources[:, :0], *(length / scales.length for length in lengths)]
    if "angle" in column:
        features += [jnp.cos(2 * column["angle"]), jnp.sin(2 * column["angle"])]
    if QUATERNION[0] in column:
        features.append(_rotation_matrix(*(column[name] for name in QUATERNION)))
    if "susceptibility" in column:
        chi = column["susceptibility"]
        features.append(chi / (chi + dim))
    features += [
        column[name] * (scales.length**dim / scales.moment)
        for name in applied_names(inputs.columns)
    ]
    if "body" in column:
        codes = jnp.asarray(inputs.columns.codes, sources.dtype)[None]
        features.append((column["body"] == codes).astype(sources.dtype))
    return NetworkInputs(
        sources[:, :dim] / scales.moment,
        sources[:, dim : 2 * dim] / scales.length,
        jnp.concatenate(features, axis=-1),
    )


def _rotation_matrix(w: _Column, x: _Column, y: _Column, z: _Column) -> Float[Array, "sources 9"]:
    """Rotation matrix row by row, without a division; zeros for a row without rotation."""
    entries = (
        *(w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z),
    )
    return jnp.concatenate(entries, axis=-1)
