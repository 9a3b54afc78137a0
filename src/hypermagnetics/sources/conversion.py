"""Source tables in the columns of other tables, which describe the same sources."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from jaxtyping import Float

from hypermagnetics.errors import SourceError
from hypermagnetics.table import (
    BODIES,
    RESPONSE_COLUMNS,
    SHAPES,
    BodyName,
    SourceColumns,
    is_body,
    source_rows,
)


class Misfit(NamedTuple):
    """Reason why some columns cannot describe the sources of a dataset."""

    rule: str
    """The rule, after "must"."""
    got: str


def misfit(columns: SourceColumns, wanted: SourceColumns) -> Misfit | None:
    """The first thing of some sources that other columns cannot describe.

    Args:
        columns: Columns of the sources.
        wanted: The other columns.

    Returns:
        The reason; None if they describe all of it.
    """
    if wanted.dim != columns.dim:
        return Misfit(
            f"read source tables like those of the dataset, of {columns.dim} dimensions and "
            f"{columns.size} columns",
            f"{wanted.dim} dimensions and {wanted.size} columns",
        )
    known, own = dict(wanted.constants), {n for body in columns.bodies for n in SHAPES[body]}
    own |= {*RESPONSE_COLUMNS}
    unread = [body for body in columns.bodies if body not in wanted.bodies]
    if unread:
        return Misfit(
            f"know all bodies of the dataset, {', '.join(columns.bodies)}",
            f"one trained without {', '.join(unread)}",
        )
    if any(columns.has(name) and not wanted.has(name) for name in own):
        return Misfit(
            f"read the columns of the dataset, {', '.join(columns.names)}",
            ", ".join(wanted.names),
        )
    for name, value in columns.constants:
        if known.get(name, value) != value:
            return Misfit(
                f"be for sources like the dataset's, of {name} {value:g}",
                f"one for {name} {known[name]:g}",
            )
    return None


def converted(
    columns: SourceColumns, wanted: SourceColumns, tables: Float[Any, "*rows columns"]
) -> Float[Any, "*rows wanted_columns"]:
    """Source tables in other columns: the same sources, of the same exact fields.

    A size or rotation that all rows shared becomes a column, the code of the only body too;
    columns of other bodies are zero. So are all new columns of padding, and the susceptibility of
    sources that were hard.

    Args:
        columns: Columns of the tables.
        wanted: Columns of the result; more bodies, and more columns in place of constants.
        tables: Source tables, or rows of them, of numpy or of JAX.

    Returns:
        The tables, of the same library and type.

    Raises:
        SourceError: If the wanted columns cannot describe the sources.

    Examples:
        >>> import numpy as np
        >>> discs = SourceColumns.of("disc", constants={"radius": 0.5})
        >>> mixed = SourceColumns.of("dipole", "disc", varying=["radius"])
        >>> converted(discs, mixed, np.array([[1.0, 0, 2, 3], [0, 0, 0, 0]]))
        array([[1. , 0. , 2. , 3. , 0.5, 1. ],
               [0. , 0. , 0. , 0. , 0. , 0. ]])
    """
    if found := misfit(columns, wanted):
        raise SourceError(
            f"The columns that a source table is converted to must {found.rule}; got {found.got}. "
            "Convert to columns of the same bodies and more."
        )
    if columns.names == wanted.names:
        return tables
    space = tables.__array_namespace__()
    is_source = source_rows(columns, tables)
    constants, zeros = dict(columns.constants), space.zeros_like(tables[..., 0])

    def column(name: str) -> Any:
        if columns.has(name):
            return tables[..., columns.index(name)]
        if name == "body":
            return filled(float(BODIES.index(columns.bodies[0])), columns.bodies)
        return filled(constants.get(name, 0.0), _with_shape(columns, name))

    def filled(value: float, bodies: Iterable[BodyName]) -> Any:
        own = space.zeros_like(is_source)
        for body in bodies:
            own = own | is_body(columns, body, tables)
        return space.where(own & is_source, space.asarray(value, dtype=tables.dtype), zeros)

    return space.stack([column(name) for name in wanted.names], axis=-1)


def _with_shape(columns: SourceColumns, name: str) -> list[BodyName]:
    """Bodies that have a size, a rotation or, as all, an applied field."""
    if name in RESPONSE_COLUMNS:
        return list(columns.bodies)
    return [body for body in columns.bodies if name in SHAPES[body]]
