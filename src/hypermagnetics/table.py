"""The source table: its bodies, columns, units and padding; by numpy alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float

from hypermagnetics.errors import SourceError

BodyName = Literal["dipole", "disc", "rectangle", "sphere", "cuboid"]
BODIES: tuple[BodyName, ...] = get_args(BodyName)
"""All bodies; the position of a name is its code in a `body` column."""

DIMENSIONS: dict[BodyName, tuple[int, ...]] = {
    "dipole": (2, 3),
    "disc": (2,),
    "rectangle": (2,),
    "sphere": (3,),
    "cuboid": (3,),
}
"""Space dimensions in which each body exists."""

_SIDES = ("dimension_x", "dimension_y", "dimension_z")
QUATERNION = ("rotation_w", "rotation_x", "rotation_y", "rotation_z")

SHAPES: dict[BodyName, tuple[str, ...]] = {
    "dipole": (),
    "disc": ("radius",),
    "rectangle": (*_SIDES[:2], "angle"),
    "sphere": ("radius",),
    "cuboid": (*_SIDES, *QUATERNION),
}
"""Parameters of each body beside moment and position."""

SIZES = ("radius", *_SIDES)
"""Lengths that must be greater than zero [m]."""

ROTATION_COLUMNS = ("angle", *QUATERNION)
"""Columns that turn a body."""

UNIT_TOLERANCE = 1e-5
"""Tolerance of the norm of a quaternion about 1; float32 leaves 1e-7."""

APPLIED = ("applied_x", "applied_y", "applied_z")
"""Components of the uniform applied field at the place of a row [A/m]."""

RESPONSE_COLUMNS = ("susceptibility", *APPLIED)
"""Columns of soft bodies, whose magnetisation answers to the field: the susceptibility chi [1], 0
of a hard magnet, and the applied field."""

SHAPE_COLUMNS = (*SIZES, *ROTATION_COLUMNS, *RESPONSE_COLUMNS, "body")
"""All possible columns behind moment and position, in their order."""

LENGTHS = ("position_x", "position_y", "position_z", *SIZES)
"""Columns that are lengths [m]."""

_UNTURNED = {"angle": 0.0, **dict(zip(QUATERNION, (1.0, 0.0, 0.0, 0.0), strict=True))}


@dataclass(frozen=True)
class SourceColumns:
    """Layout of a source table: its bodies, its columns, and the values shared by all rows.

    The columns are the components of moment and position, then the sizes, the rotation and the
    code of the body, as far as they differ from row to row. What a row's body has no use for is
    zero.

    A table of soft bodies has the column `susceptibility` before the code, also where all rows
    share it, so that padding is known by it; and with it the components of the applied field, as
    columns or constants. There the moment is the remanent one: M = chi H + moment / volume.
    """

    dim: int
    """Space dimension."""
    bodies: tuple[BodyName, ...]
    """Bodies that occur; with more than one, the column `body` holds the body of each row."""
    names: tuple[str, ...]
    constants: tuple[tuple[str, float], ...] = ()
    """Sizes, rotation and applied field that all rows share, by name."""

    def __post_init__(self) -> None:
        _check_bodies(self.dim, self.bodies)
        if len(set(self.names)) != len(self.names) or self.names[: 2 * self.dim] != vectors(
            self.dim
        ):
            raise SourceError(
                f"The columns of a source table must begin with {', '.join(vectors(self.dim))}, "
                f"each once; got {', '.join(self.names)}. Use these names in this order."
            )
        needed = {name for body in self.bodies for name in SHAPES[body]}
        needed |= {"body"} if len(self.bodies) > 1 else set()
        needed |= set(_response(self.dim)) if self.is_soft else set()
        given = [*self.shape_names, *(name for name, _ in self.constants)]
        if sorted(given) != sorted(needed):
            raise SourceError(
                f"The columns and constants of {', '.join(self.bodies)} must be "
                f"{_listed(needed)}, each once; got {_listed(given)}. Give exactly these."
            )
        _check_constants(dict(self.constants))

    @classmethod
    def described(
        cls,
        dim: int,
        bodies: Mapping[str, int],
        names: tuple[str, ...],
        constants: Mapping[str, float],
    ) -> "SourceColumns":
        """Columns described by a dataset.

        Args:
            dim: Space dimension.
            bodies: Names of the bodies that occur, with their codes in the column `body`.
            names: Names of the columns.
            constants: Sizes and rotation that all rows share.

        Returns:
            The columns.

        Raises:
            SourceError: If this release does not know such sources.
        """
        known: dict[str, int] = {body: code for code, body in enumerate(BODIES)}
        found = tuple(body for body in BODIES if bodies.get(body) == known[body])
        if len(found) != len(bodies):
            raise SourceError(
                f"The bodies of a dataset, with their codes, must be some of {_coded(known)}; got "
                f"{_coded(bodies)}. Read it with the release of hypermagnetics that wrote it."
            )
        return cls(dim, found, names, tuple(constants.items()))

    @classmethod
    def of(
        cls,
        *bodies: BodyName,
        dim: int | None = None,
        varying: Iterable[str] = (),
        constants: Mapping[str, float | int] | None = None,
    ) -> "SourceColumns":
        """Put the columns in their order.

        Args:
            bodies: One or more names of bodies.
            dim: Space dimension; may be left out unless all bodies are dipoles.
            varying: Names of sizes, rotation, susceptibility and applied field that have a column.
            constants: Values of those that all rows share; rotation is none if not given, and of
                soft bodies the applied field is 0.

        Returns:
            The columns.

        Raises:
            SourceError: If the bodies do not exist together, or a size is missing.

        Examples:
            >>> SourceColumns.of("disc", constants={"radius": 1.0}).names
            ('moment_x', 'moment_y', 'position_x', 'position_y')
            >>> SourceColumns.of("disc", varying=["radius"]).names[4:]
            ('radius',)
            >>> SourceColumns.of("disc", varying=["radius", "susceptibility"]).is_soft
            True
        """
        if dim is None:
            known = [DIMENSIONS[body] for body in bodies if body in DIMENSIONS]
            single = [dims[0] for dims in known if len(dims) == 1]
            dim = single[0] if single else 2
        _check_bodies(dim, bodies)
        wanted = set(varying) | ({"body"} if len(bodies) > 1 else set())
        fixed = {name: float(value) for name, value in (constants or {}).items()}
        for body in bodies:
            for name in SHAPES[body]:
                if name in _UNTURNED and name not in wanted:
                    fixed.setdefault(name, _UNTURNED[name])
        if "susceptibility" in wanted:
            for name in _applied(dim):
                if name not in wanted:
                    fixed.setdefault(name, 0.0)
        unknown = sorted((wanted | set(fixed)) - set(SHAPE_COLUMNS))
        names = [name for name in SHAPE_COLUMNS if name in wanted] + unknown
        ordered = tuple((name, fixed[name]) for name in SHAPE_COLUMNS if name in fixed)
        return cls(dim, tuple(bodies), (*vectors(dim), *names), ordered)

    @classmethod
    def with_all_varying(cls, dim: int, *bodies: BodyName) -> "SourceColumns":
        """Columns with one for each size and rotation.

        Args:
            dim: Space dimension.
            bodies: Names of bodies; all that exist in the dimension if none are given.

        Returns:
            The columns.

        Raises:
            SourceError: If the bodies do not exist together.
        """
        chosen = bodies or tuple(body for body in BODIES if dim in DIMENSIONS[body])
        _check_bodies(dim, chosen)
        return cls.of(*chosen, dim=dim, varying={n for body in chosen for n in SHAPES[body]})

    @property
    def units(self) -> tuple[str, ...]:
        """Unit of each column."""
        moment = "A m" if self.dim == 2 else "A m^2"
        return tuple(
            moment
            if name.startswith("moment")
            else "rad"
            if name == "angle"
            else "1"
            if name in ("body", "susceptibility", *QUATERNION)
            else "A/m"
            if name in APPLIED
            else "m"
            for name in self.names
        )

    @property
    def size(self) -> int:
        """Number of columns."""
        return len(self.names)

    @property
    def shape_names(self) -> tuple[str, ...]:
        """Names of the columns behind moment and position."""
        return self.names[2 * self.dim :]

    @property
    def is_soft(self) -> bool:
        """Whether there is a column of susceptibilities: bodies may answer to each other."""
        return self.has("susceptibility")

    @property
    def hard(self) -> "SourceColumns":
        """The columns without susceptibility and applied field: those of the remanent moments."""
        names = tuple(name for name in self.names if name not in RESPONSE_COLUMNS)
        constants = tuple(pair for pair in self.constants if pair[0] not in RESPONSE_COLUMNS)
        return SourceColumns(self.dim, self.bodies, names, constants)

    @property
    def codes(self) -> tuple[int, ...]:
        """Codes of the bodies in the column `body`; none if there is no such column."""
        return tuple(map(BODIES.index, self.bodies)) if self.has("body") else ()

    def index(self, name: str) -> int:
        """The position of a column."""
        return self.names.index(name)

    def has(self, name: str) -> bool:
        """Whether there is such a column."""
        return name in self.names

    def constant(self, name: str) -> float:
        """Value of a size, a rotation or an applied field shared by all rows."""
        return dict(self.constants)[name]


def source_rows(columns: SourceColumns, table: Float[Any, "*rows columns"]) -> Bool[Any, "*rows"]:
    """Mask of the sources: rows of any moment or of a susceptibility. All others are padding.

    Args:
        columns: Columns of `table`.
        table: Source tables, or rows of them, of numpy or of JAX.

    Returns:
        Booleans, of the same library.
    """
    has_moment = nonzero(table[..., : columns.dim])
    if not columns.is_soft:
        return has_moment
    return has_moment | (table[..., columns.index("susceptibility")] != 0)


def nonzero(vectors: Float[Any, "*rows dim"]) -> Bool[Any, "*rows"]:
    """Mask of the vectors other than 0: of moments, those that are sources whatever the body.

    Args:
        vectors: Vectors of numpy or of JAX.

    Returns:
        Booleans, of the same library.
    """
    return (vectors != 0).any(axis=-1)


def hard_table(
    columns: SourceColumns, table: Float[Any, "*rows columns"]
) -> Float[Any, "*rows hard_columns"]:
    """Source tables in the columns `columns.hard`: the remanent moments alone.

    Args:
        columns: Columns of `table`.
        table: Source tables, or rows of them, of numpy or of JAX.

    Returns:
        The tables without susceptibility and applied field, of the same library and type. A soft
        body without remanence is padding there.
    """
    if not columns.is_soft:
        return table
    return table[..., np.array([columns.index(name) for name in columns.hard.names])]


def susceptibility(
    columns: SourceColumns, table: Float[Any, "*rows columns"]
) -> Float[Any, "*rows"]:
    """Susceptibility chi of each row, in M = chi H + moment / volume; 0 of hard magnets.

    Args:
        columns: Columns of `table`.
        table: Source tables, or rows of them, of numpy or of JAX.

    Returns:
        Numbers, of the same library and type.
    """
    if columns.is_soft:
        return table[..., columns.index("susceptibility")]
    return table.__array_namespace__().zeros_like(table[..., 0])


def applied_field(
    columns: SourceColumns, table: Float[Any, "*rows columns"]
) -> Float[Any, "*rows dim"]:
    """Uniform applied field at the place of each row [A/m]; 0 where the columns have none.

    Args:
        columns: Columns of `table`.
        table: Source tables, or rows of them, of numpy or of JAX.

    Returns:
        Vectors, of the same library and type. Padding has the field that all rows share, if any.
    """
    space, constants = table.__array_namespace__(), dict(columns.constants)
    parts = [
        table[..., columns.index(name)]
        if columns.has(name)
        else space.full_like(table[..., 0], constants.get(name, 0.0))
        for name in _applied(columns.dim)
    ]
    return space.stack(parts, axis=-1)


def shares_applied_field(columns: SourceColumns) -> bool:
    """Whether all rows share a component of the applied field other than 0."""
    return any(value != 0 for name, value in columns.constants if name in APPLIED)


def applied_names(columns: SourceColumns) -> tuple[str, ...]:
    """Names of the columns of the applied field, as far as it differs from row to row."""
    return tuple(name for name in _applied(columns.dim) if columns.has(name))


def refuse_soft(columns: SourceColumns, what: str) -> None:
    """Refuse a table of soft bodies where the sum of single sources is meant as the truth.

    Args:
        columns: Columns of the table.
        what: The sum, such as "A sum over sources".

    Raises:
        SourceError: If there is a column of susceptibilities.
    """
    if columns.is_soft:
        raise SourceError(
            f"{what} must be of hard magnets, as soft bodies answer to each other and do not add "
            "up; got a source table with the column susceptibility. Take "
            "sources.solve_magnetisation, or table.hard_table for the remanent moments alone."
        )


def is_body(
    columns: SourceColumns, body: BodyName, rows: Float[Any, "*rows columns"]
) -> Bool[Any, "*rows"]:
    """Mask of the rows of this body, by the column `body`; all rows where it is the only one.

    Args:
        columns: Columns of `rows`.
        body: One of its bodies.
        rows: Source tables, or rows of them, of numpy or of JAX. Padding reads like a body.

    Returns:
        Booleans, of the same library.
    """
    if columns.has("body"):
        return rows[..., columns.index("body")] == BODIES.index(body)
    return rows.__array_namespace__().ones(rows.shape[:-1], bool)


def vectors(dim: int) -> tuple[str, ...]:
    """Leading columns of every source table."""
    return tuple(f"{name}_{axis}" for name in ("moment", "position") for axis in "xyz"[:dim])


def _applied(dim: int) -> tuple[str, ...]:
    return APPLIED[:dim]


def _response(dim: int) -> tuple[str, ...]:
    return ("susceptibility", *_applied(dim))


def _check_bodies(dim: int, bodies: tuple[BodyName, ...]) -> None:
    unknown = [body for body in bodies if body not in BODIES]
    if unknown or not bodies or len(set(bodies)) != len(bodies):
        raise SourceError(
            f"The bodies of a source table must be some of {', '.join(BODIES)}, each once; got "
            f"{', '.join(map(repr, bodies)) or 'none'}. Choose from these."
        )
    for body in bodies:
        if dim not in DIMENSIONS[body]:
            raise SourceError(
                f"All bodies of a source table must exist in {dim} dimensions; got {body!r}. "
                "Mix discs with rectangles, or spheres with cuboids, and dipoles with either."
            )


def _check_constants(constants: Mapping[str, float]) -> None:
    for name, value in constants.items():
        if not np.isfinite(value) or (name in SIZES and not value > 0):
            raise SourceError(
                f"{name} must be finite{' and greater than 0' if name in SIZES else ''}; got "
                f"{value} (a constant of the source table). Give it in {_unit_in_words(name)}."
            )
    shared = [name for name in QUATERNION if name in constants]
    if shared and len(shared) < len(QUATERNION):
        raise SourceError(
            f"The components of a quaternion must all be columns, or all be constants; got "
            f"only {', '.join(shared)} as constants. Give all four as columns, or as constants."
        )
    norm = float(np.linalg.norm([constants[name] for name in shared]))
    if shared and not abs(norm - 1) <= UNIT_TOLERANCE:
        raise SourceError(
            f"A rotation must be a quaternion of norm 1; got norm {norm:.6g} (a constant of the "
            "source table). Divide it by its norm."
        )


def _unit_in_words(name: str) -> str:
    return "A/m" if name in APPLIED else "metres or radians"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _coded(bodies: Mapping[str, int]) -> str:
    return ", ".join(f"{body}={code}" for body, code in bodies.items())
