"""All subjects and baselines on the splits of one dataset."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from hypermagnetics.data import Split
from hypermagnetics.evaluate.baselines import available_baselines
from hypermagnetics.evaluate.baselines.soft_solve import (
    SAMPLES,
    Compared,
    comparison,
    hard_magnets,
    seconds_of,
    solves,
)
from hypermagnetics.evaluate.bounds import Bounds
from hypermagnetics.evaluate.cluster_run import ClusterParts
from hypermagnetics.evaluate.measuring.detail import Evaluated
from hypermagnetics.evaluate.measuring.evaluations import Slopes, evaluated_of, evaluation_of
from hypermagnetics.evaluate.measuring.measurement import join_parts, measure_split
from hypermagnetics.evaluate.measuring.sample_file import SampleFile, sample_table
from hypermagnetics.evaluate.measuring.slopes import measure_slopes
from hypermagnetics.evaluate.physics import laws_left_out, measure_physics
from hypermagnetics.evaluate.plan import OpenedDataset, Plan
from hypermagnetics.evaluate.results.records import Evaluation, Physics, SubjectRecord, Timing
from hypermagnetics.evaluate.subjects.subject import Subject
from hypermagnetics.evaluate.timing import time_subject
from hypermagnetics.files import name_in_text
from hypermagnetics.log import Listener

_PAIRS_OF_BASELINES = 20_000_000
"""Most pairs of source and point for a baseline on each split; limits its samples."""


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


def evaluate_dataset(
    plan: Plan,
    one: OpenedDataset,
    samples: SampleFile,
    listener: Listener,
    elsewhere: ClusterParts | None = None,
) -> Found:
    """Evaluate all subjects on one dataset.

    Args:
        plan: The plan.
        one: The dataset.
        samples: File for the per-sample values.
        listener: Receives the number of samples just predicted.
        elsewhere: Workers of a cluster that predict; None to predict here.

    Returns:
        The findings.
    """
    found = Found()
    for name in one.splits:
        split = one.dataset.split(name)
        found += _evaluate_split(plan, one, split, samples, listener, elsewhere)
    return found


def evaluate_baselines(plan: Plan, one: OpenedDataset, listener: Listener) -> Found:
    """Evaluate baselines on one dataset, and measure physics and times.

    Args:
        plan: The plan.
        one: The dataset.
        listener: Receives a short description of each step.

    Returns:
        The findings.
    """
    baselines, left_out = available_baselines(one.columns)
    records = tuple(map(record_of, baselines))
    listener.tell(f"baselines on {one.name} ...")
    found = Found(baselines=records, notes=left_out)
    if one.columns.is_soft:
        for name in one.splits:
            found += _beside_solves(plan, one, one.dataset.split(name), listener)
        by_name = {record.name: record for record in found.baselines}
        found = replace(found, baselines=tuple(by_name.values()))
    else:
        bounds = Bounds.of(plan.subjects_on(one), one)
        found += Found(baselines=bounds.records)
        for name in one.splits:
            split = one.dataset.split(name)
            found += Found(
                evaluations=(*_direct_sums(plan, one, split, baselines), *bounds.on(one, split))
            )
    return found + _laws_and_times(plan, one, baselines, listener)


def _evaluate_split(
    plan: Plan,
    one: OpenedDataset,
    split: Split,
    samples: SampleFile,
    listener: Listener,
    elsewhere: ClusterParts | None,
) -> Found:
    start, subjects = time.perf_counter(), plan.predicted_on(one)
    if elsewhere is None:
        measurements = measure_split(
            subjects,
            split,
            one.columns,
            unit=one.length_unit,
            directory=plan.out,
            listener=listener,
        )
    else:
        parts = elsewhere.on(plan, one, split)
        measurements = join_parts(parts, len(subjects), split, plan.out, listener)
    seconds = (time.perf_counter() - start) / len(subjects)
    slopes, found = _by_sources(plan, one, split, subjects, listener)
    for subject, measurement in zip(subjects, measurements, strict=True):
        names = (subject.name, one.name, split.name)
        evaluation = evaluation_of(measurement, names, seconds, slopes.get(subject.name))
        if subject.learned_part_of is not None:
            found += Found(evaluations=(evaluation,))
            continue
        samples.add(*names[1:], subject.name, sample_table(measurement))
        evaluated = evaluated_of(evaluation, measurement, subject, split, one.columns)
        found += Found(evaluations=(evaluation,), evaluated=(evaluated,))
    return found


def _by_sources(
    plan: Plan,
    one: OpenedDataset,
    split: Split,
    subjects: Sequence[Subject],
    listener: Listener,
) -> tuple[dict[str, Slopes], Found]:
    """Errors of derivatives by the sources by subject, and a note on those that have none."""
    along = plan.directions(one, split)
    if along is None:
        return {}, Found()
    listener.tell(f"derivatives by the sources on {one.name}, {split.name} ...")
    known = {subject.name: subject.slopes for subject in subjects if subject.slopes is not None}
    errors = measure_slopes(tuple(known.values()), split, along, plan.out)
    notes = tuple(
        f"{subject.name} is no model of this package: its derivatives by the sources are not known."
        for subject in subjects
        if subject.slopes is None and subject.learned_part_of is None
    )
    names = zip(known, errors, strict=True)
    return {name: Slopes(along.parameters, part) for name, part in names}, Found(notes=notes)


def _direct_sums(
    plan: Plan, one: OpenedDataset, split: Split, baselines: tuple[Subject, ...]
) -> tuple[Evaluation, ...]:
    """Evaluate the baselines that sum over all sources, on the first samples."""
    layout = split.layout
    pairs = layout.max_sources * layout.num_points
    start = time.perf_counter()
    measurements = measure_split(
        baselines,
        split,
        one.columns,
        unit=one.length_unit,
        directory=plan.out,
        num_samples=max(_PAIRS_OF_BASELINES // pairs, 1),
    )
    seconds = (time.perf_counter() - start) / len(baselines)
    return tuple(
        evaluation_of(measurement, (subject.name, one.name, split.name), seconds)
        for subject, measurement in zip(baselines, measurements, strict=True)
    )


def _beside_solves(plan: Plan, one: OpenedDataset, split: Split, listener: Listener) -> Found:
    """The hard magnets alone and solves by cells, on the first samples, beside the subjects."""
    found, compared = Found(), []
    listener.tell(f"solves of {SAMPLES} samples of {split.name} of {one.name} ...")

    def measured(subject: Subject) -> Evaluation:
        start = time.perf_counter()
        (measurement,) = measure_split(
            (subject,),
            split,
            one.columns,
            unit=one.length_unit,
            directory=plan.out,
            num_samples=SAMPLES,
        )
        seconds = time.perf_counter() - start
        return evaluation_of(measurement, (subject.name, one.name, split.name), seconds)

    for subject, seconds in ((hard_magnets(one.columns), 0.0), *solves(one.columns, split)):
        evaluation = measured(subject)
        found += Found(evaluations=(evaluation,), baselines=(record_of(subject),))
        if seconds:
            error = evaluation.field.median_relative_error
            compared.append(Compared(subject.name, error, seconds))
    for subject in plan.subjects_on(one):
        if subject.model is not None:
            error = measured(subject).field.median_relative_error
            own = Compared(subject.name, error, seconds_of(subject.model, split))
            found += Found(notes=(comparison(split.name, own, compared),))
    return found


def _laws_and_times(
    plan: Plan, one: OpenedDataset, baselines: tuple[Subject, ...], listener: Listener
) -> Found:
    """Physics and times of all subjects with a point model, on the split with most sources."""
    split = max(
        (one.dataset.split(name) for name in one.splits), key=lambda s: s.layout.max_sources
    )
    found = Found(notes=laws_left_out(one.columns))
    for subject in (*plan.subjects_on(one), *baselines):
        if subject.model is None:
            sentence = f"{subject.name} is a file: its physics and its speed cannot be measured."
            found += Found(notes=(sentence,))
            continue
        listener.tell(f"physics and times of {subject.name} on {one.name} ...")
        properties = measure_physics(subject.model, one.columns, split)
        physics = Physics(subject.name, one.name, split.name, properties)
        timings = time_subject(subject, one.name, one.columns, split)
        found += Found(physics=(physics,), timings=timings)
    return found


def record_of(subject: Subject) -> SubjectRecord:
    """The record of a subject in results.json."""
    return SubjectRecord(
        name=subject.name,
        kind=subject.kind,
        place=name_in_text(subject.place),
        sha256=subject.sha256,
        num_parameters=subject.num_parameters,
        rank=subject.rank,
        knowledge=subject.knowledge,
        learned_part_of=subject.learned_part_of,
    )
