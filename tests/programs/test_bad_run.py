"""Runs that cannot begin, go on or be evaluated, through hm-train and hm-eval."""

import fcntl
import json
from collections.abc import Callable
from pathlib import Path

import jax.random as jr
import pytest
from mending import edit_header
from program_runs import (
    TRAINING_RECIPE,
    assert_refused,
    copy_of,
    finished_dataset,
    finished_run,
    invoke,
    newest_checkpoint,
    run_program,
    settings,
    snapshot,
)

from hypermagnetics import models
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.sources import SourceColumns
from hypermagnetics.table import SHAPES

SHORT = (
    *TRAINING_RECIPE,
    *settings(
        "schedule.warmup_fraction=0.0",
        "schedule.max_steps=3",
        "data.train=valid",
        "data.check=sizes",
        "checkpoint.every=1",
    ),
)
"""A run of three steps."""

REFUSED = {
    "it exists": (TRAINING_RECIPE, ("new run must not exist", "--resume", "--overwrite")),
    "another recipe": (
        (*TRAINING_RECIPE, *settings("seed=7"), "--resume"),
        ("must keep its recipe", "schedule.max_steps", "recipe.json", "Leave out --recipe"),
    ),
    "another shipped recipe": (("--recipe", "demo", "--resume"), ("must keep its recipe",)),
    "both": (("--resume", "--overwrite"), ("resumed or overwritten; got both",)),
    "an unknown split": (
        (*TRAINING_RECIPE, *settings("data.valid=vlid"), "--overwrite"),
        ("got 'vlid'", "Did you mean 'valid'?"),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_run_that_exists_is_kept(tmp_path: Path, case: str) -> None:
    """Whatever is refused, nothing of the run changes."""
    run = copy_of(finished_run("zarr"), tmp_path / "run")
    before = snapshot(run)
    options, fragments = REFUSED[case]
    assert_refused(invoke("hm-train", finished_dataset("zarr").path, run, *options), *fragments)
    assert snapshot(run) == before


def test_a_run_is_not_resumed_on_another_dataset(tmp_path: Path) -> None:
    """The same samples in the other format are other bytes."""
    run = copy_of(finished_run("zarr"), tmp_path / "run")
    before = snapshot(run)
    other = finished_dataset("hdf5").path
    ran = invoke("hm-train", other, run, "--resume")
    assert_refused(ran, "must keep its dataset", str(other), "it was begun with")
    assert snapshot(run) == before


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"dataset_sha256": 5}', "A run must name its dataset; got an unreadable"),
        ('{"a":' + "[" * 100_000, "must hold at most 4096 values; got more"),
        ('{"a":' + "[" * 4000, "A run must name its dataset; got an unreadable"),
        ("[]", "A run must name its dataset; got an unreadable"),
        ("x", "A run must name its dataset; got an unreadable"),
    ],
    ids=["a number", "very deep", "deep", "a list", "a word"],
)
def test_a_run_that_does_not_name_its_dataset_is_not_resumed(
    tmp_path: Path, text: str, complaint: str
) -> None:
    """Whatever is in its file."""
    run = copy_of(finished_run("zarr"), tmp_path / "run")
    (run / "run.json").write_text(text)
    ran = invoke("hm-train", finished_dataset("zarr").path, run, "--resume")
    assert_refused(ran, complaint, "run.json")


def test_a_run_is_not_resumed_on_a_dataset_of_another_dimension(tmp_path: Path) -> None:
    """A model of the plane cannot read sources in space."""
    data, run = tmp_path / "data", copy_of(finished_run("zarr"), tmp_path / "run")
    small = settings(
        "grid.num_points=8",
        "samples_per_grid=4",
        "splits={train={num_samples=8, num_sources=1}, valid={num_samples=4, num_sources=1}}",
    )
    assert invoke("hm-generate", "spheres-3d", data, *small).code == 0
    before = snapshot(run)
    ran = invoke("hm-train", data, run, "--resume")
    assert_refused(ran, "must keep its dataset", str(data), "it was begun with")
    assert snapshot(run) == before


def test_a_run_that_is_not_there_is_not_resumed(tmp_path: Path) -> None:
    """And nothing is made in its place."""
    dataset = finished_dataset("zarr").path
    for options in ((), TRAINING_RECIPE):
        ran = invoke("hm-train", dataset, tmp_path / "run", "--resume", *options)
        assert_refused(ran, "to be resumed must exist", str(tmp_path / "run"), "leave out --resume")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["--overwrite", "--resume", None])
