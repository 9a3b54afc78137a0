"""Lower bounds on the error of additive models: rank floors and the linear control."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypermagnetics.data import Split
from hypermagnetics.evaluate.baselines import (
    LINEAR_CONTROL_NAME,
    LinearControl,
    RankBasis,
    SourceKernel,
    linear_control,
    rank_basis,
    source_kernel,
)
from hypermagnetics.evaluate.measuring.evaluations import evaluation_of
from hypermagnetics.evaluate.measuring.measurement import measure_block
from hypermagnetics.evaluate.plan import OpenedDataset
from hypermagnetics.evaluate.results.records import Evaluation, SubjectRecord
from hypermagnetics.evaluate.subjects.subject import Subject
from hypermagnetics.models import Knowledge

_MADE = "least squares on the sources of the first split"


@dataclass(frozen=True)
class Bounds:
    """Least-squares fits to the kernel of a dataset, by their names in tables."""

    kernel: SourceKernel
    fits: dict[str, LinearControl | RankBasis]
    ranks: dict[str, int]
    """Rank K of each floor, by its name."""

    @classmethod
    def of(cls, subjects: Sequence[Subject], one: OpenedDataset) -> "Bounds":
        """Fit the linear control, and the rank floor of every subject with a rank.

        Args:
            subjects: Subjects of the evaluation.
            one: The dataset; its first split, as a rule the training split, is fitted.

        Returns:
            The fits.
        """
        kernel = source_kernel(one.columns, one.dataset.split(one.dataset.splits[0]))
        floors = {floor_name(subject, subjects): subject for subject in subjects if subject.rank}
        fits: dict[str, LinearControl | RankBasis] = {LINEAR_CONTROL_NAME: linear_control(kernel)}
        ranks = {name: subject.rank for name, subject in floors.items() if subject.rank}
        for name, rank in ranks.items():
            fits[name] = rank_basis(kernel, rank, floors[name].targets)
        return cls(kernel, fits, ranks)

    @property
    def records(self) -> tuple[SubjectRecord, ...]:
        """The fits as baselines of results.json."""
        return tuple(
            SubjectRecord(
                name, "baseline", _MADE, None, None, self.ranks.get(name), Knowledge.BASELINE
            )
            for name in self.fits
        )

    def on(self, one: OpenedDataset, split: Split) -> tuple[Evaluation, ...]:
        """Errors of the fits on the first block of a split.

        Args:
            one: The dataset.
            split: One of its splits.

        Returns:
            One evaluation for each fit, at the points of the kernel.
        """
        found, block = [], self.kernel.labelled(split)
        for name, fitted in self.fits.items():
            fit = fitted.fit(block)
            measurement = measure_block(fit.block, fit.predicted, one.columns, one.length_unit)
            names = (name, one.name, split.name)
            found.append(evaluation_of(measurement, names, 0.0))
        return tuple(found)


def floor_name(subject: Subject, subjects: Sequence[Subject]) -> str:
    """Name of the rank floor of a subject: its rank and, where needed, the subject's name.

    Without an exact part the floor depends on the rank alone.
    """
    if subject.targets is None:
        return f"rank floor, K={subject.rank}"
    with_part = [other for other in subjects if other.rank and other.targets is not None]
    of = f" of {subject.name}" if len(with_part) > 1 else ""
    return f"smooth rank floor{of}, K={subject.rank}"
