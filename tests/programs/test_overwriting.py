"""--overwrite deletes what hm-generate and hm-train write, and nothing else."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from program_runs import (
    TRAINING_RECIPE,
    Ran,
    assert_refused,
    copy_of,
    finished_dataset,
    finished_run,
    invoke,
    settings,
    snapshot,
)

from hypermagnetics.data import Dataset

Put = Callable[[Path], None]
SMALL = (
    "demo",
    *settings("grid.num_points=8", "splits={train={num_samples=16, num_sources=1}}"),
)
SHORT = (*TRAINING_RECIPE, *settings("schedule.max_steps=1"))


def text(place: str) -> Put:
    """A file of somebody else."""

    def put(directory: Path) -> None:
        (directory / place).parent.mkdir(parents=True, exist_ok=True)
        (directory / place).write_text("years of work")

    return put


def dataset_at(place: str) -> Put:
    """A dataset inside the directory."""
    return lambda directory: (
        shutil.copytree(finished_dataset("hdf5").path, directory / place) and None
    )


def run_at(place: str) -> Put:
    """A run inside the directory."""
    return lambda directory: shutil.copytree(finished_run("zarr").path, directory / place) and None


IN_A_RUN: dict[str, tuple[Put, str]] = {
    "a text": (text("thesis.tex"), "thesis.tex"),
    "a hidden file": (text(".notes"), ".notes"),
    "a folder": (text("paper/thesis.tex"), "paper"),
    "a dataset": (dataset_at("data"), "data"),
    "another run": (run_at("second"), "second"),
    "a text among the checkpoints": (text("checkpoints/thesis.tex"), "thesis.tex"),
    "a dataset for an evaluation": (dataset_at("eval"), "eval"),
}
IN_A_DATASET: dict[str, tuple[Put, str]] = {
    "a text": (text("thesis.tex"), "thesis.tex"),
    "a hidden file": (text(".notes"), ".notes"),
    "a folder": (text("paper/thesis.tex"), "paper"),
    "a run": (run_at("run"), "run"),
    "another dataset": (dataset_at("second"), "second"),
    "a text in a split": (text("train.zarr/thesis.tex"), "thesis.tex"),
    "a text beside the shards": (text("train/thesis.tex"), "train"),
    "other software's zarr": (text("mine.zarr/temperature/zarr.json"), "mine.zarr"),
}


def assert_kept(ran: Ran, directory: Path, before: dict[str, tuple[int, str]], name: str) -> None:
    """Refused with the name of what is in the way, and nothing changed."""
    assert_refused(ran, name, str(directory))
    assert snapshot(directory) == before


@pytest.mark.parametrize("case", IN_A_RUN)
def test_hm_train_deletes_no_foreign_file(tmp_path: Path, case: str) -> None:
    """It names the entry."""
    put, name = IN_A_RUN[case]
    run = copy_of(finished_run("zarr"), tmp_path / "run")
    put(run)
    before = snapshot(run)
    ran = invoke("hm-train", finished_dataset("zarr").path, run, *SHORT, "--overwrite")
    assert_kept(ran, run, before, name)


def test_hm_train_does_not_delete_the_dataset_it_reads(tmp_path: Path) -> None:
    """DATASET may lie in RUN."""
    run = copy_of(finished_run("zarr"), tmp_path / "run")
    dataset = copy_of(finished_dataset("zarr"), run / "data")
    before = snapshot(run)
    assert_kept(invoke("hm-train", dataset, run, *SHORT, "--overwrite"), run, before, "data")


@pytest.mark.parametrize("case", IN_A_DATASET)
def test_hm_generate_deletes_no_foreign_file(tmp_path: Path, case: str) -> None:
    """It names the entry."""
    put, name = IN_A_DATASET[case]
    out = copy_of(finished_dataset("zarr"), tmp_path / "data")
    put(out)
    before = snapshot(out)
    assert_kept(invoke("hm-generate", *SMALL, out, "--overwrite"), out, before, name)


@pytest.mark.slow
def test_hm_train_overwrites_a_run_with_its_evaluation(tmp_path: Path) -> None:
    """And with what a killed process left of files in the making."""
    run = copy_of(finished_run("zarr"), tmp_path / "run")
    dataset = finished_dataset("zarr").path
    assert invoke("hm-eval", run, dataset, "--split", "valid", "--metrics-only").code == 0
    for leftover in ("model.hm.part", "metrics.jsonl.part", "checkpoints/step-000000300.ckpt.part"):
        (run / leftover).write_bytes(b"half")
    ran = invoke("hm-train", dataset, run, *SHORT, "--overwrite")
    assert (ran.code, ran.complaints) == (0, [])
    assert not (run / "eval").exists()
    assert not list(run.rglob("*.part*"))


def test_hm_generate_overwrites_a_dataset_that_a_kill_left(tmp_path: Path) -> None:
    """In both formats, with files in the making."""
    for storage_format in ("zarr", "hdf5"):
        out = copy_of(finished_dataset(storage_format), tmp_path / storage_format)  # type: ignore[arg-type]
        (out / "manifest.json").rename(out / "manifest.json.part")
        (out / "journal.lock").write_bytes(b'{"half": ')
        shard = next(path for path in sorted(out.glob("train*/**/*")) if path.is_file())
        shard.rename(shard.with_name(shard.name + ".part"))
        ran = invoke("hm-generate", *SMALL, out, "--overwrite")
        assert (ran.code, ran.complaints) == (0, [])
        assert Dataset.open(out).splits == ("train",)
        assert not list(out.rglob("*.part*"))
