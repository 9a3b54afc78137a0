"""The samples of a split that are shown, and their trajectories by each network."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hypermagnetics.evaluate.measuring.detail import Rank
from hypermagnetics.evaluate.measuring.evaluations import chosen_samples
from hypermagnetics.evaluate.rollouts.evaluation import RolloutSplit
from hypermagnetics.evaluate.rollouts.measurement import rolled_out_blocks
from hypermagnetics.evaluate.rollouts.trajectories import StoredTrajectories

SHOWN: tuple[Rank, ...] = ("median", "worst")
"""Ranks of the samples that are shown."""

_MOST_STATES = 400
"""States of a trajectory that are shown; a panel of the page has about as many pixels."""


_UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9), ("ps", 1e-12))


@dataclass(frozen=True)
class TimeAxis:
    """States of trajectories in time."""

    quantity: str
    unit: str
    """Empty if it is not known."""
    step: float
    """Time between two states in this unit; 1 of iterates, and where it is not known."""

    @classmethod
    def of(cls, data: StoredTrajectories) -> "TimeAxis":
        """That of the trajectories of a split."""
        if data.time_step is None:
            return cls("step", "", 1.0)
        if data.moments is None:  # in the unit of the equations, or of a user
            return cls("time", "", data.time_step)
        whole = data.num_steps * data.time_step
        unit, scale = next((one for one in _UNITS if whole >= one[1]), _UNITS[-1])
        return cls("time", unit, data.time_step / scale)

    @property
    def name(self) -> str:
        """Name of the axis, with its unit if that is known."""
        return f"{self.quantity} [{self.unit}]" if self.unit else self.quantity

    @property
    def column(self) -> str:
        """Name of a column of times in a CSV file."""
        return f"{self.quantity}_{self.unit}".rstrip("_").replace("µ", "u")


@dataclass(frozen=True)
class SampleRollout:
    """The trajectory of one sample, by a network: numbers alone, drawn in any process."""

    subject: str
    dataset: str
    split: str
    sample: int
    """Number of the sample, from 0."""
    rank: Rank
    what: str
    """Name of the states in the dataset."""
    unit: str
    is_of_moments: bool
    time: TimeAxis
    num_steps: int
    every: int
    """Distance of the states below, in steps."""
    truth: Float[np.ndarray, "states ..."]
    found: Float[np.ndarray, "states ..."]
    last_truth: Float[np.ndarray, "..."]
    """The last state."""
    last_found: Float[np.ndarray, "..."]
    relative_l2: float
    """Relative L2 error of the last state."""


def shown_samples(split: RolloutSplit) -> dict[Rank, int]:
    """The samples of median and worst error of the first network of a split, at the last step."""
    found = chosen_samples(_last_errors(split, split.networks[0].record.name))
    return {rank: found[rank] for rank in SHOWN}


def sample_rollouts(split: RolloutSplit) -> Iterator[SampleRollout]:
    """Roll out the blocks of the shown samples again, and yield their trajectories.

    Args:
        split: Networks on a split.

    Yields:
        That of every network, for each sample.
    """
    data, samples = split.data, shown_samples(split)
    size, every = data.split.layout.samples_per_block, -(-data.num_steps // _MOST_STATES)
    # States on a grid of several axes are shown at the last step alone.
    stop = 1 if data.moments is None and len(data.state_shape) > 2 else data.num_steps + 1
    for record, model in split.networks:
        errors = _last_errors(split, record.name)
        blocks = sorted({sample // size for sample in samples.values()})
        for number, block in zip(
            blocks, rolled_out_blocks(model, data, blocks=blocks), strict=True
        ):
            for rank, sample in samples.items():
                if sample // size != number:
                    continue
                truth, found = (
                    states[sample % size].astype(np.float64)
                    for states in (block.truth, block.of_network)
                )
                yield SampleRollout(
                    subject=record.name,
                    dataset=split.about.name,
                    split=split.split,
                    sample=sample,
                    rank=rank,
                    what=data.name,
                    unit=data.unit,
                    is_of_moments=data.moments is not None,
                    time=TimeAxis.of(data),
                    num_steps=data.num_steps,
                    every=every,
                    truth=truth[:stop:every],
                    found=found[:stop:every],
                    last_truth=truth[-1],
                    last_found=found[-1],
                    relative_l2=float(errors[sample]),
                )


def _last_errors(split: RolloutSplit, subject: str) -> np.ndarray:
    return split.measured[subject].relative[:, -1].astype(np.float64)
