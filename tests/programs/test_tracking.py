"""Trackers from the command line: refused, and failing in the middle."""

import sys
from pathlib import Path

import pytest
from program_runs import (
    TRAINING_RECIPE,
    assert_refused,
    finished_dataset,
    invoke,
    read_lines,
    run_program,
    settings,
)

TENSORBOARD = settings('tracking.to=["tensorboard"]')


def test_a_tracker_that_is_not_installed_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    data = finished_dataset("zarr").path
    ran = invoke("hm-train", data, tmp_path / "run", *TRAINING_RECIPE, *TENSORBOARD)
    assert_refused(ran, "tensorboardX", "pip install 'hypermagnetics[tracking]'")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_tracker_whose_disk_is_full_ends_nothing(tmp_path: Path) -> None:
    """Its file reaches the limit with the first picture; all others are smaller."""
    short = settings("schedule.max_steps=200", "tracking.log_every=10")
    ran = run_program(
        "hm-train",
        finished_dataset("zarr").path,
        tmp_path / "run",
        *TRAINING_RECIPE,
        *TENSORBOARD,
        *short,
        max_file_bytes=100_000,
        # Its files are not all smaller.
        variables={"JAX_ENABLE_COMPILATION_CACHE": "false"},
    )
    assert ran.code == 0, ran
    (line,) = ran.complaints
    assert "got OSError" in line
    assert line.endswith("The run goes on without it; metrics.jsonl has all numbers.")
    assert (tmp_path / "run" / "model.hm").is_file()
    assert read_lines(tmp_path / "run" / "metrics.jsonl")[-1]["step"] == 200
