"""The check of `make demo` passes good results, and none that breaks a bound."""

import json
import runpy
import sys
from pathlib import Path

import pytest
from packaging_facts import ROOT

FAILED = "The demo must stay below its bounds; see the lines above."
"""Words with which Python ends with exit code 1."""
GOOD = {"run": (0.005, 0.04), "split": (6e-7, 6e-6)}
"""Median errors of potential and field, by subject."""


def checked(
    monkeypatch: pytest.MonkeyPatch,
    directory: Path,
    wait: float,
    medians: dict[str, tuple[float | None, float]],
) -> object:
    """With which exit code or last words the check ends, for results and a log of these numbers."""
    evaluations = [
        {
            "subject": name,
            "split": split,
            "potential": {"median_relative_error": potential if split == "test_multi" else 1.0},
            "field": {"median_relative_error": field},
        }
        for name, (potential, field) in medians.items()
        for split in ("test_single", "test_multi")
    ]
    results, log = directory / "results.json", directory / "metrics.jsonl"
    results.write_text(json.dumps({"evaluations": evaluations}))
    line = {"step": 100, "steps": 100, "seconds_per_step": 0.01, "compiles": False}
    log.write_text(json.dumps(line | {"wait_share": wait}) + "\n")
    check = str(ROOT / "tests" / "check_demo.py")
    monkeypatch.setattr(sys, "argv", [check, str(results), str(log)])
    try:
        runpy.run_path(check, run_name="__main__")
    except SystemExit as end:
        return end.code
    return 0


@pytest.mark.parametrize(
    ("wait", "changed", "end"),
    [
        (0.01, {}, 0),
        (0.05, {}, FAILED),
        (0.01, {"run": (0.04, 0.04)}, FAILED),
        (0.01, {"split": (2e-6, 6e-6)}, FAILED),
        (0.01, {"split": (6e-7, 2e-5)}, FAILED),
        (0.01, {"split": (None, 6e-6)}, FAILED),
    ],
)
def test_every_bound_counts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wait: float,
    changed: dict[str, tuple[float | None, float]],
    end: object,
) -> None:
    """By itself, with all others kept."""
    assert checked(monkeypatch, tmp_path, wait, GOOD | changed) == end
