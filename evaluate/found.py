"""What an evaluation has found so far."""

from dataclasses import dataclass, fields

from hypermagnetics.evaluate.measuring.detail import Evaluated
from hypermagnetics.evaluate.results.records import Evaluation, Physics, SubjectRecord, Timing
from hypermagnetics.evaluate.subjects.subject import Subject


@dataclass(frozen=True)
class Found:
    """What evaluations have found, one after another."""

    evaluations: tuple[Evaluation, ...] = ()
    evaluated: tuple[Evaluated, ...] = ()
    """Of the subjects that are no baselines."""
    physics: tuple[Physics, ...] = ()
    timings: tuple[Timing, ...] = ()
    baselines: tuple[SubjectRecord, ...] = ()
    notes: tuple[str, ...] = ()

    def __add__(self, more: "Found") -> "Found":
        """Both, in order."""
        names = [field.name for field in fields(self)]
        return Found(**{name: getattr(self, name) + getattr(more, name) for name in names})


def record_of(subject: Subject) -> SubjectRecord:
    """A subject, as results.json names it."""
    return SubjectRecord(
        name=subject.name,
        kind=subject.kind,
        place=subject.place,
        sha256=subject.sha256,
        num_parameters=subject.num_parameters,
        rank=subject.rank,
    )
