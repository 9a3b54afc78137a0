"""All subjects and baselines on the splits of one dataset."""

import time

from hypermagnetics.data import Split
from hypermagnetics.evaluate.baselines import available_baselines
from hypermagnetics.evaluate.bounds import Bounds
from hypermagnetics.evaluate.datasets import OpenedDataset
from hypermagnetics.evaluate.found import Found, record_of
from hypermagnetics.evaluate.measuring.evaluations import evaluated_of, evaluation_of
from hypermagnetics.evaluate.measuring.measurement import measure_split
from hypermagnetics.evaluate.measuring.sample_file import SampleFile, sample_table
from hypermagnetics.evaluate.physics import measure_physics
from hypermagnetics.evaluate.plan import Advance, Plan, Tell
from hypermagnetics.evaluate.results.records import Physics
from hypermagnetics.evaluate.subjects.subject import Subject
from hypermagnetics.evaluate.timing import time_subject

_PAIRS_OF_BASELINES = 20_000_000
"""Most pairs of source and point for a baseline on each split; limits its samples."""


def evaluate_dataset(
    plan: Plan, one: OpenedDataset, samples: SampleFile, advance: Advance
) -> Found:
    """Evaluate all subjects on one dataset.

    Args:
        plan: The plan.
        one: The dataset.
        samples: File for the per-sample values.
        advance: Called with the number of samples just predicted.

    Returns:
        The findings.
    """
    found = Found()
    for name in one.splits:
        found += _evaluate_split(plan, one, one.dataset.split(name), samples, advance)
    return found


def look_further(plan: Plan, one: OpenedDataset, tell: Tell) -> Found:
    """Evaluate baselines on one dataset, and measure physics and times.

    Args:
        plan: The plan.
        one: The dataset.
        tell: Called with a short description of the current step.

    Returns:
        The findings.
    """
    baselines, left_out = available_baselines(one.columns)
    found = Found(baselines=tuple(map(record_of, baselines)), notes=left_out)
    tell(f"baselines on {one.name}")
    bounds = Bounds.of(plan.subjects, one)
    for name in one.splits:
        split = one.dataset.split(name)
        found += _direct_sums(plan, one, split, baselines) + bounds.on(one, split)
    return found + _laws_and_times(plan, one, baselines, tell)


def _evaluate_split(
    plan: Plan, one: OpenedDataset, split: Split, samples: SampleFile, advance: Advance
) -> Found:
    start = time.perf_counter()
    measurement = measure_split(
        plan.subjects,
        split,
        one.columns,
        unit=one.length_unit,
        directory=plan.out,
        advance=advance,
    )
    seconds = (time.perf_counter() - start) / len(plan.subjects)
    found = Found()
    for subject, comparison in zip(plan.subjects, measurement.comparisons, strict=True):
        names = (subject.name, one.name, split.name)
        samples.add(*names[1:], subject.name, sample_table(measurement.num_sources, comparison))
        evaluation = evaluation_of(measurement, comparison, names, seconds)
        evaluated = evaluated_of(evaluation, measurement, comparison, subject, split, one.columns)
        found += Found(evaluations=(evaluation,), evaluated=(evaluated,))
    return found


def _direct_sums(
    plan: Plan, one: OpenedDataset, split: Split, baselines: tuple[Subject, ...]
) -> Found:
    """Evaluate the baselines that sum over all sources, on the first samples."""
    layout = split.layout
    pairs = layout.max_sources * layout.num_points
    start = time.perf_counter()
    measurement = measure_split(
        baselines,
        split,
        one.columns,
        unit=one.length_unit,
        directory=plan.out,
        advance=lambda count: None,
        num_samples=max(_PAIRS_OF_BASELINES // pairs, 1),
    )
    seconds = (time.perf_counter() - start) / len(baselines)
    evaluations = tuple(
        evaluation_of(measurement, comparison, (subject.name, one.name, split.name), seconds)
        for subject, comparison in zip(baselines, measurement.comparisons, strict=True)
    )
    return Found(evaluations=evaluations)


def _laws_and_times(
    plan: Plan, one: OpenedDataset, baselines: tuple[Subject, ...], tell: Tell
) -> Found:
    """Physics and times of all subjects with a point model, on the split with most sources."""
    split = max(
        (one.dataset.split(name) for name in one.splits), key=lambda s: s.layout.max_sources
    )
    found = Found()
    for subject in (*plan.subjects, *baselines):
        if subject.model is None:
            sentence = f"{subject.name} is a file: its physics and its speed cannot be measured."
            found += Found(notes=(sentence,))
            continue
        tell(f"physics and times of {subject.name} on {one.name}")
        properties = measure_physics(subject.model, one.columns, split)
        physics = Physics(subject.name, one.name, split.name, properties)
        timings = time_subject(subject, one.name, one.columns, split)
        found += Found(physics=(physics,), timings=timings)
    return found
