"""Bodies for notebooks: one magnet each, with its potential and its field."""

import abc
from collections.abc import Sequence
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hypermagnetics.arrays import Numbers
from hypermagnetics.errors import SourceError
from hypermagnetics.few_sizes import placed
from hypermagnetics.methods import WithMethods
from hypermagnetics.shapes import Field, Potential, SourceTable
from hypermagnetics.sources.arguments import common_type, float_arrays, widest
from hypermagnetics.sources.checks import refuse_bad_rows
from hypermagnetics.sources.superposition import field_of, potential_of
from hypermagnetics.table import BODIES, DIMENSIONS, SHAPES, BodyName, SourceColumns


def _reals(**values: Numbers) -> tuple[Float[Array, "..."], ...]:
    """The values as arrays of one float type, the widest of the arrays; else the default."""
    arrays = float_arrays(**values)
    with widest(*arrays):
        dtype = common_type(*arrays)
        return tuple(placed(array.astype(dtype)) for array in arrays)


def _soft(susceptibility: Numbers) -> dict[str, Numbers]:
    """The susceptibility as an argument of `_reals`; none of a hard magnet, where it is 0."""
    is_known = not isinstance(susceptibility, jax.core.Tracer)
    if is_known and np.ndim(susceptibility) == 0 and susceptibility == 0:
        return {}
    return {"susceptibility": susceptibility}


class Body(WithMethods):
    """A uniformly magnetised body, computed as a source table with this one row.

    A body with a susceptibility is soft: its moment is the remanent one, and its magnetisation,
    M = chi H + moment / volume, follows from the field of all others. It is for source tables that
    `solve_magnetisation` reads, and has no field of its own.

    A body is a pytree: `jax.grad` of a function of it gives the derivatives with respect to
    moment, position, size and rotation. Made of float64 arrays of numpy it keeps float64, also
    where JAX is not set to it, and so do its values; see `superposition`.
    """

    name: eqx.AbstractClassVar[BodyName]
    moment: eqx.AbstractVar[Float[Array, " dim"]]
    """Magnetisation times volume [A m²], in two dimensions magnetisation times area [A m]."""
    position: eqx.AbstractVar[Float[Array, " dim"]]
    """Centre [m]."""
    susceptibility: eqx.AbstractVar[Float[Array, ""] | None]
    """Susceptibility chi of a soft body; None of a hard magnet."""

    @abc.abstractmethod
    def shape(self) -> tuple[Float[Array, "..."], ...]:
        """Sizes and rotation, in the order of the columns of a source table."""

    def __check_init__(self) -> None:
        shapes = [(dim,) for dim in DIMENSIONS[self.name]]
        for what, value in (("moment", self.moment), ("position", self.position)):
            if value.shape not in shapes:
                wanted = " or ".join(str(dim) for dim in DIMENSIONS[self.name])
                raise SourceError(
                    f"The {what} of a {self.name} must have {wanted} components; got shape "
                    f"{value.shape}. Give one number for each axis."
                )
        if self.moment.shape != self.position.shape:
            raise SourceError(
                f"The moment of a {self.name} must have as many components as its position; got "
                f"{self.moment.size} and {self.position.size}. Give one number for each axis."
            )
        wanted_size = len(SHAPES[self.name])
        if self.susceptibility is not None and self.susceptibility.ndim:
            raise SourceError(
                f"The susceptibility of a {self.name} must be a number; got shape "
                f"{self.susceptibility.shape}. Give one for all directions."
            )
        got = sum(part.size for part in self.shape())
        if got != wanted_size:
            raise SourceError(
                f"A {self.name} must have {', '.join(SHAPES[self.name])}; got {got} "
                "numbers. Give one number for each."
            )
        refuse_bad_rows(self.columns, self._table())

    @property
    def columns(self) -> SourceColumns:
        """Columns of `row`."""
        soft = () if self.susceptibility is None else ("susceptibility",)
        varying = (*SHAPES[self.name], *soft)
        return SourceColumns.of(self.name, dim=self.position.shape[0], varying=varying)

    @property
    def row(self) -> Float[Array, " columns"]:
        """The body as the row of a source table."""
        soft = () if self.susceptibility is None else (self.susceptibility,)
        parts = (self.moment, self.position, *self.shape(), *soft)
        with widest(*parts):
            return jnp.concatenate([jnp.ravel(part) for part in parts])

    def _table(self) -> SourceTable:
        row = self.row
        with widest(row):
            return row[None]

    def potential(self, points: Numbers) -> Potential:
        """Magnetic scalar potential.

        Args:
            points: Points of evaluation (num_points, dim) [m].

        Returns:
            Potential [A] at each point.

        Raises:
            SourceError: If the points are of another dimension, or the body is soft.
        """
        return potential_of(self.columns, self._table(), points)

    def field(self, points: Numbers) -> Field:
        """Field H = -grad phi; inside the body the demagnetising field.

        Args:
            points: Points of evaluation (num_points, dim) [m].

        Returns:
            Field [A/m] at each point.

        Raises:
            SourceError: If the points are of another dimension, or the body is soft.
        """
        return field_of(self.columns, self._table(), points)


class Dipole(Body):
    """Point dipole, in two or three dimensions."""

    name: ClassVar[BodyName] = "dipole"
    moment: Float[Array, " dim"]
    position: Float[Array, " dim"]
    susceptibility: None

    def __init__(self, moment: Numbers, position: Numbers) -> None:
        """Take moment [A m²], in two dimensions [A m], and position [m]."""
        self.susceptibility = None  # a point has no volume
        self.moment, self.position = _reals(moment=moment, position=position)

    def shape(self) -> tuple[Float[Array, "..."], ...]:
        """Empty: a point has no sizes and no rotation."""
        return ()


