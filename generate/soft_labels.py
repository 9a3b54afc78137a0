"""Labels of soft bodies: the self-consistent potential and field of all bodies of a sample."""

from collections.abc import Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from hypermagnetics.data import Discretisation, SplitLayout
from hypermagnetics.errors import LabelError
from hypermagnetics.few_sizes import placed
from hypermagnetics.generate.bodies import Uses, uses_of_rows
from hypermagnetics.generate.config import DatasetRecipe, SoftConfig
from hypermagnetics.generate.draw import draw_block
from hypermagnetics.shapes import Field, Points, Potential, SourceTable
from hypermagnetics.sources.kinds import KINDS
from hypermagnetics.sources.soft.solve import Rows, Settings, solve
from hypermagnetics.sources.soft.system import MethodName
from hypermagnetics.sources.sums import computing_on
from hypermagnetics.table import SourceColumns, applied_field, hard_table, susceptibility

_MOST_DENSE = 12_288
"""Most unknowns that are found by elimination, whose matrices take 4.4 GB. It is the same on all
machines; without a matrix some thousand unknowns already take ten times as long."""

_SECONDS_PER_CUBE = 3e-11
"""Time of elimination for the cube of the number of unknowns [s]."""

_SECONDS_PER_PAIR = {2: 1.2e-7, 3: 3e-7}
"""Time of the tensor between two cells [s], by dimension."""

_SECONDS_PER_POINT = {2: 2e-7, 3: 6e-7}
"""Time of potential and field of a cell at a point [s], by dimension."""


def soft_labels(
    columns: SourceColumns,
    tables: Float64[np.ndarray, "samples sources columns"],
    grid: Float64[np.ndarray, "points dim"],
    settings: SoftConfig,
    uses: Uses,
    where: str,
) -> tuple[Float64[np.ndarray, "samples points"], Float64[np.ndarray, "samples points dim"]]:
    """Potential and field of samples of soft bodies at points that they share, in float64.

    Samples are solved one after another, so that one compiled program serves all of one number of
    rows, and the values of each are the same among any others.

    Args:
        columns: Columns of the tables, with susceptibilities.
        tables: Source tables, padded with zeros.
        grid: Points [m].
        settings: Cells, multipoles and tolerance.
        uses: Rows of the tables that may be soft, and those that may be hard.
        where: Place of the samples, for messages.

    Returns:
        Potential [A] and field [A/m] of all bodies, without the applied field.

    Raises:
        LabelError: If the equations of a sample are not solved to the tolerance.
    """
    own = _settings(columns, settings, uses)
    soft = tuple(np.asarray(rows, np.int32) for rows in uses.soft)
    rows = Rows(soft, np.asarray(uses.hard, np.int32))
    potentials, fields = [], []
    with jax.enable_x64(True):
        points = placed(grid)
        for sample, table in enumerate(tables):
            found = _values(columns, own, rows, placed(table), points)
            potential, field, residual = map(np.asarray, found)
            if not residual <= settings.tolerance:
                raise LabelError(
                    f"The equations of soft bodies must be solved to {settings.tolerance:g}; got a "
                    f"residual of {residual:.3g} ({where}, sample {sample} of these). Raise "
                    "soft.tolerance, or keep the bodies further apart."
                )
            potentials.append(potential)
            fields.append(field)
    return np.stack(potentials), np.stack(fields)


def discretisation(
    recipe: DatasetRecipe, columns: SourceColumns, split: str, layout: SplitLayout
) -> Discretisation | None:
    """Estimate the error of labels by a second solution, of finer cells, of the first samples.

    Args:
        recipe: Recipe of the dataset, as resolved by the plan.
        columns: Columns of the source tables.
        split: Name of the split.
        layout: Its sizes.

    Returns:
        Quantiles of the differences of the fields; None if no sample is to be checked, or no body
        is divided.
    """
    soft, uses = recipe.soft, uses_of_rows(recipe.sources.body, columns, layout.max_sources)
    if soft is None or not soft.checked_samples or not _has_cells(columns, uses):
        return None
    left, errors = min(soft.checked_samples, layout.num_samples), []
    count, index = left, 0
    while left:
        with computing_on("cpu"):
            inputs = draw_block(recipe, columns, split, layout, index)
            kept = min(left, len(layout.block_samples(index)))
            tables, grid = inputs.sources[:kept].astype(np.float64), inputs.grid.astype(np.float64)
            where = f"split {split!r}, block {index}"
            _, coarse = soft_labels(columns, tables, grid, soft, uses, where)
            _, fine = soft_labels(columns, tables, grid, soft.finer, uses, where)
        size = np.linalg.norm(fine, axis=-1)
        errors.append((np.linalg.norm(fine - coarse, axis=-1) / size).ravel())
        left, index = left - kept, index + 1
    median, p90 = np.quantile(np.concatenate(errors), [0.5, 0.9])
    return Discretisation(
        cells=soft.cells,
        finer_cells=soft.finer.cells,
        samples=count,
        field_median=float(median),
        field_p90=float(p90),
    )


def _has_cells(columns: SourceColumns, uses: Uses) -> bool:
    """Whether a soft body is divided into cells."""
    found = zip(columns.bodies, uses.soft, strict=True)
    return any(rows and not KINDS[body].is_dipole_outside for body, rows in found)


def seconds_of_soft(
    recipe: DatasetRecipe, columns: SourceColumns, layouts: Mapping[str, SplitLayout]
) -> float:
    """About the time that solving for all samples of a recipe takes on two cores [s].

    Args:
        recipe: Recipe of the dataset.
        columns: Columns of the source tables.
        layouts: Sizes of its splits.
    """
    assert recipe.soft is not None, "it has soft bodies"
    total, body = 0.0, recipe.sources.body
    for number, layout in enumerate(layouts.values()):
        uses, points = uses_of_rows(body, columns, layout.max_sources), layout.num_points
        total += layout.num_samples * _seconds(columns, recipe.soft, uses, points) / 2
        if number == 0 and _has_cells(columns, uses):
            checked = min(recipe.soft.checked_samples, layout.num_samples)
            total += checked * _seconds(columns, recipe.soft.finer, uses, points) / 2
    return total


def num_unknowns(columns: SourceColumns, settings: SoftConfig, uses: Uses) -> int:
    """Number of unknowns of a sample: one for each axis and cell, or for each multipole.

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


def _seconds(columns: SourceColumns, settings: SoftConfig, uses: Uses, points: int) -> float:
    """About the time of one sample on one core [s]."""
    unknowns, dim = num_unknowns(columns, settings, uses), columns.dim
    cells = unknowns / dim
    each = _SECONDS_PER_PAIR[dim] * cells + _SECONDS_PER_POINT[dim] * points
    return _SECONDS_PER_CUBE * unknowns**3 + cells * each


def _settings(columns: SourceColumns, settings: SoftConfig, uses: Uses) -> Settings:
    method: MethodName = (
        "dense" if num_unknowns(columns, settings, uses) <= _MOST_DENSE else "gmres"
    )
    return Settings(
        order=settings.order,
        cells=(settings.cells,) * columns.dim,
        method=method,
        tolerance=settings.tolerance,
    )


@partial(jax.jit, static_argnames=("columns", "settings"))
def _values(
    columns: SourceColumns, settings: Settings, rows: Rows, table: SourceTable, points: Points
) -> tuple[Potential, Field, Float[Array, ""]]:
    found = solve(
        columns.hard,
        hard_table(columns, table),
        susceptibility(columns, table),
        applied_field(columns, table),
        jnp.zeros(len(table)),
        settings,
        rows,
    )
    return (*found.potential_and_field(points), found.residual)
