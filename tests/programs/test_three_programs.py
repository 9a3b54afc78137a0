"""The three programs one after another, as in the README."""

import hashlib
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from program_runs import (
    COMMANDS,
    DATASET_RECIPE,
    FORMATS,
    TRAININGS,
    finished_dataset,
    finished_run,
    invoke,
    read_json,
    read_lines,
    run_program,
)

import hypermagnetics
from hypermagnetics.data import Dataset, StorageFormat, verify_split
from hypermagnetics.recipes import shipped_recipes

SPLITS = {"train": 160, "valid": 16, "test_single": 9, "test_multi": 20}
FRACTIONS = (
    "median_relative_error",
    "p90_relative_error",
    "p99_relative_error",
    "median_sample_relative_l2",
    "global_relative_l2",
)


def sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("storage_format", FORMATS)
def test_hm_generate_makes_a_whole_dataset(storage_format: StorageFormat) -> None:
    """Every file is in the list of sha256, the card names every split, nothing else is left."""
    out = finished_dataset(storage_format).path
    listed = {}
    for line in (out / "manifest-sha256.txt").read_text().splitlines():
        digest, path = line.split("  ")
        listed[path] = digest
    assert listed == {path: sha256(out / path) for path in listed}
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert files == {*listed, "manifest-sha256.txt", "README.md"}
    assert "manifest.json" in listed
    card = (out / "README.md").read_text()
    for name, num_samples in SPLITS.items():
        assert f"| {name} | {num_samples} |" in card
    dataset = Dataset.open(out)
    assert {name: len(dataset.split(name)) for name in dataset.splits} == SPLITS
    for name in dataset.splits:
        verify_split(dataset.split(name))


@pytest.mark.parametrize("storage_format", ["zarr", pytest.param("hdf5", marks=pytest.mark.slow)])
def test_hm_train_makes_a_whole_run(storage_format: StorageFormat) -> None:
    """Model, recipe, provenance, checkpoints and metrics are there; the loss went down."""
    run = finished_run(storage_format).path
    for name in ("model.hm", "recipe.json", "run.json", "metrics.jsonl", "final.hm"):
        assert (run / name).is_file()
    assert not list(run.rglob("*.part*"))
    *_, best = sorted((run / "checkpoints").glob("best-*.hm"))
    assert sha256(run / "model.hm") == sha256(best)
    recipe, provenance = read_json(run / "recipe.json"), read_json(run / "run.json")
    assert recipe["schedule"]["max_steps"] == 300
    manifest = finished_dataset(storage_format).path / "manifest.json"
    assert provenance["dataset_sha256"] == sha256(manifest)
    assert provenance["device"].startswith("cpu (")
    records = read_lines(run / "metrics.jsonl")
    losses = [record["loss"] for record in records if "loss" in record]
    assert [record["step"] for record in records if "loss" in record] == list(range(1, 301))
    assert sum(losses[-20:]) < sum(losses[:20])
    validations = [record["step"] for record in records if "validation" in record]
    assert validations == [100, 200, 300]


@pytest.mark.slow
def test_a_seed_decides_whatever_the_environment_sets(tmp_path: Path) -> None:
    """Generator, its order and an offset of seeds are settings of JAX, which clusters have."""
    settings_of_jax = {
        "JAX_DEFAULT_PRNG_IMPL": "rbg",
        "JAX_THREEFRY_PARTITIONABLE": "0",
        "JAX_RANDOM_SEED_OFFSET": "5",
    }
    run = tmp_path / "run"
    arguments = (finished_dataset("zarr").path, run, *TRAININGS["zarr"])
    ran = run_program("hm-train", *arguments, variables=settings_of_jax)
    assert ran.code == 0, ran
    assert sha256(run / "model.hm") == sha256(finished_run("zarr").path / "model.hm")


@pytest.mark.parametrize("storage_format", FORMATS)
def test_hm_generate_and_hm_train_say_the_next_command(storage_format: StorageFormat) -> None:
    """Results are on stdout and end with what to type next; stderr has progress alone."""
    dataset, run = finished_dataset(storage_format), finished_run(storage_format)
    assert dataset.ran.complaints == run.ran.complaints == []
    assert "205/205 samples" in dataset.ran.stderr
    assert "300/300 steps" in run.ran.stderr
    assert dataset.ran.stdout.splitlines()[-1] == f"Next: hm-train {dataset.path} RUN"
    assert run.ran.stdout.splitlines()[-1] == f"Next: hm-eval {run.path} {dataset.path}"


