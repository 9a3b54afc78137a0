"""Inputs of the figures and tables: the whole report, and the errors on one split within it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, get_args

import numpy as np

from hypermagnetics.evaluate.measuring.detail import Evaluated, QuantityDetail, Rank
from hypermagnetics.evaluate.report.chart_axes import Look, looks
from hypermagnetics.evaluate.report.figures import Undrawn
from hypermagnetics.evaluate.report.rendering import Picture
from hypermagnetics.evaluate.results.records import Evaluation, Physics, QuantityScores, Results

Quantity = Literal["potential", "field"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)
Looks = Mapping[str, Look]
"""Colour and marker of each subject in all charts, by its name."""
RANK_NAMES: dict[Rank, str] = {"median": "median error", "p90": "p90 error", "worst": "worst"}


@dataclass(frozen=True)
class SplitErrors:
    """Errors of one quantity on one split: numbers alone, to be drawn in any process."""

    dataset: str
    split: str
    quantity: Quantity
    scores: Mapping[str, QuantityScores]
    """Scores of each subject, by its name."""
    details: Mapping[str, QuantityDetail]
    """Data for figures of the subjects that are shown in detail."""
    looks: Looks

    @property
    def choice(self) -> dict[str, str]:
        """Choices of the reader that show these errors."""
        return {"data": data_name(self), "quantity": self.quantity}

    def only(self, subject: str) -> "SplitErrors":
        """The errors of one subject alone, as other processes get copies of all that they draw."""
        return replace(
            self,
            scores={subject: self.scores[subject]},
            details={subject: self.details[subject]},
            looks={subject: self.looks[subject]},
        )

    def figure(self, kind: str, draw: Callable[["SplitErrors"], Picture]) -> Undrawn:
        """A figure of all subjects, and no other choice of the reader."""
        words = (kind, self.quantity, self.dataset, self.split)
        return Undrawn(words, self.choice, partial(draw, self))


@dataclass(frozen=True)
class Report:
    """All that a report shows."""

    results: Results
    evaluated: Sequence[Evaluated]
    """One entry per subject and split that is shown in detail."""

    @property
    def looks(self) -> Looks:
        """Colours and markers of the subjects."""
        return looks([subject.name for subject in self.results.subjects])

    def errors(self) -> Iterator[SplitErrors]:
        """Yield the errors of each quantity on each split."""
        for data in dict.fromkeys(map(data_name, self.results.evaluations)):
            own = [one for one in self.results.evaluations if data_name(one) == data]
            detailed = [one for one in self.evaluated if data_name(one.evaluation) == data]
            for quantity in QUANTITIES:
                yield SplitErrors(
                    own[0].dataset,
                    own[0].split,
                    quantity,
                    {one.subject: scores_of(one, quantity) for one in own},
                    {one.evaluation.subject: _detail_of(one, quantity) for one in detailed},
                    self.looks,
                )


def data_name(of: Evaluation | Physics | SplitErrors) -> str:
    """Name of a split of a dataset on the page."""
    return f"{of.dataset}, {of.split}"


def scores_of(evaluation: Evaluation, quantity: Quantity) -> QuantityScores:
    """Scores of one quantity."""
    return evaluation.potential if quantity == "potential" else evaluation.field


def _detail_of(evaluated: Evaluated, quantity: Quantity) -> QuantityDetail:
    detail = evaluated.potential if quantity == "potential" else evaluated.field
    # Errors of all samples are for maps; here they would be copied to other processes in vain.
    return replace(detail, sample_relative_l2=np.empty(0))
