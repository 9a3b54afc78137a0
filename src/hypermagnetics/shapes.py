"""Names of the array shapes, used by every signature.

`sources` counts rows of a source table, `columns` its columns, `points` points of evaluation,
`samples` the samples of one block and `dim` the space dimension.
"""

from jaxtyping import Array, Float, Int, Key, UInt32

SourceTable = Float[Array, "sources columns"]
SourceTables = Float[Array, "samples sources columns"]
NumSources = Int[Array, " samples"]
Points = Float[Array, "points dim"]
Potential = Float[Array, " points"]
Field = Float[Array, "points dim"]
BlockPotential = Float[Array, "samples points"]
BlockField = Float[Array, "samples points dim"]
AnyKey = Key[Array, ""] | UInt32[Array, "2"]
"""A random key of the new or the old style."""
