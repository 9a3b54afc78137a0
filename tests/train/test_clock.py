"""Where the time of a run went, in words."""

import pytest

from hypermagnetics.train.clock import Activity, Clock

LIMITS: dict[Activity, str] = {
    "steps": "Limited by computing: ",
    "loader": "Limited by the loader: ",
    "validation": "Limited by validation: raise validation.every",
    "checkpoints": "Limited by checkpoints: raise checkpoint.every",
    "tracking": "Limited by tracking: raise tracking.log_every",
}


@pytest.mark.parametrize("most", LIMITS)
def test_what_took_longest_is_named(most: Activity) -> None:
    """With all shares; compiling stands apart."""
    clock = Clock()
    for name in LIMITS:
        clock.add(name, 6.0 if name == most else 1.0)
    clock.add("compiling", 90.0)
    verdict = clock.shares.verdict(has_points=True)
    assert verdict.startswith(LIMITS[most])
    assert "Time after compiling (90.0 s)" in verdict
    label = "waiting for data" if most == "loader" else most
    assert f"{label} 60 %" in verdict
    assert clock.shares.of(most) == pytest.approx(0.6)
    assert sum(clock.shares.of(name) for name in LIMITS) == pytest.approx(1)


def test_what_has_no_points_is_not_told_to_take_fewer() -> None:
    """A network from arrays to arrays; nothing else differs."""
    clock = Clock()
    clock.add("steps", 6.0)
    fewer = clock.shares.verdict(has_points=False)
    assert "; a faster device or a smaller model would shorten it. Time" in fewer
    assert "fewer points" not in fewer
    assert "or fewer points a step (data.points_per_step)" in clock.shares.verdict(has_points=True)


def test_a_process_without_a_step_has_no_shares() -> None:
    """And no division by zero."""
    assert Clock().shares.of("steps") == 0