def test_a_directory_with_other_files_is_kept(tmp_path: Path, option: str | None) -> None:
    """It is no run, so it is neither begun, continued nor deleted."""
    (tmp_path / "thesis.tex").write_text("years of work")
    before = snapshot(tmp_path)
    options = [option] if option else []
    ran = invoke("hm-train", finished_dataset("zarr").path, tmp_path, *options)
    assert_refused(ran, str(tmp_path))
    assert snapshot(tmp_path) == before


@pytest.mark.slow
@pytest.mark.parametrize("options", [("--resume",), (*TRAINING_RECIPE, "--overwrite")])
def test_a_second_writer_is_refused(tmp_path: Path, options: tuple[str, ...]) -> None:
    """The first holds the lock of the run and loses nothing, not even to --overwrite."""
    run = copy_of(finished_run("zarr"), tmp_path / "run")
    with (run / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = snapshot(run)
        ran = invoke("hm-train", finished_dataset("zarr").path, run, *options)
        assert_refused(ran, "must have one writer; got a second", str(run))
        assert snapshot(run) == before


@pytest.mark.slow
def test_a_run_that_ended_before_its_recipe_was_written_can_begin(tmp_path: Path) -> None:
    """A kill or a full disk right at the start must not make RUN unusable."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "lock").touch()
    ran = invoke("hm-train", finished_dataset("zarr").path, run, *SHORT, "--resume")
    assert (ran.code, ran.complaints) == (0, [])
    assert "checking" not in ran.stderr, "data.check=sizes checks no bytes"
    assert models.load(run / "model.hm").dim == 2


def test_a_finished_run_is_resumed_without_a_step(tmp_path: Path) -> None:
    """The model stays as it is."""
    run = copy_of(finished_run("zarr"), tmp_path / "run")
    model = (run / "model.hm").read_bytes()
    ran = invoke("hm-train", finished_dataset("zarr").path, run, "--resume")
    assert (ran.code, ran.complaints) == (0, [])
    assert "finished already" in ran.stdout
    assert (run / "model.hm").read_bytes() == model


@pytest.mark.parametrize("line", [b"3", b"\xff"])
def test_unreadable_metrics_do_not_stop_a_resumed_run(tmp_path: Path, line: bytes) -> None:
    """Each costs its line alone; the run itself is in the checkpoint."""
    run = copy_of(finished_run("zarr"), tmp_path / "run")
    kept = (run / "metrics.jsonl").read_bytes().splitlines(keepends=True)[:7]
    (run / "metrics.jsonl").write_bytes(b"".join([*kept, line, b"\n", *kept]))
    ran = invoke("hm-train", finished_dataset("zarr").path, run, "--resume")
    assert (ran.code, ran.complaints) == (0, [])
    assert (run / "metrics.jsonl").read_bytes() == b"".join([*kept, *kept])


def cut_off(file: Path) -> None:
    """As a file system may leave it."""
    file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.slow
def test_a_cut_off_checkpoint_gives_way_to_the_one_before(tmp_path: Path) -> None:
    """Which is said; the steps between are made again, to the same bits."""
    run = copy_of(finished_run("zarr"), tmp_path / "run")
    model = (run / "model.hm").read_bytes()
    (run / "model.hm").unlink()
    newest = newest_checkpoint(run)
    assert newest is not None
    whole = newest.read_bytes()
    cut_off(newest)
    # A process of its own: this one computes in float64 where nothing else is said.
    ran = run_program("hm-train", finished_dataset("zarr").path, run, "--resume")
    assert ran.code == 0, ran
    (line,) = ran.complaints
    assert str(newest) in line
    assert "bytes its first line promises" in line
    assert line.endswith("The checkpoint before it is used.")
    assert (run / "model.hm").read_bytes() == model
    assert newest.read_bytes() == whole


def test_a_run_whose_checkpoints_are_all_damaged_is_refused(tmp_path: Path) -> None:
    """Beginning anew would lose what is left of it."""
    run = copy_of(finished_run("zarr"), tmp_path / "run")
    for file in (run / "checkpoints").glob("*.ckpt"):
        cut_off(file)
    (run / "model.hm").unlink()
    ran = invoke("hm-train", finished_dataset("zarr").path, run, "--resume")
    assert ran.code == 2
    assert "must have a sound checkpoint of its own to go on from; got 2 that are" in ran.stderr
    assert "--overwrite" in ran.stderr
    assert not (run / "model.hm").exists()


NONE_KEPT = "no checkpoint had been made"
DIVERGENCES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "seen when logging": (
        ("tracking.log_every=1", "checkpoint.every=1000"),
        "The loss must be finite; got nan at step 2, on samples 8 to 15 of split 'valid' (",
        NONE_KEPT,
    ),
    "seen when validating": (
        ("validation.every=1",),
        "The validation loss must be finite; got NaN or infinity after step 1 (",
        NONE_KEPT,
    ),
    "after a good checkpoint": (
        (
            "tracking.log_every=1",
            "schedule={phases=[{steps=1, learning_rate=1e-6}, {steps=9, learning_rate=1e30}]}",
        ),
        "The validation loss of a checkpoint must be finite; got nan after step 2 (",
        "the last good checkpoint is {last}",
    ),
}
"""Overrides; what the message says; which checkpoint there is."""


@pytest.mark.slow
@pytest.mark.parametrize("case", DIVERGENCES)
def test_a_diverging_training_stops(tmp_path: Path, case: str) -> None:
    """The message names the step, the checkpoint that is left and what to change."""
    overrides, message, kept = DIVERGENCES[case]
    run = tmp_path / "run"
    last = run / "checkpoints" / "step-000000001.ckpt"
    far = ("schedule.learning_rate=1e30", "validation.every=1000", "tracking.log_every=1000")
    options = (*SHORT, *settings(*far, *overrides))
    ran = invoke("hm-train", finished_dataset("zarr").path, run, *options)
    assert_refused(ran, message, kept.format(last=last), str(run), "schedule.learning_rate")
    assert last.exists() == (kept != NONE_KEPT)
    assert not (run / "model.hm").exists()


def of_another_version(file: Path) -> None:
    """A format of the future."""
    edit_header(file, version=3)


def of_another_width(file: Path) -> None:
    """A first line that is not that of the arrays."""
    model = json.loads(file.read_bytes().split(b"\n", 1)[0])["model"]
    edit_header(file, model={**model, "width": model["width"] + 1})


def of_other_sources(file: Path) -> None:
    """A model of bodies that the dataset has none of."""
    config = HyperLayerConfig(width=8, depth=1, hwidth=1.0, hdepth=1)
    inputs = models.ModelInputs(columns=SourceColumns.of("rectangle", varying=SHAPES["rectangle"]))
    models.save_model(file, models.build_model(config, inputs, jr.key(0)), {})


def a_checkpoint(file: Path) -> None:
    """The other kind of file in a run."""
    newest = newest_checkpoint(file.parent)
    assert newest is not None
    file.write_bytes(newest.read_bytes())


BAD_MODELS: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "missing": (Path.unlink, ("must have a model.hm", "DATASET ", "--resume completes it")),
    "another version": (of_another_version, ("must be 1 or 2; got 3", "release")),
    "another width": (of_another_width, ("must fit its settings", "release")),
    "a checkpoint": (a_checkpoint, ("must be a hypermagnetics model; got a", "Give a .hm file")),
    "cut off": (
        lambda file: file.write_bytes(file.read_bytes()[:-1]),
        ("bytes its first line promises", "Copy it"),
    ),
    "garbage": (lambda file: file.write_bytes(b"\x80\x04\x95"), ("must begin with a JSON line",)),
    "empty": (lambda file: file.write_bytes(b""), ("must begin with a JSON line",)),
    "other sources": (of_other_sources, ("got one trained without disc", "trained on")),
}


@pytest.mark.parametrize("case", BAD_MODELS)
def test_hm_eval_refuses_a_bad_model(tmp_path: Path, case: str) -> None:
    """The message names the file or the run; no report is written."""
    run = copy_of(finished_run("zarr"), tmp_path / "run")
    apply, fragments = BAD_MODELS[case]
    apply(run / "model.hm")
    before = snapshot(run)
    ran = invoke("hm-eval", run, finished_dataset("zarr").path)
    assert_refused(ran, *fragments, str(run))
    assert snapshot(run) == before


def test_hm_eval_refuses_a_split_that_is_not_there(tmp_path: Path) -> None:
    """The message lists those that are."""
    run, dataset = finished_run("zarr").path, finished_dataset("zarr").path
    ran = invoke("hm-eval", run, dataset, "--split", "tset-multi", "--out", tmp_path / "report")
    assert_refused(
        ran,
        "must be one of train, valid, test_single, test_multi; got 'tset-multi'",
        "Did you mean 'test_multi'?",
    )
    assert not list(tmp_path.iterdir())


def test_hm_eval_refuses_a_run_that_is_not_there(tmp_path: Path) -> None:
    """It says how to make one."""
    ran = invoke("hm-eval", tmp_path / "run", finished_dataset("zarr").path)
    assert_refused(ran, "must be the directory of a training", "train with hm-train")
