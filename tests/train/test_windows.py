"""What the bar says."""

from pathlib import Path

import pytest
from recording import Recording
from tracked_runs import run_tracked

from hypermagnetics.data import Dataset
from hypermagnetics.run_files import Validation
from hypermagnetics.train.windows import Pace, status_line

PACE = Pace(loss=0.0123, samples_per_second=51234.4, wait_share=0.026)


def validation(error: float | None) -> Validation:
    """A validation with an error of the potential."""
    return Validation(
        loss=1.0, potential_median_relative_error=error, field_median_relative_error=0.5
    )


@pytest.mark.parametrize(
    ("pace", "found", "text"),
    [
        (None, None, ""),
        (PACE, None, "loss 0.0123, 51234 samples/s, wait 3 %"),
        (PACE, validation(0.0345), "loss 0.0123, error 3.45 %, 51234 samples/s, wait 3 %"),
        (PACE, validation(None), "loss 0.0123, 51234 samples/s, wait 3 %"),
        (None, validation(0.5), "error 50 %"),
    ],
)
def test_a_note(pace: Pace | None, found: Validation | None, text: str) -> None:
    assert status_line(pace, found) == text


@pytest.mark.slow
def test_a_run_says_loss_error_speed_and_wait(tmp_path: Path, tiny: Dataset) -> None:
    listener = Recording()
    outcome = run_tracked(tmp_path / "r", tiny, listener=listener)
    last = listener.notes[-1].split(", ")
    assert [part.rstrip("0123456789.e- %").split()[0] for part in last[:2]] == ["loss", "error"]
    assert last[2].endswith("samples/s")
    assert last[3].startswith("wait ")
    assert outcome.validation is not None
    error = outcome.validation.potential_median_relative_error
    assert error is not None
    assert f"error {100 * error:.3g} %" in last
