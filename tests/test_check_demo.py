"""The check of `make demo` passes good results, and none that breaks a bound."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from packaging_facts import ROOT

GOOD = {"run": (0.005, 0.04), "split": (6e-7, 6e-6)}
"""Median errors of potential and field, by subject."""


def checked(directory: Path, wait: float, medians: dict[str, tuple[float | None, float]]) -> int:
    """Exit code of the check, for results and a log with these numbers."""
    evaluations = [
        {
            "subject": name,
            "split": split,
            "potential": {"median_relative_error": potential if split == "test-multi" else 1.0},
            "field": {"median_relative_error": field},
        }
        for name, (potential, field) in medians.items()
        for split in ("test-single", "test-multi")
    ]
    results, log = directory / "results.json", directory / "metrics.jsonl"
    results.write_text(json.dumps({"evaluations": evaluations}))
    line = {"step": 100, "steps": 100, "seconds_per_step": 0.01, "compiles": False}
    log.write_text(json.dumps(line | {"wait_share": wait}) + "\n")
    words = [sys.executable, ROOT / "tests" / "check_demo.py", results, log]
    return subprocess.run(words, capture_output=True).returncode


@pytest.mark.parametrize(
    ("wait", "changed", "code"),
    [
        (0.01, {}, 0),
        (0.05, {}, 1),
        (0.01, {"run": (0.04, 0.04)}, 1),
        (0.01, {"split": (2e-6, 6e-6)}, 1),
        (0.01, {"split": (6e-7, 2e-5)}, 1),
        (0.01, {"split": (None, 6e-6)}, 1),
    ],
)
def test_every_bound_counts(
    tmp_path: Path, wait: float, changed: dict[str, tuple[float | None, float]], code: int
) -> None:
    """By itself, with all others kept."""
    assert checked(tmp_path, wait, GOOD | changed) == code