class Disc(Body):
    """Disc: the cross-section of a long cylinder magnetised across its axis."""

    name: ClassVar[BodyName] = "disc"
    moment: Float[Array, " dim"]
    position: Float[Array, " dim"]
    radius: Float[Array, ""]
    susceptibility: Float[Array, ""] | None

    def __init__(
        self, moment: Numbers, position: Numbers, radius: Numbers, susceptibility: Numbers = 0.0
    ) -> None:
        """Take moment [A m], position [m], radius [m] and susceptibility [1]."""
        soft = _soft(susceptibility)
        values = _reals(moment=moment, position=position, radius=radius, **soft)
        self.moment, self.position, self.radius = values[:3]
        self.susceptibility = values[3] if soft else None

    def shape(self) -> tuple[Float[Array, "..."], ...]:
        """Radius."""
        return (self.radius,)


class Sphere(Body):
    """Sphere."""

    name: ClassVar[BodyName] = "sphere"
    moment: Float[Array, " dim"]
    position: Float[Array, " dim"]
    radius: Float[Array, ""]
    susceptibility: Float[Array, ""] | None

    def __init__(
        self, moment: Numbers, position: Numbers, radius: Numbers, susceptibility: Numbers = 0.0
    ) -> None:
        """Take moment [A m²], position [m], radius [m] and susceptibility [1]."""
        soft = _soft(susceptibility)
        values = _reals(moment=moment, position=position, radius=radius, **soft)
        self.moment, self.position, self.radius = values[:3]
        self.susceptibility = values[3] if soft else None

    def shape(self) -> tuple[Float[Array, "..."], ...]:
        """Radius."""
        return (self.radius,)


class Rectangle(Body):
    """Rectangle: the cross-section of a long bar magnetised across its axis."""

    name: ClassVar[BodyName] = "rectangle"
    moment: Float[Array, " dim"]
    position: Float[Array, " dim"]
    dimension: Float[Array, " dim"]
    angle: Float[Array, ""]
    susceptibility: Float[Array, ""] | None

    def __init__(
        self,
        moment: Numbers,
        position: Numbers,
        dimension: Numbers,
        angle: Numbers = 0.0,
        susceptibility: Numbers = 0.0,
    ) -> None:
        """Take moment [A m], position [m], full sides [m], rotation [rad] and susceptibility [1].

        The rotation is counterclockwise.
        """
        soft = _soft(susceptibility)
        values = _reals(moment=moment, position=position, dimension=dimension, angle=angle, **soft)
        self.moment, self.position, self.dimension, self.angle = values[:4]
        self.susceptibility = values[4] if soft else None

    def shape(self) -> tuple[Float[Array, "..."], ...]:
        """Sides and angle."""
        return (self.dimension, self.angle)


class Cuboid(Body):
    """Cuboid."""

    name: ClassVar[BodyName] = "cuboid"
    moment: Float[Array, " dim"]
    position: Float[Array, " dim"]
    dimension: Float[Array, " dim"]
    rotation: Float[Array, " 4"]
    susceptibility: Float[Array, ""] | None

    def __init__(
        self,
        moment: Numbers,
        position: Numbers,
        dimension: Numbers,
        rotation: Numbers = (1.0, 0.0, 0.0, 0.0),
        susceptibility: Numbers = 0.0,
    ) -> None:
        """Take moment [A m²], position [m], full sides [m], rotation and susceptibility [1].

        The rotation is a unit quaternion (w, x, y, z).
        """
        soft = _soft(susceptibility)
        given = {"moment": moment, "position": position, "dimension": dimension}
        values = _reals(**given, rotation=rotation, **soft)
        self.moment, self.position, self.dimension, self.rotation = values[:4]
        self.susceptibility = values[4] if soft else None

    def shape(self) -> tuple[Float[Array, "..."], ...]:
        """Sides and quaternion."""
        return (self.dimension, self.rotation)


def source_table(bodies: Sequence[Body]) -> tuple[SourceColumns, SourceTable]:
    """Put bodies, also of several kinds, into one source table.

    Args:
        bodies: At least one, all in the same number of dimensions.

    Returns:
        The columns, and a row for each body, for `superposition` or a model; with a column of
        susceptibilities if one is soft, for `solve_magnetisation`.

    Raises:
        SourceError: If there is none, or their dimensions differ.

    Examples:
        >>> magnets = [Disc([1.0, 0.0], [0.0, 0.0], 0.5), Dipole([0.0, 1.0], [2.0, 0.0])]
        >>> columns, table = source_table(magnets)
        >>> columns.names[4:]
        ('radius', 'body')
    """
    dims = {body.position.shape[0] for body in bodies}
    if len(dims) != 1:
        raise SourceError(
            f"The bodies of a source table must share one space dimension; got {sorted(dims)}. "
            "Give at least one body, and put those of other dimensions into other tables."
        )
    names = tuple(name for name in BODIES if any(body.name == name for body in bodies))
    varying = {shape for name in names for shape in SHAPES[name]}
    if any(body.susceptibility is not None for body in bodies):
        varying.add("susceptibility")
    columns = SourceColumns.of(*names, dim=dims.pop(), varying=varying)
    of_bodies, rows = [body.row for body in bodies], []
    with widest(*of_bodies):
        dtype = common_type(*of_bodies)
        for body, row in zip(bodies, of_bodies, strict=True):
            found = dict(zip(body.columns.names, row.astype(dtype), strict=True))
            found["body"] = placed(np.array(BODIES.index(body.name), dtype))
            zero = placed(np.zeros((), dtype))
            rows.append(jnp.stack([found.get(name, zero) for name in columns.names]))
        return columns, jnp.stack(rows)
