"""Labels of soft bodies: potential and field of all bodies, self-consistent, without the applied."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from hypermagnetics.errors import LabelError
from hypermagnetics.few_sizes import placed
from hypermagnetics.generate.bodies import Uses
from hypermagnetics.generate.config import SoftConfig
from hypermagnetics.shapes import BlockField, BlockPotential, Points, SourceTable, SourceTables
from hypermagnetics.sources.kinds import KINDS
from hypermagnetics.sources.soft.solve import Rows, Settings, solve
from hypermagnetics.sources.soft.system import MethodName
from hypermagnetics.table import SourceColumns, applied_field, hard_table, susceptibility

_MOST_DENSE = 8192
"""Most unknowns that are found by elimination, whose matrices take 2 GB."""


def soft_labels(
    columns: SourceColumns,
    tables: Float64[np.ndarray, "samples sources columns"],
    grid: Float64[np.ndarray, "points dim"],
    settings: SoftConfig,
    uses: Uses,
) -> tuple[Float64[np.ndarray, "samples points"], Float64[np.ndarray, "samples points dim"]]:
    """Potential and field of samples of soft bodies at points that they share, in float64.

    One compiled program serves all samples of one number of rows, one after another.

    Args:
        columns: Columns of the tables, with susceptibilities.
        tables: Source tables, padded with zeros.
        grid: Points [m].
        settings: Cells, multipoles and tolerance.
        uses: Rows of the tables that may be soft, and those that may be hard.

    Returns:
        Potential [A] and field [A/m] of all bodies, without the applied field.

    Raises:
        LabelError: If the equations of a sample are not solved to the tolerance.
    """
    own = _settings(columns, settings, uses)
    rows = Rows(tuple(map(np.asarray, uses.soft)), np.asarray(uses.hard))
    with jax.enable_x64(True):
        found = _values(columns, own, rows, *map(placed, (tables, grid)))
        potential, field, residual = map(np.asarray, found)
    for sample in np.flatnonzero(~(residual <= settings.tolerance))[:1]:
        raise LabelError(
            f"The equations of soft bodies must be solved to {settings.tolerance:g}; got a residual "
            f"of {residual[sample]:.3g} (soft.tolerance, sample {sample} of the block). Raise "
            "soft.tolerance, or keep the bodies further apart."
        )
    return potential, field


def num_unknowns(columns: SourceColumns, settings: SoftConfig, uses: Uses) -> int:
    """Number of unknowns of a sample: three for each cell of a box, in two dimensions two.

    Args:
        columns: Columns of the tables.
        settings: Cells and multipoles.
        uses: Rows that may be soft.
    """
    dim, order = columns.dim, settings.order
    of_box = dim * settings.cells**dim
    of_ball = 2 * order if dim == 2 else (order + 1) ** 2 - 1
    each = (of_ball if KINDS[body].is_dipole_outside else of_box for body in columns.bodies)
    return sum(len(rows) * number for rows, number in zip(uses.soft, each, strict=True))


def _settings(columns: SourceColumns, settings: SoftConfig, uses: Uses) -> Settings:
    unknowns = num_unknowns(columns, settings, uses)
    method: MethodName = "dense" if unknowns <= _MOST_DENSE else "gmres"
    return Settings(
        order=settings.order,
        cells=(settings.cells,) * columns.dim,
        method=method,
        tolerance=settings.tolerance,
    )


@partial(jax.jit, static_argnames=("columns", "settings"))
def _values(
    columns: SourceColumns,
    settings: Settings,
    rows: Rows,
    tables: SourceTables,
    grid: Points,
) -> tuple[BlockPotential, BlockField, Float[Array, " samples"]]:
    def of_sample(table: SourceTable) -> tuple[Array, Array, Array]:
        found = solve(
            columns.hard,
            hard_table(columns, table),
            susceptibility(columns, table),
            applied_field(columns, table),
            jnp.zeros(len(table)),
            settings,
            rows,
        )
        return (*found.potential_and_field(grid), found.residual)

    values: tuple[BlockPotential, BlockField, Float[Array, " samples"]]
    values = jax.lax.map(of_sample, tables)
    return values
