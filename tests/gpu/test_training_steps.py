"""Training on a GPU, with the split there or read from files."""

import json
from pathlib import Path

import numpy as np
import pytest
from small_trainings import metrics, run, small_recipe

from hypermagnetics.data import Dataset

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("mode", ["device", "stream"])
def test_steps_lead_to_finite_losses(mode: str, tiny: Dataset, tmp_path: Path) -> None:
    """Sixteen steps a call, as is usual there, to the last."""
    overrides = (f"data.mode={mode}", "compute.steps_per_dispatch=16")
    outcome = run(small_recipe(*overrides), tiny, tmp_path / "run")
    assert outcome.placement == mode
    assert outcome.progress.step == 20
    losses = [line["loss"] for line in metrics(tmp_path / "run") if "loss" in line]
    assert losses
    assert np.isfinite(losses).all(), json.dumps(losses)
    assert (tmp_path / "run" / "model.hm").exists()
