"""Trajectories of states, (states, *state) for each sample: their array and its time step."""

from collections.abc import Sequence

from hypermagnetics.data.layout import MOST_COMPONENTS, DeclaredArray
from hypermagnetics.data.manifest import Manifest

STATES = "states"
"""Name of the array, of its option, and of its table in a recipe."""


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


def imported_time_step(manifest: Manifest) -> float | None:
    """Time between two states of an imported dataset, in its own unit; None of any other."""
    origin = manifest.recipe.get("imported")
    found = origin.get("time_step") if isinstance(origin, dict) else None
    return float(found) if isinstance(found, int | float) else None
