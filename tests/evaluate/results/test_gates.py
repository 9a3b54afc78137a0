"""Gates: read, passed, failed."""

import math

import pytest
from evaluate_records import evaluation, quantity

from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.evaluate.results.gates import apply_gate, parse_gate, refuse_unknown_splits


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("test_multi.potential.median < 0.05", True),
        ("test_multi.potential.median < 0.0441", False),
        ("test_multi.potential.median <= 0.0441", True),
        ("test_multi.potential.median>=0.0441", True),
        ("  test_multi.potential.median   >   5e-2 ", False),
        ("test_multi.field.median_relative_error < 0.41", True),
        ("test_multi.potential.global_l2 < 0.08", True),
        ("test_multi.potential.sample_l2 < 0.04", False),
        ("test_multi.potential.by_region.near.median < 0.11", True),
        ("test_multi.potential.by_region.inside.p90 < 0.3", False),
        ("test_multi.potential.by_num_sources.4.p90 < 0.6", True),
        ("test_multi.field.by_body.disc.p99 < 1.3", True),
        ("test_multi.potential.nonfinite <= 0", True),
        ("test_multi.potential.zero_truth_points < 3", False),
    ],
)
def test_a_gate_is_a_bound_on_a_metric(text, passes):
    found = apply_gate(parse_gate(text), evaluation())
    assert found.passed is passes
    assert ("passed" if passes else "FAILED") in found.sentence
    assert text.strip() in found.sentence


def test_an_undefined_metric_fails_whatever_the_bound():
    for comparison in ("<", ">"):
        gate = parse_gate(f"test_multi.potential.by_region.beyond.median {comparison} 0.1")
        assert not apply_gate(gate, evaluation()).passed
        assert "undefined" in apply_gate(gate, evaluation()).sentence


def test_predictions_that_are_not_finite_fail_every_gate():
    blind = evaluation(potential=quantity(nonfinite_fraction=0.001))
    found = apply_gate(parse_gate("test_multi.potential.median < 0.9"), blind)
    assert not found.passed
    assert "0.1 % of the predictions are not finite" in found.sentence
    assert apply_gate(parse_gate("test_multi.field.median < 0.9"), blind).passed
    assert apply_gate(parse_gate("test_multi.potential.nonfinite < 0.01"), blind).passed


def test_a_global_l2_without_an_interval_passes_no_gate():
    """Whatever the bound: it hangs on the one sample that happened to be drawn."""
    hangs = evaluation(potential=quantity(global_relative_l2_largest_share=0.016))
    for comparison in ("<", ">"):
        gate = parse_gate(f"test_multi.potential.global_l2 {comparison} 0.08")
        assert not apply_gate(gate, hangs).passed
        assert "its interval is withheld" in apply_gate(gate, hangs).sentence
    assert not apply_gate(
        parse_gate("test_multi.potential.by_num_sources.4.global_l2 < 1"), hangs
    ).passed
    assert apply_gate(parse_gate("test_multi.potential.sample_l2 < 0.08"), hangs).passed


def test_an_infinite_error_is_larger_than_any_bound():
    worse = evaluation(potential=quantity(math.inf))
    assert not apply_gate(parse_gate("test_multi.potential.median < 1e300"), worse).passed


def test_a_group_that_is_not_there_fails_and_says_which_are():
    found = apply_gate(parse_gate("test_multi.potential.by_num_sources.5.median < 1"), evaluation())
    assert not found.passed
    assert "by_num_sources has no '5', but 4" in found.sentence


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("median < 0.01", "got something else"),
        ("test_multi.potential.median = 0.01", "got something else"),
        ("test_multi.potential.median < ", "got something else"),
        ("", "got something else"),
        ("test_multi.potentail.median < 0.01", "got 'potentail'.*Did you mean 'potential'"),
        ("test_multi.potential.medain < 0.01", "got 'medain'.*Did you mean 'median'"),
        ("test_multi.potential.by_regoin.near.p90 < 1", "Did you mean 'by_region'"),
        ("test_multi.potential.by_region.near.global_l2 < 1", "got 'global_l2'"),
        ("test_multi.potential.median < 1%", "got '1%' for the number"),
        ("test_multi.potential.median < nan", "Give a finite one"),
    ],
)
def test_what_is_no_gate_is_refused(text, message):
    with pytest.raises(HypermagneticsError, match=message) as refused:
        parse_gate(text)
    assert f"--gate {text!r}" in str(refused.value)


def test_a_split_that_is_not_evaluated_is_refused():
    gate = parse_gate("tset-multi.potential.median < 1")
    with pytest.raises(HypermagneticsError, match=r"'tset-multi'.*Did you mean 'test_multi'"):
        refuse_unknown_splits([gate], ["test_multi", "valid"])
    refuse_unknown_splits([gate], ["tset-multi"])
