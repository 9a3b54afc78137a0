"""Blocks with their labels."""

from collections.abc import Callable

import numpy as np

from hypermagnetics.data import CPU, Block, LabelDevice, SplitLayout, refuse_nonfinite
from hypermagnetics.data.derivatives import DERIVATIVES
from hypermagnetics.data.trajectories import MOMENTS, SUBSTEPS
from hypermagnetics.dynamics import AnyDynamics, Trajectories, trajectories
from hypermagnetics.errors import HypermagneticsError, LabelError, RecipeError, SourceError
from hypermagnetics.generate.bodies import uses_of_rows
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.draw import draw_block
from hypermagnetics.generate.soft_labels import soft_labels
from hypermagnetics.jax_setup import first_device
from hypermagnetics.machine import Platform
from hypermagnetics.sources import SourceColumns, chosen_columns, jacobian_labels, labels
from hypermagnetics.sources.sums import computing_on

_Values = tuple[np.ndarray, np.ndarray]
"""Potential and field of the samples of a block."""


def label_device(platform: Platform, num_processes: int) -> LabelDevice:
    """Find the device that computes labels; to be called before anything is written or deleted.

    Args:
        platform: Its platform.
        num_processes: Number of processes that will use it.

    Returns:
        Its description, for the manifest.

    Raises:
        HypermagneticsError: If JAX finds no such device, or no CPU, which draws all sources and
            points; or if several processes would share a GPU.
    """
    first_device("cpu")
    if platform == "cpu":
        return CPU
    if num_processes > 1:
        raise HypermagneticsError(
            "The number of workers must be 1 on a GPU, whose memory JAX gives to one process; got "
            f"{num_processes} (workers). Leave it out: the threads of one process follow the cores."
        )
    return LabelDevice(platform=platform, kind=first_device(platform).device_kind)


def differentiated_columns(recipe: DatasetRecipe, columns: SourceColumns) -> tuple[str, ...]:
    """Names of the columns by which stored derivatives are; none without any.

    Raises:
        RecipeError: If a name is unknown, or its columns are the same for all sources.
    """
    if recipe.derivatives is None:
        return ()
    wanted = recipe.derivatives.columns
    try:
        return chosen_columns(columns, wanted, columns.names, "derivatives.columns")
    except SourceError as error:
        raise RecipeError(str(error)) from error


def start_block(
    recipe: DatasetRecipe,
    columns: SourceColumns,
    split: str,
    layout: SplitLayout,
    index: int,
    device: LabelDevice,
) -> Callable[[], Block]:
    """Draw the inputs of a block, on the CPU, and start to compute its labels.

    Args:
        recipe: Recipe of the dataset, as resolved by the plan.
        columns: Columns of the source tables.
        split: Name of the split.
        layout: Its sizes.
        index: Number of the block.
        device: Where labels are computed.

    Returns:
        A function that waits for the labels and returns the block. Calling it later lets the
        device work meanwhile.

    Raises:
        LabelError: If what was drawn is no source.
    """
    # Every block is computed at full size, so that one compiled function serves them all.
    with computing_on("cpu"):
        sources, num_sources, grid = draw_block(recipe, columns, split, layout, index)
    first = layout.block_samples(index)[0]
    refuse_nonfinite("sources", sources, split, first)
    kept = slice(0, len(layout.block_samples(index)))
    place = f"split {split!r}, samples counted from {first}"
    wait: Callable[[], _Values]
    if (soft := recipe.soft) is not None:
        uses = uses_of_rows(recipe.sources.body, columns, layout.max_sources)

        def wait() -> _Values:
            tables, points = (each.astype(np.float64) for each in (sources[kept], grid))
            with computing_on("cpu"):
                return soft_labels(columns, tables, points, soft, uses, place)

    else:
        wait = _started(columns, sources, num_sources, grid, split, first, device)

    def finish() -> Block:
        potential, field = wait()
        declared = {}
        if (config := recipe.derivatives) is not None:
            names = differentiated_columns(recipe, columns)
            with computing_on(device.platform):
                found = jacobian_labels(columns, names, config.of, sources, num_sources, grid)
            declared[DERIVATIVES] = found[kept]
        if (dynamics := recipe.dynamics) is not None:
            # The last block at full size too: its last sample again in place of unwanted ones.
            rows = np.minimum(np.arange(len(sources)), kept.stop - 1)
            with computing_on("cpu"):
                made = _trajectories(dynamics, columns, sources[rows], num_sources[rows], place)
            declared[MOMENTS], declared[SUBSTEPS] = made.moments[kept], made.substeps[kept]
        return Block(
            sources=sources[kept],
            num_sources=num_sources[kept],
            grid=grid,
            potential=potential[kept].astype(np.float32),
            field=field[kept].astype(np.float32),
            declared=declared,
        )

    return finish


def _started(
    columns: SourceColumns,
    sources: np.ndarray,
    num_sources: np.ndarray,
    grid: np.ndarray,
    split: str,
    first: int,
    device: LabelDevice,
) -> Callable[[], _Values]:
    """Start to compute sums over sources, and return a function that waits for them."""
    try:
        with computing_on(device.platform):
            potential, field = labels(columns, sources, num_sources, grid)
    except SourceError as error:
        raise LabelError(
            f"Drawn rows must be sources; got one that is none, in the block from sample {first} "
            f"of split {split!r}: {error} Change the recipe so that sizes stay above 0 in float32."
        ) from error
    # A GPU sends these while it computes the blocks that are started before they are asked for.
    potential.copy_to_host_async()
    field.copy_to_host_async()
    return lambda: (np.asarray(potential), np.asarray(field))


def _trajectories(
    dynamics: AnyDynamics,
    columns: SourceColumns,
    sources: np.ndarray,
    num_sources: np.ndarray,
    place: str,
) -> Trajectories:
    try:
        return trajectories(dynamics, columns, sources, num_sources)
    except SourceError as error:
        raise LabelError(f"{error} ({place})") from error
