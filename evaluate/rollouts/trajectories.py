"""The trajectories of a split, and the physics that they come from as far as it is known."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from hypermagnetics.data import Dataset
from hypermagnetics.data.array_view import names_of_trajectories
from hypermagnetics.data.split import AnySplit
from hypermagnetics.data.trajectories import SUBSTEPS
from hypermagnetics.dynamics import (
    AnyDynamics,
    AnyStatePhysics,
    physics_of,
)
from hypermagnetics.models.state_data import dynamics_of_moments, time_step_of_states
from hypermagnetics.table import SourceColumns


@dataclass(frozen=True)
class MovingMoments:
    """Dynamics of moments, and the source tables that they belong to."""

    dynamics: AnyDynamics
    columns: SourceColumns
    max_sources: int


@dataclass(frozen=True)
class TrajectoryBlock:
    """The samples of a block, filled up with zeros to the size of a whole one."""

    states: Float32[np.ndarray, "samples states ..."]
    """True states."""
    start: Float32[np.ndarray, "samples ..."]
    """The first state, of moments the source tables."""
    substeps: Float32[np.ndarray, " samples"]
    """Steps of the method that gave the states between two of them, of moments; ones of others."""
    count: int
    """Samples in use, the first."""


@dataclass(frozen=True)
class StoredTrajectories:
    """Trajectories of a split."""

    dataset: Dataset
    split: AnySplit
    moments: MovingMoments | None
    """None of other states."""
    physics: AnyStatePhysics | None
    """Reference physics of other states; None of moments, and if it is not known."""
    time_step: float | None
    """Time between two states, of moments in [s]; None of iterates, and if it is not known."""

    @classmethod
    def of(cls, dataset: Dataset, name: str) -> "StoredTrajectories":
        """Those of a split.

        Raises:
            DatasetError: If there is no such split, or it has no trajectories.
            RecipeError: If this release does not know their physics.
        """
        split = dataset.any_split(name)
        if "sources" not in names_of_trajectories(split):
            physics = physics_of(dataset.manifest.recipe)
            return cls(dataset, split, None, physics, time_step_of_states(dataset))
        dynamics = dynamics_of_moments(dataset)
        max_sources = split.layout.array("sources").shape[1]
        moments = MovingMoments(dynamics, dataset.columns, max_sources)
        return cls(dataset, split, moments, None, dynamics.seconds)

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.split)

    @property
    def num_steps(self) -> int:
        """Steps of a trajectory."""
        return self._shape[0] - 1

    @property
    def state_shape(self) -> tuple[int, ...]:
        """Shape of a state."""
        return self._shape[1:]

    @property
    def unit(self) -> str:
        """Unit of the states; empty if it is not known."""
        return self.split.layout.array(self.name).unit

    @property
    def place(self) -> str:
        """Split and directory, for messages."""
        return f"split {self.split.name!r} of {self.dataset.directory}"

    def block(self, number: int) -> TrajectoryBlock:
        """Read a block."""
        (found,) = self.split.read((number,))
        states, size = found.values(self.name), self.split.layout.samples_per_block
        count = len(states)
        start, substeps = states[:, 0], np.ones(count, np.float32)
        if self.moments is not None:
            start, substeps = found.values("sources"), found.values(SUBSTEPS)
        states, start = (_filled(one, size) for one in (states, start))
        return TrajectoryBlock(states, start, _filled(substeps, size, 1.0), count)

    @property
    def name(self) -> str:
        """Name of the states in the dataset."""
        return names_of_trajectories(self.split)["states"]

    @property
    def _shape(self) -> tuple[int, ...]:
        return self.split.layout.array(self.name).shape[1:]


def _filled(values: np.ndarray, size: int, value: float = 0.0) -> np.ndarray:
    padding = [(0, size - len(values))] + [(0, 0)] * (values.ndim - 1)
    return np.pad(values, padding, constant_values=value)
