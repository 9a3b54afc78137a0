"""The time of predictions, by the number of samples, sources and points."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hypermagnetics.data import Split
from hypermagnetics.evaluate.results.records import Timing
from hypermagnetics.evaluate.subjects.subject import PointModel, Subject
from hypermagnetics.evaluate.timing.question import Question, material
from hypermagnetics.evaluate.timing.repeats import Clock, Repeats, timed
from hypermagnetics.sources import SourceColumns

NUMS_SOURCES = (10, 100, 1_000, 10_000)
SWEPT_AT_POINTS = 1_000
NUMS_POINTS = (100, 1_000, 10_000, 100_000)
SWEPT_AT_SOURCES = 10

_SECONDS_PER_SWEEP = 2.5
"""[s]. No size begins later. A model that compiles for every shape spends most of it on that: a
numpy function takes a second for all sizes, a model on two busy cores some five."""
_LONGEST_CALL = 0.5
"""[s]. No size begins whose call would take longer."""


@dataclass(frozen=True)
class _Stopwatch:
    """Times predictions of one subject."""

    subject: str
    dataset: str
    model: PointModel
    clock: Clock

    def of(self, sweep: str, question: Question) -> Timing:
        """Time one prediction, with repeats."""
        num_samples, num_sources, _ = question.sources.shape
        num_points = len(question.points)
        found: Repeats = timed(
            lambda: self.model.predict(question.sources, question.points, num_samples), self.clock
        )
        return Timing(
            subject=self.subject,
            dataset=self.dataset,
            sweep=sweep,
            num_samples=num_samples,
            num_sources=num_sources,
            num_points=num_points,
            median_seconds=found.median,
            spread_seconds=found.spread,
            repeats=found.count,
            seconds_per_source=found.median / (num_samples * num_sources),
            seconds_per_point=found.median / (num_samples * num_points),
        )

    def sweep(
        self, name: str, sizes: tuple[int, ...], question_of: Callable[[int], Question]
    ) -> Iterator[Timing]:
        """Time one size after another, within the limits of a sweep."""
        start = self.clock()
        done: list[tuple[int, float]] = []
        for size in sizes:
            if _expected(done, size) > _LONGEST_CALL or self.clock() - start > _SECONDS_PER_SWEEP:
                return
            timing = self.of(name, question_of(size))
            done.append((size, timing.median_seconds))
            yield timing


def time_subject(
    subject: Subject,
    dataset_name: str,
    columns: SourceColumns,
    split: Split,
    clock: Clock = time.perf_counter,
) -> tuple[Timing, ...]:
    """Time a subject on a block of a split, and on one configuration of many sizes.

    The sweeps go up in powers of ten: 10 to 10^4 sources at 1000 points, and 100 to 10^5 points of
    10 sources. They end early where a call takes long. Soft bodies are timed on the block alone.

    Args:
        subject: The subject.
        dataset_name: Name of the dataset in tables.
        columns: Columns of the source tables.
        split: The split of the sources and points.
        clock: Reads the time [s].

    Returns:
        The times; none for a subject without a point model.
    """
    if subject.model is None:
        return ()
    watch = _Stopwatch(subject.name, dataset_name, subject.model, clock)
    found = material(columns, split)
    if columns.is_soft:  # those of several samples would overlap
        return (watch.of("block", found.block),)
    return (
        watch.of("block", found.block),
        *watch.sweep(
            "sources", NUMS_SOURCES, lambda size: found.one_configuration(size, SWEPT_AT_POINTS)
        ),
        *watch.sweep(
            "points", NUMS_POINTS, lambda size: found.one_configuration(SWEPT_AT_SOURCES, size)
        ),
    )


def _expected(done: list[tuple[int, float]], size: int) -> float:
    """Lower estimate of the time of a size [s]: on the line through the last two, if rising."""
    if len(done) < 2:
        return done[-1][1] if done else 0.0
    (smaller, short), (larger, long) = done[-2:]
    slope = max(long - short, 0.0) / (larger - smaller)
    return long + slope * (size - larger)
