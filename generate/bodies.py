"""Bodies in a recipe, and the sampling of their sizes and rotations."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple, assert_never

import numpy as np
from jaxtyping import Float32, Float64, Int64
from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from hypermagnetics.config import Config, refusal
from hypermagnetics.sources import BODIES, SourceColumns
from hypermagnetics.sources.distributions import (
    BoxChoice,
    Length,
    Sizes,
    Susceptibilities,
    Susceptibility,
    UniformAngle,
    UniformRotation,
)
from hypermagnetics.table import APPLIED, DIMENSIONS, SHAPES, UNIT_TOLERANCE


def _unit(quaternion: tuple[float, ...]) -> tuple[float, ...]:
    norm = float(np.linalg.norm(quaternion))
    if not abs(norm - 1) <= UNIT_TOLERANCE:
        raise ValueError(f"a quaternion of norm 1, not of norm {norm:.6g}")
    return quaternion


# A number or a list is the same for all bodies; a table says how to draw one for each.
_ONE_OR_DRAWN = Discriminator(
    lambda value: "drawn" if isinstance(value, Mapping | Config) else "one for all"
)
_One, _Drawn = Tag("one for all"), Tag("drawn")
_Sizes = Annotated[Sizes, _Drawn]
_Pair = Annotated[tuple[Length, ...], Field(min_length=2, max_length=2)]
_Triple = Annotated[tuple[Length, ...], Field(min_length=3, max_length=3)]
_Quaternion = Annotated[tuple[float, ...], Field(min_length=4, max_length=4), AfterValidator(_unit)]
_Boxes = Annotated[Sizes | BoxChoice, Field(discriminator="distribution")]
_DrawnSides = Annotated[_Boxes, _Drawn]
_Share = Annotated[float, Field(gt=0, lt=1)] | None
_Count = Annotated[int, Field(ge=1, le=100_000)] | None
_Susceptibility = (
    Annotated[Annotated[Susceptibility, _One] | Annotated[Susceptibilities, _Drawn], _ONE_OR_DRAWN]
    | None
)
_Remanence = Literal["none", "drawn"]


class DipoleConfig(Config):
    """Point dipoles."""

    kind: Literal["dipole"]
    """Kind of body: point dipoles, in two or three dimensions."""
    dim: Literal[2, 3] = 2
    """Space dimension: 2 or 3."""
    share: _Share = None
    """Share of the sources that are this body, in a mix alone; of those that no `count` takes; null
    for equal shares."""
    count: _Count = None
    """Number of sources of each sample that are this body, in a mix alone: its first rows, in the
    order of the bodies; null for a share of the rest."""


class DiscConfig(Config):
    """Discs, in two dimensions."""

    kind: Literal["disc"]
    """Kind of body: discs, in two dimensions."""
    radius: Annotated[Annotated[Length, _One] | _Sizes, _ONE_OR_DRAWN]
    """Radius [m]: a number for all, or a table by which one is drawn for each."""
    share: _Share = None
    """Share of the sources that are this body, in a mix alone; of those that no `count` takes; null
    for equal shares."""
    count: _Count = None
    """Number of sources of each sample that are this body, in a mix alone: its first rows, in the
    order of the bodies; null for a share of the rest."""
    susceptibility: _Susceptibility = None
    """Susceptibility chi [1] in M = chi H + moment / volume: a number for all, or a table by which
    one is drawn for each; null for hard magnets, whose magnetisation stays."""
    remanence: _Remanence = "none"
    """Moments of soft bodies without a field: "none", or "drawn" as those of hard magnets."""


class SphereConfig(Config):
    """Spheres."""

    kind: Literal["sphere"]
    """Kind of body: spheres."""
    radius: Annotated[Annotated[Length, _One] | _Sizes, _ONE_OR_DRAWN]
    """Radius [m]: a number for all, or a table by which one is drawn for each."""
    share: _Share = None
    """Share of the sources that are this body, in a mix alone; of those that no `count` takes; null
    for equal shares."""
    count: _Count = None
    """Number of sources of each sample that are this body, in a mix alone: its first rows, in the
    order of the bodies; null for a share of the rest."""
    susceptibility: _Susceptibility = None
    """Susceptibility chi [1] in M = chi H + moment / volume: a number for all, or a table by which
    one is drawn for each; null for hard magnets, whose magnetisation stays."""
    remanence: _Remanence = "none"
    """Moments of soft bodies without a field: "none", or "drawn" as those of hard magnets."""


class RectangleConfig(Config):
    """Rectangles, in two dimensions."""

    kind: Literal["rectangle"]
    """Kind of body: rectangles, in two dimensions."""
    dimension: Annotated[Annotated[_Pair, _One] | _DrawnSides, _ONE_OR_DRAWN]
    """Full sides [m]: two numbers for all, or a table by which each side is drawn on its own, or
    all together."""
    angle: Annotated[Annotated[float, _One] | Annotated[UniformAngle, _Drawn], _ONE_OR_DRAWN] = 0.0
    """Rotation, counterclockwise [rad]: a number for all, or a table for random angles."""
    share: _Share = None
    """Share of the sources that are this body, in a mix alone; of those that no `count` takes; null
    for equal shares."""
    count: _Count = None
    """Number of sources of each sample that are this body, in a mix alone: its first rows, in the
    order of the bodies; null for a share of the rest."""
    susceptibility: _Susceptibility = None
    """Susceptibility chi [1] in M = chi H + moment / volume: a number for all, or a table by which
    one is drawn for each; null for hard magnets, whose magnetisation stays."""
    remanence: _Remanence = "none"
    """Moments of soft bodies without a field: "none", or "drawn" as those of hard magnets."""

    @model_validator(mode="after")
    def _sides_are_listed(self) -> "RectangleConfig":
        _refuse_other_sides(self.dimension, 2)
        return self


class CuboidConfig(Config):
    """Cuboids."""

    kind: Literal["cuboid"]
    """Kind of body: cuboids."""
    dimension: Annotated[Annotated[_Triple, _One] | _DrawnSides, _ONE_OR_DRAWN]
    """Full sides [m]: three numbers for all, or a table by which each side is drawn on its own, or
    all together."""
    rotation: Annotated[
        Annotated[_Quaternion, _One] | Annotated[UniformRotation, _Drawn], _ONE_OR_DRAWN
    ] = (1.0, 0.0, 0.0, 0.0)
    """Rotation: a unit quaternion (w, x, y, z) for all, or a table for random rotations."""
    share: _Share = None
    """Share of the sources that are this body, in a mix alone; of those that no `count` takes; null
    for equal shares."""
    count: _Count = None
    """Number of sources of each sample that are this body, in a mix alone: its first rows, in the
    order of the bodies; null for a share of the rest."""
    susceptibility: _Susceptibility = None
    """Susceptibility chi [1] in M = chi H + moment / volume: a number for all, or a table by which
    one is drawn for each; null for hard magnets, whose magnetisation stays."""
    remanence: _Remanence = "none"
    """Moments of soft bodies without a field: "none", or "drawn" as those of hard magnets."""

    @model_validator(mode="after")
    def _sides_are_listed(self) -> "CuboidConfig":
        _refuse_other_sides(self.dimension, 3)
        return self


def _refuse_other_sides(dimension: object, count: int) -> None:
    if isinstance(dimension, BoxChoice) and len(dimension.of[0]) != count:
        rule = f"have {count} sides for each box"
        raise refusal("dimension.of", rule, list(dimension.of[0]))


SingleConfig = DipoleConfig | DiscConfig | SphereConfig | RectangleConfig | CuboidConfig


class MixedConfig(Config):
    """Several bodies in one sample; each source is one of them at random."""

    kind: Literal["mixed"]
    """Kind of body: several in one sample; each source is one of them at random."""
    of: Annotated[
        tuple[Annotated[SingleConfig, Field(discriminator="kind")], ...], Field(min_length=2)
    ]
    """The bodies, each once. All their sizes and rotations have columns, varying or not."""

    @model_validator(mode="after")
    def _go_together(self) -> "MixedConfig":
        if len({body.kind for body in self.of}) != len(self.of):
            raise refusal("of", "hold each kind of body once", [body.kind for body in self.of])
        if len({space_dimension(body) for body in self.of}) > 1:
            rule = "hold bodies of one space dimension (that of dipoles is dim)"
            raise refusal("of", rule, {body.kind: space_dimension(body) for body in self.of})
        both = [body.kind for body in self.of if None not in (body.share, body.count)]
        if both:
            raise refusal("of", "have a share or a count in each body, not both", both)
        others = [body.share for body in self.of if body.count is None]
        shares = [share for share in others if share is not None]
        if shares and (len(shares) != len(others) or abs(sum(shares) - 1) > 1e-9):
            every = "every body" if len(others) == len(self.of) else "every body without a count"
            rule = f"have a share in {every}, with a sum of 1, or in no body"
            raise refusal("of", rule, [body.share for body in self.of])
        return self


BodyConfig = Annotated[SingleConfig | MixedConfig, Field(discriminator="kind")]


class _Quantity(NamedTuple):
    """Sizes or rotation of a body: the same for all, or drawn for each."""

    names: tuple[str, ...]
    """Names of the columns."""
    value: Sequence[float] | Sizes | BoxChoice | UniformAngle | UniformRotation
    numbers: int
    """Uniform random numbers per body."""

    def values(self, uniform: np.ndarray) -> Mapping[str, np.ndarray]:
        """The value of each column; `uniform` has the numbers of a body as last axis."""
        if isinstance(self.value, Sizes | BoxChoice | UniformAngle | UniformRotation):
            parts = self.value.from_uniform(uniform)
        else:
            parts = np.asarray(self.value)
        return {name: np.asarray(parts[..., i]) for i, name in enumerate(self.names)}


def members(body: SingleConfig | MixedConfig) -> tuple[SingleConfig, ...]:
    """The bodies of a mix, or the single body."""
    return body.of if isinstance(body, MixedConfig) else (body,)


def space_dimension(body: SingleConfig | MixedConfig) -> int:
    """Number of space dimensions."""
    first = members(body)[0]
    return first.dim if isinstance(first, DipoleConfig) else DIMENSIONS[first.kind][0]


def is_soft(member: SingleConfig) -> bool:
    """Whether a body of a recipe is soft: its magnetisation answers to the field."""
    return not isinstance(member, DipoleConfig) and member.susceptibility is not None


def source_columns(body: SingleConfig | MixedConfig, *, is_applied: bool = False) -> SourceColumns:
    """Columns of the source table: values that vary from source to source, and all of a mix.

    Args:
        body: Bodies of the sources.
        is_applied: Whether a field is applied to the samples.
    """
    quantities = [quantity for member in members(body) for quantity in _quantities(member)]
    mixed = isinstance(body, MixedConfig)
    varying = {name for part in quantities if part.numbers or mixed for name in part.names}
    constants = {
        name: float(value)
        for part in quantities
        if not (part.numbers or mixed)
        for name, value in part.values(np.empty(0)).items()
    }
    dim = space_dimension(body)
    if any(map(is_soft, members(body))):
        varying |= {"susceptibility", *(APPLIED[:dim] if is_applied else ())}
    kinds = {member.kind for member in members(body)}
    names = tuple(name for name in BODIES if name in kinds)
    return SourceColumns.of(*names, dim=dim, varying=varying, constants=constants)


def numbers_per_source(body: SingleConfig | MixedConfig) -> int:
    """Number of uniform random numbers for the body, sizes and rotation of a source."""
    choice = int(isinstance(body, MixedConfig))
    return choice + sum(part.numbers for member in members(body) for part in _quantities(member))


def chosen_members(
    body: SingleConfig | MixedConfig, uniform: Float64[np.ndarray, "samples sources numbers"]
) -> Int64[np.ndarray, "samples sources"]:
    """Number of the member of a mix that each source is; 0 of a single body.

    Args:
        body: Bodies of the sources.
        uniform: `numbers_per_source(body)` for each source.
    """
    chosen = np.zeros(uniform.shape[:2], np.int64)
    if not isinstance(body, MixedConfig):
        return chosen
    others = [number for number, member in enumerate(body.of) if member.count is None]
    if others:
        shares = [body.of[number].share or 1 / len(others) for number in others]
        place = np.searchsorted(np.cumsum(shares)[:-1], uniform[..., 0], side="right")
        chosen = np.asarray(others)[place]
    first = 0
    for number, member in enumerate(body.of):
        count = member.count or 0
        chosen[:, first : first + count] = number
        first += count
    return chosen


class Uses(NamedTuple):
    """Rows of source tables by the use that the bodies of a recipe allow them."""

    soft: tuple[tuple[int, ...], ...]
    """Rows that may be a soft body of each kind, in the order of the columns' bodies."""
    hard: tuple[int, ...]
    """Rows that may be a hard magnet."""


