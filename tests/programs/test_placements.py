"""hm-train with its data on the device, streamed, in the order of files, and in crops."""

import signal
from pathlib import Path

import numpy as np
import pytest
from faults import Fault
from program_runs import (
    TRAINING_RECIPE,
    assert_refused,
    finished_dataset,
    invoke,
    read_lines,
    run_program,
    settings,
)

from hypermagnetics.run_files import RunFiles

SHORT = (*TRAINING_RECIPE, *settings("schedule.max_steps=40", "validation.every=40"))


def losses(run: Path) -> list[float]:
    """The loss of each step."""
    return [line["loss"] for line in read_lines(run / "metrics.jsonl") if "loss" in line]


@pytest.mark.slow
def test_a_split_on_the_device_trains_to_the_same_bits(tmp_path: Path) -> None:
    """Where the data lies changes nothing but the time."""
    data = finished_dataset("zarr").path
    for mode in ("stream", "device"):
        ran = invoke("hm-train", data, tmp_path / mode, *SHORT, "--mode", mode, "--points", "8")
        assert ran.code == 0, ran
        assert f"samples/s ({mode})" in ran.stdout
    assert losses(tmp_path / "stream") == losses(tmp_path / "device")
    models = [(tmp_path / mode / "model.hm").read_bytes() for mode in ("stream", "device")]
    # The first line of a model file names its recipe, which says where the data lay.
    assert models[0].split(b"\n", 1)[1] == models[1].split(b"\n", 1)[1]


@pytest.mark.slow
def test_devices_share_a_split_that_lies_on_them(tmp_path: Path) -> None:
    """Four of a CPU, several steps a dispatch: as from files, and as one device, up to rounding."""
    data = finished_dataset("zarr").path
    several = settings("compute.steps_per_dispatch=4")
    four = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
    for name, mode, variables in (
        ("one", "stream", {}),
        ("stream", "stream", four),
        ("device", "device", four),
    ):
        options = (*SHORT, *several, "--mode", mode, "--points", "8")
        ran = run_program("hm-train", data, tmp_path / name, *options, variables=variables)
        assert ran.code == 0, ran
    one, stream, device = (losses(tmp_path / name) for name in ("one", "stream", "device"))
    assert stream == device
    np.testing.assert_allclose(device, one, rtol=1e-3)


@pytest.mark.slow
def test_data_in_the_order_of_files_is_resumed_to_the_same_bits(tmp_path: Path) -> None:
    """--div-data is a function of the step like every other order."""
    data = finished_dataset("hdf5").path
    options = (*TRAINING_RECIPE, "--div-data", "--div-shuffle-dist", "3")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run_program("hm-train", data, whole, *options).code == 0
    fault = Fault("replace", "KILL", file="step-000000020.ckpt").variables(tmp_path)
    killed = run_program("hm-train", data, parts, *options, variables=fault)
    assert killed.code == -signal.SIGKILL
    assert RunFiles(parts).checkpoint_steps() == [10]
    assert run_program("hm-train", data, parts, *options, "--resume").code == 0
    assert losses(whole) == losses(parts)
    assert (whole / "model.hm").read_bytes() == (parts / "model.hm").read_bytes()


@pytest.mark.slow
def test_crops_of_a_regular_grid_are_trained_on(tmp_path: Path) -> None:
    """And refused, with what would do, where there are none."""
    data = tmp_path / "data"
    recipe = settings(
        "grid={kind='regular', half_width=2.0, resolution=6, halo=1}",
        "samples_per_grid=8",
        "splits={train={num_samples=24, num_sources=1}, valid={num_samples=8, num_sources=1}}",
    )
    assert invoke("hm-generate", "demo", data, *recipe).code == 0
    crop = settings("data.crop={size=3, pad=1}")
    ran = invoke("hm-train", data, tmp_path / "run", *SHORT, *crop)
    assert ran.code == 0, ran
    assert np.isfinite(losses(tmp_path / "run")).all()
    wide = settings("data.crop={size=3, pad=2}")
    refused = invoke("hm-train", data, tmp_path / "no", *SHORT, *wide)
    assert_refused(refused, "at most 1", "a halo of 2", "crop.pad")
    random = finished_dataset("zarr").path
    assert_refused(invoke("hm-train", random, tmp_path / "no", *SHORT, *crop), "regular grid")
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("option", [("--mode", "gpu"), ("--points", "0")])
def test_options_that_mean_nothing_are_refused(tmp_path: Path, option: tuple[str, str]) -> None:
    """By their names."""
    ran = invoke("hm-train", finished_dataset("zarr").path, tmp_path / "run", *option)
    assert ran.code == 2
    assert option[0] in ran.stderr