@pytest.mark.slow
def test_hm_eval_reports_the_test_splits(tmp_path: Path) -> None:
    """Without options: every test split, into --out; the run and the dataset stay as they are."""
    run, dataset = finished_run("zarr").path, finished_dataset("zarr").path
    ran = run_program("hm-eval", run, dataset, "--out", tmp_path / "report")
    assert (ran.code, ran.complaints) == (0, [])
    assert not (run / "eval").exists()
    results = read_json(tmp_path / "report" / "results.json")
    found = evaluations(results, run.name)
    assert list(found) == ["test_single", "test_multi"]
    for name, split in found.items():
        assert name in ran.stdout
        assert_scores(split["potential"])
        assert_scores(split["field"])
    assert results["datasets"][0]["sha256"] == sha256(dataset / "manifest.json")
    assert results["subjects"][0]["sha256"] == sha256(run / "model.hm")
    for name in ("results.json", "samples.zarr", "index.html"):
        assert str(tmp_path / "report" / name) in ran.stdout
        assert (tmp_path / "report" / name).exists()


def test_hm_eval_reports_a_split_that_is_asked_for() -> None:
    """The other format; one split, into RUN/eval."""
    run, dataset = finished_run("hdf5").path, finished_dataset("hdf5").path
    ran = run_program("hm-eval", run, dataset, "--split", "valid", "--metrics-only")
    assert (ran.code, ran.complaints) == (0, [])
    found = evaluations(read_json(run / "eval" / "results.json"), run.name)
    assert list(found) == ["valid"]
    assert found["valid"]["num_samples"] == SPLITS["valid"]
    last = [record for record in read_lines(run / "metrics.jsonl") if "validation" in record][-1]
    for quantity in ("potential", "field"):
        # The best model is the last one here, so hm-train and hm-eval must find the same.
        assert found["valid"][quantity]["median_relative_error"] == pytest.approx(
            last["validation"][f"{quantity}_median_relative_error"], rel=1e-3
        )


def evaluations(results: dict[str, Any], subject: str) -> dict[str, dict[str, Any]]:
    """What was found for one subject, by split."""
    return {one["split"]: one for one in results["evaluations"] if one["subject"] == subject}


def assert_scores(scores: dict[str, Any]) -> None:
    """All metrics are there and consistent with each other."""
    for name in FRACTIONS:
        assert math.isfinite(scores[name])
        assert scores[name] > 0
    median = scores["median_relative_error"]
    assert median <= scores["p90_relative_error"] <= scores["p99_relative_error"]
    low, high = scores["ci95"]
    assert low <= median <= high
    assert scores["nonfinite_fraction"] == 0


def test_a_model_needs_its_dataset_no_more(tmp_path: Path) -> None:
    """The file alone is loaded and evaluated in a fresh process, without a warning."""
    (tmp_path / "model.hm").write_bytes((finished_run("zarr").path / "model.hm").read_bytes())
    code = (
        "import jax.numpy as jnp; from hypermagnetics import models; "
        "model = models.load('model.hm'); "
        "sources, points = jnp.ones((2, 4)), jnp.ones((3, 2)); "
        "print(model(sources, points).shape, model.field(sources, points).shape)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "(3,) (3, 2)\n"


@pytest.mark.parametrize("program", COMMANDS)
def test_help_shows_an_example(program: str) -> None:
    """An example says more than a list of options."""
    ran = invoke(program, "--help")
    assert ran.code == 0
    assert f"Example:  {program} " in ran.stdout


@pytest.mark.parametrize("program", COMMANDS)
def test_version_is_that_of_the_package(program: str) -> None:
    """As `pip show` says it."""
    ran = invoke(program, "--version")
    assert ran.code == 0
    assert ran.stdout == f"{program}, version {hypermagnetics.__version__}\n"


def test_list_names_the_shipped_recipes() -> None:
    """With a line about each."""
    for program, kind in (("hm-generate", "dataset"), ("hm-train", "training")):
        ran = invoke(program, "--list")
        assert ran.code == 0
        lines = ran.stdout.splitlines()
        assert [line.split()[0] for line in lines] == list(shipped_recipes(kind))
        assert all(len(line.split()) > 3 for line in lines)


def test_a_dry_run_prints_and_writes_nothing(tmp_path: Path) -> None:
    """Sizes of every split, with a number for the whole."""
    ran = invoke("hm-generate", *DATASET_RECIPE, tmp_path / "out", "--dry-run")
    assert (ran.code, ran.stderr) == (0, "")
    for name, num_samples in SPLITS.items():
        assert f"  {name}: {num_samples} samples" in ran.stdout
    assert "total: 205 samples" in ran.stdout
    assert not list(tmp_path.iterdir())
