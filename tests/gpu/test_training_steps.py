"""Training on a GPU, with the split there or read from files."""

from pathlib import Path

import numpy as np
import pytest
from small_trainings import metrics, run, small_recipe

from hypermagnetics.data import Dataset

pytestmark = pytest.mark.gpu


def losses_of(mode: str, dataset: Dataset, directory: Path) -> np.ndarray:
    """Losses of twenty steps, sixteen a call, as is usual there."""
    overrides = (f"data.mode={mode}", "compute.steps_per_dispatch=16")
    outcome = run(small_recipe(*overrides), dataset, directory)
    assert (outcome.placement, outcome.progress.step) == (mode, 20)
    assert (directory / "model.hm").exists()
    return np.array([line["loss"] for line in metrics(directory) if "loss" in line], float)


def test_both_modes_lead_to_the_same_losses(tiny: Dataset, tmp_path: Path) -> None:
    """Up to rounding, which each step takes further: the batches are the same."""
    on_card, streamed = (losses_of(mode, tiny, tmp_path / mode) for mode in ("device", "stream"))
    assert np.isfinite(on_card).all()
    assert len(on_card) > 1
    np.testing.assert_allclose(streamed, on_card, rtol=1e-4)
