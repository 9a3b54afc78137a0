"""Networks of steps on one split, and their errors, from which a page chooses samples."""

from dataclasses import dataclass, field
from typing import NamedTuple

from hypermagnetics.data import Dataset
from hypermagnetics.evaluate.results.array_records import (
    ArrayDataset,
    ArrayEvaluation,
    ArraySubject,
)
from hypermagnetics.evaluate.rollouts.baselines import Baseline, baselines_of
from hypermagnetics.evaluate.rollouts.measurement import MeasuredRollouts, measure_rollouts
from hypermagnetics.evaluate.rollouts.trajectories import StoredTrajectories
from hypermagnetics.log import SILENT, Listener
from hypermagnetics.models import ArrayModel


class EvaluatedNetwork(NamedTuple):
    """A network that gives the next state."""

    record: ArraySubject
    model: ArrayModel


@dataclass
class RolloutSplit:
    """Networks of steps on the trajectories of one split, evaluated one after another."""

    about: ArrayDataset
    dataset: Dataset
    split: str
    metrics_only: bool = False
    """Whether neither baselines nor the stored trajectories stand beside the networks."""
    networks: list[EvaluatedNetwork] = field(default_factory=list)
    """Those that were evaluated."""
    measured: dict[str, MeasuredRollouts] = field(default_factory=dict)
    """Scores and errors of each subject, by its name."""

    @property
    def data(self) -> StoredTrajectories:
        """The trajectories."""
        return StoredTrajectories.of(self.dataset, self.split)

    @property
    def baselines(self) -> tuple[Baseline, ...]:
        """Those that stand beside the networks."""
        return () if self.metrics_only else baselines_of(self.data)

    def evaluate(
        self, record: ArraySubject, model: ArrayModel, listener: Listener = SILENT
    ) -> list[ArrayEvaluation]:
        """Errors of a network, and with the first one those of baselines and stored trajectories.

        Args:
            record: The network.
            model: The network.
            listener: Receives the number of samples just predicted.
        """
        is_first = not self.networks
        found = measure_rollouts(
            model,
            self.data,
            listener,
            self.baselines if is_first else (),
            with_truth=is_first and not self.metrics_only,
        )
        self.networks.append(EvaluatedNetwork(record, model))
        named = {name or record.name: one for name, one in found.items()}
        self.measured |= named
        return [
            ArrayEvaluation(
                subject=subject,
                dataset=self.about.name,
                split=self.split,
                num_samples=len(self.data),
                targets=None,
                jacobian=None,
                rollout=one.scores,
            )
            for subject, one in named.items()
        ]
