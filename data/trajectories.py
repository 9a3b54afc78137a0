"""Stored trajectories: of moments beside sources, and of states alone; their declaration."""

from collections.abc import Sequence

from hypermagnetics.data.dataset import Dataset
from hypermagnetics.data.layout import MOST_COMPONENTS, ArrayName, DeclaredArray, SampleSize

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


def states_declaration(num_states: int, state: Sequence[int]) -> DeclaredArray:
    """The array of trajectories, as a layout declares it.

    Args:
        num_states: States of a trajectory, with that at the start.
        state: Shape of a state: (components,), or (channels, *spatial).

    Returns:
        The declaration, with the time as first axis.
    """
    of_state: tuple[str, ...] = ("component",)
    if len(state) > 1:
        of_state = ("channel", *(f"space_{axis}" for axis in range(len(state) - 1)))
    return DeclaredArray(
        name=STATES,
        item_shape=(num_states, *state),
        dimensions=("time", *of_state),
        components=of_state[0] if state[0] <= MOST_COMPONENTS else None,
    )


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
