"""Intermediate results of an evaluation."""

from dataclasses import dataclass, fields

from hypermagnetics.evaluate.measuring.detail import Evaluated
from hypermagnetics.evaluate.results.records import Evaluation, Physics, SubjectRecord, Timing
from hypermagnetics.evaluate.subjects.subject import Subject


@dataclass(frozen=True)
class Found:
    """Results of an evaluation so far, in order."""

    evaluations: tuple[Evaluation, ...] = ()
    evaluated: tuple[Evaluated, ...] = ()
    """Data for figures, of all subjects but baselines."""
    physics: tuple[Physics, ...] = ()
    timings: tuple[Timing, ...] = ()
    baselines: tuple[SubjectRecord, ...] = ()
    notes: tuple[str, ...] = ()

    def __add__(self, more: "Found") -> "Found":
        """The results of both, in order."""
        names = [field.name for field in fields(self)]
        return Found(**{name: getattr(self, name) + getattr(more, name) for name in names})


def record_of(subject: Subject) -> SubjectRecord:
    """The record of a subject in results.json."""
    return SubjectRecord(
        name=subject.name,
        kind=subject.kind,
        place=subject.place,
        sha256=subject.sha256,
        num_parameters=subject.num_parameters,
        rank=subject.rank,
    )
