"""What a network reads of a source table: numbers of order 1 that say the same in any unit."""

from typing import Annotated, Literal, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float
from pydantic import Field, model_validator

from hypermagnetics.config import Config, Positive
from hypermagnetics.errors import SourceError
from hypermagnetics.shapes import SourceTable
from hypermagnetics.table import (
    BODIES,
    QUATERNION,
    SHAPE_COLUMNS,
    SIZES,
    BodyName,
    SourceColumns,
)

ValuesAs = Literal["linear", "asinh"]
"""What a network's value u means: the potential is scale * u, or scale * sinh(u)."""

MomentUnit = Literal["dataset", "sample"]
"""Whether moments are read in one unit for all, or each configuration has its own."""

_Column = Float[Array, "sources 1"]


class Scales(Config):
    """Physical values that are 1 inside a network, so that it works at any scale of length."""

    length: Positive = 1.0
    """[m]"""
    moment: Positive = 1.0
    """[A m²]; in two dimensions [A m]."""
    potential: Positive = 1.0
    """[A]"""


class TrainedRange(Config):
    """The values that a model has seen in training."""

    sources: tuple[tuple[float, float], ...]
    """Least and largest value of each column of the source table."""
    points: tuple[tuple[float, float], ...]
    """Least and largest coordinate of the points along each axis [m]."""


class ModelInputs(Config):
    """What a model reads, fixed by its dataset."""

    dim: Annotated[int, Field(ge=2, le=3)] = 2
    source_size: Annotated[int, Field(ge=4)] = 4
    """Columns of the source table: moment, position, then anything else."""
    columns: tuple[str, ...] = ()
    """Their names. Without them, as in older files, all behind the position are lengths."""
    bodies: tuple[BodyName, ...] = ()
    """Bodies that the rows may be. Not known in older files."""
    constants: tuple[tuple[str, float], ...] = ()
    """Sizes and rotation that all rows share, by name."""
    trained: TrainedRange | None = None
    """What has been seen in training, if known."""
    scales: Scales = Scales()
    values: ValuesAs = "linear"
    """What the network's values mean."""
    moment: MomentUnit = "dataset"
    """The unit in which moments are read."""

    @model_validator(mode="after")
    def _the_columns_can_be_read(self) -> "ModelInputs":
        if self.source_size < 2 * self.dim:
            raise ValueError(f"for at least {2 * self.dim} columns, of moment and position")
        if self.columns and len(self.columns) != self.source_size:
            raise ValueError(f"given {self.source_size} names of columns, or none")
        names = self.shape_columns
        if not set(names) <= set(SHAPE_COLUMNS) or len(set(names)) < len(names):
            raise ValueError(f"for columns among {', '.join(SHAPE_COLUMNS)}, each once")
        if len(set(names) & set(QUATERNION)) not in (0, len(QUATERNION)):
            raise ValueError(f"given a rotation by all of {', '.join(QUATERNION)}")
        if "body" in names and not self.bodies:
            raise ValueError("given the bodies if there is a column 'body'")
        return self

    @property
    def is_normalised_beyond_scales(self) -> bool:
        """Whether there is more to undo than factors that all configurations share."""
        return (self.values, self.moment) != ("linear", "dataset")

    @property
    def shape_columns(self) -> tuple[str, ...]:
        """Names of the columns behind moment and position; none if they are not known."""
        return self.columns[2 * self.dim :]

    @property
    def codes(self) -> tuple[int, ...]:
        """Codes of the bodies in the column `body`, if there is one."""
        return tuple(map(BODIES.index, self.bodies)) if "body" in self.columns else ()

    @property
    def described(self) -> SourceColumns:
        """The columns with their bodies, for exact values.

        Raises:
            SourceError: If the bodies are not known.
        """
        if not self.bodies:
            raise SourceError(
                "The bodies of the sources must be known for exact values; got a model that does "
                "not say them. Train it again on a dataset of the present format."
            )
        return SourceColumns(self.dim, self.bodies, self.columns, self.constants)

    @property
    def shape_size(self) -> int:
        """Number of features in `Rows.shape`."""
        width = {"angle": 2, QUATERNION[0]: 9, "body": len(self.codes)}
        width |= dict.fromkeys(QUATERNION[1:], 0)
        known = sum(width.get(name, 1) for name in self.shape_columns)
        return known if self.columns else self.source_size - 2 * self.dim


class Rows(NamedTuple):
    """The sources of one configuration, as a network reads them."""

    moment: Float[Array, "sources dim"]
    position: Float[Array, "sources dim"]
    shape: Float[Array, "sources features"]
    """Sizes, rotation and kind of body."""


def read_rows(inputs: ModelInputs, sources: SourceTable) -> Rows:
    """Bring the columns of a source table to a form that a network can read.

    Moments and lengths are divided by their scales. A rectangle is the same after half a turn, so
    its angle a is read as cos 2a and sin 2a. The quaternions q and -q are one rotation, so the
    entries of its matrix, quadratic in q, are read. The code of a body is read as one number for
    each body: 1 for its own, 0 for the others. All are finite for a padding row.

    Args:
        inputs: What the columns are, and the scales.
        sources: Rows in physical units.

    Returns:
        The features.
    """
    dim, scales = inputs.dim, inputs.scales
    rest = sources[:, 2 * dim :]
    column = {name: rest[:, i : i + 1] for i, name in enumerate(inputs.shape_columns)}
    lengths = [column[name] for name in SIZES if name in column] if inputs.columns else [rest]
    features = [sources[:, :0], *(length / scales.length for length in lengths)]
    if "angle" in column:
        features += [jnp.cos(2 * column["angle"]), jnp.sin(2 * column["angle"])]
    if QUATERNION[0] in column:
        features.append(_rotation_matrix(*(column[name] for name in QUATERNION)))
    if "body" in column:
        codes = jnp.asarray(inputs.codes, sources.dtype)[None]
        features.append((column["body"] == codes).astype(sources.dtype))
    return Rows(
        sources[:, :dim] / scales.moment,
        sources[:, dim : 2 * dim] / scales.length,
        jnp.concatenate(features, axis=-1),
    )


def _rotation_matrix(w: _Column, x: _Column, y: _Column, z: _Column) -> Float[Array, "sources 9"]:
    """The matrix row by row, without a division: zeros for a row that has no rotation."""
    entries = (
        *(w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z),
    )
    return jnp.concatenate(entries, axis=-1)
