"""A device whose memory is full, or that is gone: one sentence, with the way out."""

from pathlib import Path

import pytest
from jax.errors import JaxRuntimeError
from program_runs import DATASET_RECIPE, assert_refused, finished_dataset, finished_run, invoke
from small_readings import SHORT, small_readings
from small_trainings import run, small_recipe

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.device_failures import device_failures_named
from hypermagnetics.errors import DeviceError
from hypermagnetics.evaluate.subjects.jax_model import JaxModel
from hypermagnetics.generate import labels as blocks
from hypermagnetics.train import loop
from hypermagnetics.train.config import TrainingRecipe

_FULL = "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 33.00GiB."
_GONE = "UNAVAILABLE: CUDA_ERROR_DEVICE_UNAVAILABLE: CUDA-capable device(s) is/are busy"


def _by(factor: int) -> str:
    return f"By {factor}"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            _FULL,
            "A block must fit into the memory of the device; got no room for 33.00 GiB (cpu). ",
        ),
        ("RESOURCE_EXHAUSTED: allocating 512 bytes", "got no room for 512 bytes (cpu). By 2."),
        ("INTERNAL: CUDA_ERROR_OUT_OF_MEMORY: out of memory", "A block must fit into the memory"),
        ("INTERNAL: CUBLAS_STATUS_NOT_INITIALIZED", "A block must fit into the memory"),
        (f"INTERNAL: {_GONE}", "must answer until the work is done; got INTERNAL: UNAVAILABLE"),
        ("INTERNAL: CUBLAS_STATUS_EXECUTION_FAILED", "must answer until the work is done"),
    ],
)
def test_failures_are_named(message: str, expected: str) -> None:
    """With the memory that was asked for."""
    with pytest.raises(DeviceError) as caught, device_failures_named("A block", _by, "Again"):
        raise JaxRuntimeError(message)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("limit", "in_use", "factor"), [(80, 0, 2), (20, 2, 2), (20, 4, 4), (1, 1, 2), (1, 0, 64)]
)
def test_advice_is_by_as_much_as_is_missing(
    monkeypatch: pytest.MonkeyPatch, limit: int, in_use: int, factor: int
) -> None:
    """A power of two, at least 2; where nothing is known or free, 2."""

    class Card:
        """A device with memory of its own."""

        device_kind = "card"

        def memory_stats(self) -> dict[str, int]:
            """As JAX gives them [bytes]."""
            return {"bytes_limit": limit * 2**30, "bytes_in_use": in_use * 2**30}

    monkeypatch.setattr("jax.local_devices", lambda: [Card()])
    with pytest.raises(DeviceError) as caught, device_failures_named("A block", _by, "Again"):
        raise JaxRuntimeError(_FULL)
    assert str(caught.value).endswith(f"(card). By {factor}.")


def test_other_errors_pass() -> None:
    """Those of a program that XLA refuses, for example."""
    with (
        pytest.raises(JaxRuntimeError, match="INVALID_ARGUMENT"),
        device_failures_named("A block", _by, "Again"),
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
    assert str(caught.value).endswith("(cpu). Raise compute.chunks to 2 (now 1).")


def test_hm_generate_says_what_would_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is finished stays, and the same command goes on."""

    def failing(*_: object) -> object:
        raise JaxRuntimeError(_FULL)

    with monkeypatch.context() as patch:
        patch.setattr(blocks, "labels", failing)
        refused = invoke("hm-generate", *DATASET_RECIPE, tmp_path / "d")
    assert_refused(refused, "A block of labels must fit", "no room for 33.00 GiB", "device cpu")
    assert invoke("hm-generate", *DATASET_RECIPE, tmp_path / "d").code == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("message", "mode", "words"),
    [
        (
            _FULL,
            "stream",
            (
                "Lower data.points_per_step to 3 (now 7) or data.blocks_per_batch to 1 (now 2), ",
                "or raise compute.chunks to 2 (now 1).",
            ),
        ),
        (_FULL, "device", ("compute.chunks to 2 (now 1), or set data.mode to 'stream'",)),
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


@pytest.mark.parametrize("message", [_FULL, _GONE])
@pytest.mark.parametrize(
    ("place", "command"),
    [
        ("evaluate.cli.sort_arguments", ("hm-eval", "run", "data")),
        ("train.cli._opened", ("hm-train", "data", "run", "--recipe", "demo")),
        ("train.cli._make_of_domain", ("hm-train", "--domain", "3", "run")),
        ("train.cli.export_run", ("hm-train", "export", "run", "out")),
        ("generate.cli.generate", ("hm-generate", "demo", "data")),
    ],
)
def test_no_program_shows_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    place: str,
    command: tuple[str, ...],
    message: str,
) -> None:
    """Also where it opens models or makes them, outside of the work that names its own remedy."""

    def failing(*_: object, **__: object) -> object:
        raise JaxRuntimeError(message)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(f"hypermagnetics.{place}", failing)
    remedy = "JAX_PLATFORMS=cpu" if message == _FULL else "give the same command"
    assert_refused(invoke(*command), "must", remedy)


@pytest.mark.slow
@pytest.mark.parametrize(("message", "word"), [(_FULL, "JAX_PLATFORMS=cpu"), (_GONE, "the same")])
def test_an_evaluation_says_what_would_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: str, word: str
) -> None:
    """And leaves no results."""

    def failing(*_: object, **__: object) -> object:
        raise JaxRuntimeError(message)

    monkeypatch.setattr(JaxModel, "predict", failing)
    ran = invoke(
        *("hm-eval", finished_run("zarr").path, finished_dataset("zarr").path),
        *("--out", tmp_path / "r"),
    )
    assert ran.code == 2
    assert word in ran.complaints[-1]
    assert not (tmp_path / "r" / "results.json").exists()
