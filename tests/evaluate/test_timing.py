"""Times, measured with a clock that a model sets."""

import itertools
import math
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from hypermagnetics.evaluate.baselines import exact_sum
from hypermagnetics.evaluate.subjects.subject import PotentialAndField, Subject, on_any_split
from hypermagnetics.evaluate.timing import time_subject
from hypermagnetics.evaluate.timing.question import material
from hypermagnetics.evaluate.timing.repeats import timed
from hypermagnetics.evaluate.timing.sweep import NUMS_POINTS, NUMS_SOURCES
from hypermagnetics.sources import SourceColumns

DISCS = SourceColumns.of("disc", constants={"radius": 1.0})
SWEPT = ("block", "sources", "points")


@pytest.fixture(autouse=True)
def all_sizes_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests time two."""
    sweep = "hypermagnetics.evaluate.timing.sweep"
    monkeypatch.setattr(f"{sweep}.NUMS_SOURCES", NUMS_SOURCES)
    monkeypatch.setattr(f"{sweep}.NUMS_POINTS", NUMS_POINTS)


@dataclass
class Clockwork:
    """A model that takes a time of its own, and 0.1 s more for each new shape."""

    per_pair: float = 0.0
    per_question: float = 1e-3
    compiling: float = 0.1
    now: float = 5.0
    asked: list[tuple[int, ...]] = field(default_factory=list)

    def predict(
        self, sources: np.ndarray, points: np.ndarray, num_samples: int
    ) -> PotentialAndField:
        """See `PointModel`."""
        shape = (*sources.shape[:2], len(points))
        assert num_samples == shape[0]
        if shape not in self.asked:
            self.now += self.compiling
        self.asked.append(shape)
        self.now += self.per_question + self.per_pair * math.prod(shape)
        return PotentialAndField(np.zeros((1, 1)), np.zeros((1, 1, 2)))

    def clock(self) -> float:
        """The time of the model."""
        return self.now


def _subject(model) -> Subject:
    return Subject("clockwork", "function", "here", on_any_split(model), model)


def _times(model: Clockwork, split):
    found = time_subject(_subject(model), "discs", DISCS, split, model.clock)
    return {sweep: [timing for timing in found if timing.sweep == sweep] for sweep in SWEPT}


def test_a_fast_model_is_timed_at_all_sizes(tiny):
    found = _times(Clockwork(), tiny.split("test_multi"))
    shapes = {
        sweep: [(t.num_samples, t.num_sources, t.num_points) for t in found[sweep]]
        for sweep in SWEPT
    }
    assert shapes["block"] == [(8, 4, 24)]
    assert shapes["sources"] == [(1, 10**power, 1000) for power in range(1, 5)]
    assert shapes["points"] == [(1, 10, 10**power) for power in range(2, 6)]
    for timing in (*found["block"], *found["sources"], *found["points"]):
        assert timing.repeats == 7
        assert timing.median_seconds == pytest.approx(1e-3)  # without what compiling takes
        assert timing.spread_seconds == pytest.approx(0, abs=1e-12)
        samples = timing.num_samples
        assert timing.seconds_per_source == pytest.approx(1e-3 / (samples * timing.num_sources))
        assert timing.seconds_per_point == pytest.approx(1e-3 / (samples * timing.num_points))
    assert (timing.subject, timing.dataset) == ("clockwork", "discs")


def test_what_would_take_too_long_is_never_begun(tiny):
    """1e-6 s a pair: 0.1 s for 100 sources at 1000 points, 1 s for 1000."""
    model = Clockwork(per_pair=1e-6)
    found = _times(model, tiny.split("test_multi"))
    assert [timing.num_sources for timing in found["sources"]] == [10, 100]
    assert [timing.num_points for timing in found["points"]] == [100, 1000, 10_000]
    assert max(model.asked, key=math.prod) in [(1, 100, 1000), (1, 10, 10_000)]
    assert found["sources"][-1].repeats == 3
    assert model.now - 5 < 4


def test_slow_calls_are_not_repeated_and_end_a_sweep(tiny):
    model = Clockwork(per_question=2.0)
    found = _times(model, tiny.split("test_multi"))
    assert [len(found[sweep]) for sweep in SWEPT] == [1, 1, 1]
    assert found["block"][0].repeats == 1
    assert math.isnan(found["block"][0].spread_seconds)


def test_compilation_counts_for_the_time_there_is(tiny):
    model = Clockwork(compiling=0.7)
    found = _times(model, tiny.split("test_multi"))
    # 10 sources at 1000 points are in both sweeps, and compiled in the first.
    assert [len(found[sweep]) for sweep in SWEPT] == [1, 4, 4]


def test_median_and_spread_are_those_of_the_repeats():
    seconds = [0.015, 0.005, 0.01, 0.025, 0.02, 0.01, 0.015]
    durations, now = [9.0, *seconds], [0.0]

    def call():
        now[0] += durations.pop(0)

    found = timed(call, lambda: now[0])
    low, median, high = np.quantile(seconds, [0.25, 0.5, 0.75])
    assert found.count == 7
    assert found.median == pytest.approx(median)
    assert found.spread == pytest.approx((high - low) / 2)


def test_sources_and_points_stay_in_their_region_and_apart(mixture):
    split, dim = mixture.dataset.split("test"), mixture.columns.dim
    found = material(mixture.columns, split)
    assert len(found.rows) == split.block(0).num_sources.sum() == 20
    question = found.one_configuration(500, 300)
    table, points = question.sources[0], question.points
    assert (table.shape, points.shape) == ((500, mixture.columns.size), (300, dim))
    assert question.sources.dtype == points.dtype == np.float32
    np.testing.assert_array_equal(table[:20], found.rows)
    np.testing.assert_array_equal(table[20:40, 2 * dim :], found.rows[:, 2 * dim :])
    positions = table[:, dim : 2 * dim]
    assert len(np.unique(positions, axis=0)) == 500
    assert len(np.unique(points, axis=0)) == 300
    for moved, own in ((positions, positions[:20]), (points, split.block(0).grid)):
        assert (moved.max(axis=0) <= own.max(axis=0) + 0.25).all()
        assert (moved.min(axis=0) >= own.min(axis=0) - 0.25).all()


def test_large_grids_are_asked_for_fewer_samples(tiny, monkeypatch):
    monkeypatch.setattr("hypermagnetics.evaluate.measuring.measurement._VALUES_PER_CALL", 24 * 3)
    found = _times(Clockwork(), tiny.split("test_multi"))
    assert found["block"][0].num_samples == 3


def test_what_cannot_be_asked_has_no_times(tiny):
    silent = replace(_subject(Clockwork()), model=None)
    assert time_subject(silent, "discs", DISCS, tiny.split("test_multi")) == ()


@pytest.mark.slow
def test_the_exact_sum_is_timed(tiny, monkeypatch):
    for sizes in ("NUMS_SOURCES", "NUMS_POINTS"):
        monkeypatch.setattr(f"hypermagnetics.evaluate.timing.sweep.{sizes}", (1, 10))
    monkeypatch.setattr("hypermagnetics.evaluate.timing.sweep.SWEPT_AT_POINTS", 10)
    tick = 2**-10  # of a clock that goes on whenever it is read
    clock = (tick * reading for reading in itertools.count()).__next__
    found = time_subject(exact_sum(DISCS), "discs", DISCS, tiny.split("test_multi"), clock)
    assert [(t.sweep, t.num_samples, t.num_sources, t.num_points) for t in found] == [
        ("block", 8, 4, 24),
        *(("sources", 1, size, 10) for size in (1, 10)),
        *(("points", 1, 10, size) for size in (1, 10)),
    ]
    times = {(timing.median_seconds, timing.spread_seconds, timing.repeats) for timing in found}
    assert times == {(tick, 0.0, 7)}
