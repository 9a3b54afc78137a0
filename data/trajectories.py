"""Stored trajectories: of moments beside sources, and of states alone; their declaration."""

from hypermagnetics.data.dataset import Dataset
from hypermagnetics.data.layout import ArrayName, DeclaredArray, SampleSize

MOMENTS: ArrayName = "moments"
"""Moments of each source at the start of a trajectory and after each step."""
SUBSTEPS: ArrayName = "substeps"
"""Substeps of a stored step of each sample."""
STATES: ArrayName = "states"
"""States of a trajectory without sources, the one at the start first."""


def declared_trajectories(size: SampleSize, num_steps: int) -> tuple[DeclaredArray, ...]:
    """The arrays of trajectories of moments, as a layout declares them.

    Args:
        size: Sizes of a sample.
        num_steps: Steps of a trajectory.

    Returns:
        The moments (states, sources, axis) of each sample, and its number of substeps.
    """
    moments = DeclaredArray(
        name=MOMENTS,
        item_shape=(num_steps + 1, size.max_sources, size.dim),
        dimensions=("time", "source", "axis"),
        unit="A m" if size.dim == 2 else "A m^2",
        components="axis",
    )
    return moments, DeclaredArray(name=SUBSTEPS, item_shape=(), dimensions=(), unit="1")


def time_step_of(dataset: Dataset) -> float | None:
    """Time between two states of imported trajectories, in the unit of their user.

    Args:
        dataset: The dataset.

    Returns:
        The time; None of a dataset that was not imported, or has none.
    """
    imported = dataset.manifest.recipe.get("imported")
    found = imported.get("time_step") if isinstance(imported, dict) else None
    return float(found) if isinstance(found, int | float) else None