def uses_of_rows(body: SingleConfig | MixedConfig, columns: SourceColumns, rows: int) -> Uses:
    """Uses of the rows of tables: those of a `count` are always the same.

    Args:
        body: Bodies of the sources.
        columns: Its columns.
        rows: Number of rows.
    """
    own: dict[str, range] = {}
    first = 0
    for member in members(body):
        if member.count is not None:
            own[member.kind] = range(first, first + member.count)
            first += member.count
    rest = range(first, rows)
    of_kind = {member.kind: own.get(member.kind, rest) for member in members(body)}
    are_soft = {member.kind for member in members(body) if is_soft(member)}
    soft = tuple(tuple(of_kind[name] if name in are_soft else ()) for name in columns.bodies)
    hard = {row for kind, found in of_kind.items() if kind not in are_soft for row in found}
    return Uses(soft, tuple(sorted(hard)))


def fill_shapes(
    body: SingleConfig | MixedConfig,
    columns: SourceColumns,
    uniform: Float64[np.ndarray, "samples sources numbers"],
    table: Float32[np.ndarray, "samples sources columns"],
) -> None:
    """Write sizes, rotation and body into source tables that are zero there.

    Args:
        body: Bodies of the sources.
        columns: Its columns.
        uniform: `numbers_per_source(body)` for each source.
        table: Source tables; columns other than these are left as they are.
    """
    chosen = chosen_members(body, uniform)
    used = int(isinstance(body, MixedConfig))
    for number, member in enumerate(members(body)):
        rows = chosen == number
        for part in _quantities(member):
            values = part.values(uniform[..., used : used + part.numbers])
            used += part.numbers
            for name in filter(columns.has, part.names):
                np.copyto(table[..., columns.index(name)], values[name], "same_kind", where=rows)
        if columns.has("body"):
            table[rows, columns.index("body")] = BODIES.index(member.kind)


