"""Trajectories of a dataset, as far as networks that learn from them and their evaluation ask."""

from hypermagnetics.data import Dataset
from hypermagnetics.data.boundary import Boundary, boundary_of
from hypermagnetics.data.trajectories import time_step_of
from hypermagnetics.dynamics import AnyDynamics, dynamics_of, physics_of
from hypermagnetics.errors import DatasetError


def dynamics_of_moments(dataset: Dataset) -> AnyDynamics:
    """How the moments of a dataset go on.

    Raises:
        DatasetError: If its recipe does not say.
        RecipeError: If this release does not know these dynamics.
    """
    dynamics = dynamics_of(dataset.manifest.recipe)
    if dynamics is None:
        raise DatasetError(
            "Moments that move must have dynamics in the recipe of their dataset; got none "
            f"({dataset.directory}). Generate it with [dynamics]."
        )
    return dynamics


def time_step_of_states(dataset: Dataset) -> float | None:
    """Time between two states without sources; None if neither physics nor an import has it."""
    physics = physics_of(dataset.manifest.recipe)
    return time_step_of(dataset) if physics is None else physics.seconds


def boundary_of_states(dataset: Dataset) -> Boundary:
    """Boundary of the box of states without sources, of their physics or of an import."""
    physics = physics_of(dataset.manifest.recipe)
    if physics is None:
        return boundary_of(dataset)
    return "periodic" if physics.is_periodic else "open"
