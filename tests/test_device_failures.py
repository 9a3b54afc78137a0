"""A device whose memory is full, or that is gone: one sentence, with the way out."""

from pathlib import Path

import pytest
from jax.errors import JaxRuntimeError
from program_runs import DATASET_RECIPE, assert_refused, invoke
from small_readings import SHORT, small_readings
from small_trainings import run, small_recipe

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.device_failures import device_failures_named
from hypermagnetics.errors import DeviceError
from hypermagnetics.generate import labels as blocks
from hypermagnetics.train import loop
from hypermagnetics.train.config import TrainingRecipe

_FULL = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 33.00GiB."
_GONE = "UNAVAILABLE: CUDA_ERROR_DEVICE_UNAVAILABLE: CUDA-capable device(s) is/are busy"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (_FULL, "A block must fit into the memory of the device; got no room for 33.00GiB (cpu). "),
        ("RESOURCE_EXHAUSTED: allocating 512 bytes", "got no room for 512 bytes (cpu). Less."),
        (f"INTERNAL: {_GONE}", "must answer until the work is done; got INTERNAL: UNAVAILABLE"),
    ],
)
def test_failures_are_named(message: str, expected: str) -> None:
    """With the memory that was asked for."""
    with pytest.raises(DeviceError) as caught, device_failures_named("A block", "Less", "Again"):
        raise JaxRuntimeError(message)
    assert expected in str(caught.value)


def test_other_errors_pass() -> None:
    """Those of a program that XLA refuses, for example."""
    with (
        pytest.raises(JaxRuntimeError, match="INVALID_ARGUMENT"),
        device_failures_named("A block", "Less", "Again"),
    ):
        raise JaxRuntimeError("INVALID_ARGUMENT: no such option")


def test_summaries_are_not_told_to_take_fewer_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their loss needs all, and networks from arrays to arrays have no points."""

    def failing(*_: object) -> object:
        raise JaxRuntimeError(_FULL)

    readings = small_readings(tmp_path)
    recipe = load_recipe(TrainingRecipe, "training", "fisher-gaussian", SHORT)
    monkeypatch.setattr(loop, "compiled_steps", lambda *_: failing)
    with pytest.raises(DeviceError) as caught:
        run(recipe, readings, tmp_path / "run")
    assert str(caught.value).endswith("(cpu). Raise compute.chunks (now 1).")


def test_hm_generate_says_what_would_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is finished stays, and the same command goes on."""

    def failing(*_: object) -> object:
        raise JaxRuntimeError(_FULL)

    with monkeypatch.context() as patch:
        patch.setattr(blocks, "labels", failing)
        refused = invoke("hm-generate", *DATASET_RECIPE, tmp_path / "d")
    assert_refused(refused, "A block of labels must fit", "no room for 33.00GiB", "device cpu")
    assert invoke("hm-generate", *DATASET_RECIPE, tmp_path / "d").code == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("message", "mode", "words"),
    [
        (_FULL, "stream", ("data.points_per_step (now ", "raise compute.chunks (now 1).")),
        (_FULL, "device", ("compute.chunks (now 1), or set data.mode to 'stream'",)),
        (_GONE, "stream", ("go on with --resume (",)),
    ],
)
def test_a_training_says_what_would_fit(
    message: str,
    mode: str,
    words: tuple[str, ...],
    tiny: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the keys of its recipe and their values."""

    def failing(*_: object) -> object:
        raise JaxRuntimeError(message)

    monkeypatch.setattr(loop, "compiled_steps", lambda *_: failing)
    with pytest.raises(DeviceError) as caught:
        run(small_recipe(f"data.mode={mode}"), tiny, tmp_path / "run")
    for word in words:
        assert word in str(caught.value)