def fill_responses(
    body: SingleConfig | MixedConfig,
    columns: SourceColumns,
    chosen: Int64[np.ndarray, "samples sources"],
    uniform: Float64[np.ndarray, "samples sources"],
    table: Float32[np.ndarray, "samples sources columns"],
) -> None:
    """Write susceptibilities into source tables, and no moment where there is no remanence.

    Args:
        body: Bodies of the sources.
        columns: Its columns, of soft bodies.
        chosen: See `chosen_members`.
        uniform: A number for each source.
        table: Source tables with moments.
    """
    for number, member in enumerate(members(body)):
        if isinstance(member, DipoleConfig) or member.susceptibility is None:
            continue
        rows, value = chosen == number, member.susceptibility
        drawn = value.from_uniform(uniform) if isinstance(value, Susceptibilities) else value
        susceptibility = table[..., columns.index("susceptibility")]
        np.copyto(susceptibility, drawn, "same_kind", where=rows)
        if member.remanence == "none":
            table[rows, : columns.dim] = 0


def _quantities(body: SingleConfig) -> tuple[_Quantity, ...]:
    names = SHAPES[body.kind]
    match body:
        case DipoleConfig():
            return ()
        case DiscConfig() | SphereConfig():
            return (_sizes(names, body.radius),)
        case RectangleConfig():
            turned = isinstance(body.angle, UniformAngle)
            angle = body.angle if isinstance(body.angle, UniformAngle) else (body.angle,)
            return _sizes(names[:2], body.dimension), _Quantity(names[2:], angle, int(turned))
        case CuboidConfig():
            if isinstance(body.rotation, UniformRotation):
                rotation = _Quantity(names[3:], body.rotation, 3)
            else:
                unit = np.asarray(body.rotation) / np.linalg.norm(body.rotation)
                rotation = _Quantity(names[3:], unit.tolist(), 0)
            return _sizes(names[:3], body.dimension), rotation
        case _:
            assert_never(body)


def _sizes(
    names: tuple[str, ...], value: float | tuple[float, ...] | Sizes | BoxChoice
) -> _Quantity:
    if isinstance(value, Sizes):
        return _Quantity(names, value, len(names))
    if isinstance(value, BoxChoice):
        return _Quantity(names, value, value.numbers)
    return _Quantity(names, value if isinstance(value, tuple) else (value,), 0)
