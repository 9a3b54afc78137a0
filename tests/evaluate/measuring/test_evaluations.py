"""Which samples are shown and named, and the distribution of errors."""

import numpy as np
import pytest
from evaluate_records import measured

from hypermagnetics.evaluate.measuring.evaluations import (
    chosen_samples,
    evaluated_of,
    evaluation_of,
)
from hypermagnetics.evaluate.subjects.subject import Subject
from hypermagnetics.sources import SourceColumns

DISCS = SourceColumns.of("disc", constants={"radius": 1.0})


def test_the_chosen_samples_are_in_the_order_of_their_errors():
    errors = np.array([0.5, np.nan, 0.1, 0.3, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 1.0, np.inf])
    chosen = chosen_samples(errors)
    assert errors[chosen["median"]] == 0.6
    assert errors[chosen["p90"]] == 1.0
    assert errors[chosen["worst"]] == np.inf
    assert chosen_samples(np.array([np.nan])) == {"median": 0, "p90": 0, "worst": 0}


def test_the_worst_samples_are_named():
    relative = np.repeat(np.array([0.3, 0.1, 0.9, 0.2, 0.5, 0.4, 0.6])[:, None], 5, axis=1)
    record = evaluation_of(measured(relative), ("run", "discs", "test"), 1.0)
    assert [one.name for one in record.worst_samples] == [
        "test[2]",
        "test[6]",
        "test[4]",
        "test[5]",
        "test[0]",
    ]
    worst = record.worst_samples[0]
    assert (worst.sample, worst.num_sources) == (2, 3)
    assert worst.potential_relative_l2 == pytest.approx(0.9)
    assert (record.num_samples, record.num_points) == (7, 5)


def test_the_distribution_counts_every_point(tiny):
    relative = np.array([[0.0, 1e-12, 0.011, 0.012, np.inf, 5e7, np.nan, 0.5]])
    measurement = measured(relative)
    record = evaluation_of(measurement, ("run", "discs", "test"), 1.0)
    assert record.potential.ci95 is None
    split = tiny.split("test_multi")
    subject = Subject("run", "run", "run", lambda split, num_samples: pytest.fail("not asked"))
    shown = evaluated_of(record, measurement, subject, split, DISCS).potential
    assert shown.error_shares.sum() == pytest.approx(7 / 8)  # one has no relative error
    assert shown.error_shares[0] == pytest.approx(2 / 8)
    assert shown.error_shares[-1] == pytest.approx(2 / 8)
    inside = np.flatnonzero(shown.error_shares[1:-1]) + 1
    assert shown.error_edges[inside[0]] <= 0.011 < 0.012 < shown.error_edges[inside[0] + 1]
    assert shown.error_shares[inside[0]] == pytest.approx(2 / 8)
