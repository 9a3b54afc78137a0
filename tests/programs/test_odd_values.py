"""Settings at the ends of their ranges: they work, or are refused in one line."""

from pathlib import Path

import pytest
from program_runs import (
    TRAINING_RECIPE,
    assert_refused,
    finished_dataset,
    invoke,
    read_lines,
    settings,
)

from hypermagnetics import models

DEEP = "[" * 5000


@pytest.mark.slow
@pytest.mark.parametrize("num_steps", [1, 20])
def test_the_number_of_steps_can_be_set_alone(tmp_path: Path, num_steps: int) -> None:
    """The warm-up of the demo is a fraction of it."""
    run = tmp_path / "run"
    steps = settings(f"schedule.max_steps={num_steps}")
    ran = invoke("hm-train", finished_dataset("zarr").path, run, *steps)
    assert (ran.code, ran.complaints) == (0, [])
    assert models.load(run / "model.hm").dim == 2
    assert read_lines(run / "metrics.jsonl")[-1]["step"] == num_steps


@pytest.mark.slow
def test_a_hypernetwork_has_a_hidden_unit_at_least(tmp_path: Path) -> None:
    """However small a fraction is asked for."""
    overrides = settings("model.hwidth=0.001", "schedule.max_steps=1")
    ran = invoke(
        "hm-train", finished_dataset("zarr").path, tmp_path / "run", *TRAINING_RECIPE, *overrides
    )
    assert (ran.code, ran.complaints) == (0, [])
    assert (tmp_path / "run" / "model.hm").exists()


@pytest.mark.parametrize("recipe", ["demo", "hyper-layer", "hyper-mlp"])
def test_a_hypernetwork_beyond_every_memory_is_refused(tmp_path: Path, recipe: str) -> None:
    """In every recipe."""
    arguments = (tmp_path / "run", "--recipe", recipe, *settings("model.hwidth=1e300"))
    ran = invoke("hm-train", finished_dataset("zarr").path, *arguments)
    assert_refused(ran, "'model.hwidth' must be less than or equal to", "got 1e+300")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [DEEP, "{a=" * 5000, DEEP + "]" * 5000])
def test_deep_nesting_is_refused(tmp_path: Path, value: str) -> None:
    """Not with a traceback."""
    ran = invoke("hm-generate", "demo", tmp_path / "out", *settings(f"title={value}"))
    assert_refused(ran, "'title' must ")
    ran = invoke("hm-train", tmp_path / "data", tmp_path / "run", *settings(f"data.train={value}"))
    assert (ran.code, len(ran.complaints)) == (2, 1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "overrides",
    [
        ("grid.num_points=16777216",),
        ("grid={kind='regular', half_width=3.0, resolution=4096}",),
        ("samples_per_grid=1048576", "splits.train.num_samples=2000000"),
        ("splits.test_multi.num_sources=100000", "samples_per_grid=65536", "grid.num_points=1"),
    ],
    ids=str,
)
@pytest.mark.parametrize("option", [(), ("--dry-run",)], ids=str)
def test_a_block_beyond_the_memory_is_refused(
    tmp_path: Path, overrides: tuple[str, ...], option: tuple[str, ...]
) -> None:
    """The message says what to lower."""
    if "num_sources" in overrides[0]:
        overrides = (*overrides, "splits.test_multi.num_samples=65536")
    ran = invoke("hm-generate", "demo", tmp_path / "out", *settings(*overrides), *option)
    assert_refused(ran, "must take at most 256 MB", "samples_per_grid")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_grid_of_one_point_goes_all_the_way(tmp_path: Path) -> None:
    """Generated, trained on, evaluated and pictured."""
    data, run = tmp_path / "data", tmp_path / "run"
    splits = (f"splits.{name}.num_samples=16" for name in ("valid", "test_single", "test_multi"))
    sizes = settings("grid.num_points=1", "splits.train.num_samples=32", *splits)
    steps = settings("schedule.max_steps=2")
    for command in (
        ("hm-generate", "demo", data, *sizes),
        ("hm-train", data, run, *TRAINING_RECIPE, *steps),
        ("hm-eval", run, data),
    ):
        ran = invoke(*map(str, command))
        assert (ran.code, ran.complaints) == (0, []), command
    assert (run / "eval" / "index.html").exists()
