"""The solution of soft bodies: moments, an exact source table, and values at points."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from hypermagnetics.arrays import Numbers
from hypermagnetics.few_sizes import placed
from hypermagnetics.methods import WithMethods
from hypermagnetics.shapes import Field, Points, Potential, SourceTable
from hypermagnetics.sources.arguments import float_arrays, widest
from hypermagnetics.sources.checks import refuse_bad_points
from hypermagnetics.sources.geometry import OfKind, rounding_unit
from hypermagnetics.sources.geometry import magnetisation as magnetisation_of_table
from hypermagnetics.sources.soft.balls import Balls
from hypermagnetics.sources.soft.divided import Divided
from hypermagnetics.sources.soft.hard import bodies_table
from hypermagnetics.sources.soft.system import Bodies, States
from hypermagnetics.sources.superposition import superposition
from hypermagnetics.table import SourceColumns


class SoftSolution(WithMethods):
    """Magnetisation of soft bodies in the field of all others, and all that follows from it.

    Potential and field are those of all bodies, permanent and induced, without the applied field,
    which is uniform and known.
    """

    columns: SourceColumns = eqx.field(static=True)
    """Columns of the table that was solved."""
    cells_columns: SourceColumns = eqx.field(static=True)
    """Columns of `cells`."""
    cells: SourceTable
    """Uniformly magnetised bodies: hard magnets, balls by their moments, and the cells of others.
    Their superposition is the potential everywhere and, outside of the divided bodies, the field,
    but for the multipoles of balls beyond their moments. Rows of no moment are no bodies."""
    moments: Float[Array, "rows dim"]
    """Moment of each row, remanent and induced [A m²]; in two dimensions [A m]."""
    residual: Float[Array, ""]
    """|M - f(H) - M_rem| over |M|, over all cells and multipoles, with the field H of this M."""
    iterations: Int[Array, ""]
    """Systems solved by elimination, or products with the matrix in GMRES."""
    hard: Float[Array, "magnets hard_columns"]
    """The hard magnets; other rows have no moment."""
    bodies: Bodies
    magnetisations: States
    fields: States
    """H inside of the soft bodies, with the applied field [A/m]."""
    applied_fields: States

    def potential(self, points: Numbers) -> Potential:
        """Magnetic scalar potential of all bodies.

        Args:
            points: Points of evaluation (num_points, dim) [m].

        Returns:
            Potential [A] at each point: the sum over all cells and multipoles.

        Raises:
            SourceError: If the points are of another dimension.
        """
        return self.potential_and_field(points)[0]

    def field(self, points: Numbers) -> Field:
        """Field H of all bodies, without the applied one.

        In a divided body the sum over its cells would be that of charges between them, which a
        continuous magnetisation does not have. There it is the field by the law of the material,
        (M - M_rem) / chi of a linear one, between the centres of the cells by interpolation, minus
        the applied field; on its surface the mean of both sides of the cell.

        Args:
            points: Points of evaluation (num_points, dim) [m].

        Returns:
            Field [A/m] at each point.

        Raises:
            SourceError: If the points are of another dimension.
        """
        return self.potential_and_field(points)[1]

    def potential_and_field(self, points: Numbers) -> tuple[Potential, Field]:
        """Both `potential` and `field`.

        Args:
            points: Points of evaluation (num_points, dim) [m].

        Returns:
            Potential [A] and field [A/m].

        Raises:
            SourceError: If the points are of another dimension.
        """
        (at,) = float_arrays(points=points)
        refuse_bad_points(at, self.columns.dim)
        with widest(self.cells, at):
            where = placed(at).astype(self.cells.dtype)
            total = superposition(self.cells_columns, self.cells, where)
            found: tuple[Potential, Field] = _corrections(self, where, *total)
            return found

    def magnetisation(self, points: Numbers) -> Field:
        """Magnetisation of all bodies, permanent and induced; zero outside.

        Args:
            points: Points (num_points, dim) [m].

        Returns:
            Magnetisation [A/m] at each point: in divided bodies between the centres of the cells by
            interpolation, in balls the sum of all multipoles.

        Raises:
            SourceError: If the points are of another dimension.
        """
        (at,) = float_arrays(points=points)
        refuse_bad_points(at, self.columns.dim)
        with widest(self.cells, at):
            where = placed(at).astype(self.cells.dtype)
            total = jnp.zeros_like(where)
            if len(self.hard):
                total = magnetisation_of_table(self.cells_columns, self.hard, where)
            found: Field = _with_induced(self, where, total)
            return found


def uniform_bodies(
    columns: SourceColumns,
    hard: Float[Array, "magnets hard_columns"],
    bodies: Bodies,
    states: States,
) -> SourceTable:
    """Uniformly magnetised bodies whose superposition is that of a solution.

    Args:
        columns: Columns with one for each size and rotation.
        hard: Hard magnets, in these columns.
        bodies: Soft bodies.
        states: Their magnetisation.

    Returns:
        Hard magnets, balls and cells.
    """
    tables = [hard]
    for body, state in zip(bodies, states, strict=True):
        if isinstance(body, Balls):
            own = OfKind(body.kind, body.is_soft, {"radius": body.radius})
            tables.append(bodies_table(columns, body.moments(state), body.centres, [own]))
        else:
            shape = {name: body.of_each_cell(value) for name, value in body.cell_shape.items()}
            volume = body.of_each_cell(body.volume / body.num_cells)
            moments = volume[:, None] * state.reshape(-1, columns.dim)
            own = OfKind(body.kind, body.is_used, shape)
            tables.append(bodies_table(columns, moments, body.points, [own]))
    return jnp.concatenate(tables)


@jax.jit
def _corrections(
    solution: SoftSolution, points: Points, potential: Potential, field: Field
) -> tuple[Potential, Field]:
    """Potential and field of the cells, with the rest: multipoles, and the field inside."""
    unit = rounding_unit(points)
    for body, state in zip(solution.bodies, solution.magnetisations, strict=True):
        if isinstance(body, Balls):
            more = body.beyond_dipole(state, points)
            potential, field = potential + more[:, 0], field + more[:, 1:]
    for body, inner, applied in zip(
        solution.bodies, solution.fields, solution.applied_fields, strict=True
    ):
        if isinstance(body, Divided):
            found = body.inside(inner - applied[:, None], points, unit)
            is_inside = found[..., -1:] == 1
            field = jnp.where(
                is_inside.any(0), jnp.where(is_inside, found[..., :-1], 0).sum(0), field
            )
    return potential, field


@jax.jit
def _with_induced(solution: SoftSolution, points: Points, permanent: Field) -> Field:
    """Magnetisation of hard magnets and soft bodies."""
    total, unit = permanent, rounding_unit(points)
    for body, state in zip(solution.bodies, solution.magnetisations, strict=True):
        if isinstance(body, Balls):
            total = total + body.magnetisation(state, points)
        else:
            found = body.inside(state, points, unit)
            total = total + (found[..., :-1] * found[..., -1:]).sum(0)
    return total
