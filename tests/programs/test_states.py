"""Datasets of states on the command line: made, killed, checked and converted."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from faults import Fault
from program_runs import assert_refused, contents, invoke, num_journal_files, run_program, settings

from hypermagnetics.data import Dataset, StorageFormat

RECIPE = (
    "lorenz",
    *settings(
        "states.num_steps=5",
        "states.warmup_steps=20",
        "samples_per_block=8",
        "splits={train={num_samples=61}}",
        "storage.shard_mb=0.0005",
    ),
)
"""Eight shards of one block."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of the recipe, made without disturbance."""
    out = tmp_path_factory.mktemp("states") / "out"
    ran = invoke("hm-generate", *RECIPE, out)
    assert ran.code == 0, ran
    return out


@pytest.mark.slow
@pytest.mark.parametrize("storage_format", ["zarr", "hdf5"])
def test_a_killed_generation_goes_on_to_the_same_bytes(
    made: Path, tmp_path: Path, storage_format: StorageFormat
) -> None:
    """As one that converts an undisturbed dataset."""
    command = ("hm-generate", *RECIPE, tmp_path / "out", "--format", storage_format)
    fault = Fault("fsync", "KILL", 4, file="journal").variables(tmp_path)
    assert run_program(*command, variables=fault).code == -9
    assert num_journal_files(tmp_path / "out") in (2, 3)  # another thread may be about to enter one
    assert run_program(*command).code == 0
    undisturbed = made
    if storage_format == "hdf5":
        undisturbed = tmp_path / "converted"
        assert invoke("hm-data", "convert", made, undisturbed, "--format", "hdf5").code == 0
    assert contents(tmp_path / "out") == contents(undisturbed)


@pytest.mark.slow
def test_workers_make_the_same_bytes(made: Path, tmp_path: Path) -> None:
    """And what was there before is deleted on request alone."""
    (tmp_path / "out").mkdir()
    command = ("hm-generate", *RECIPE, tmp_path / "out", "--workers", "2")
    assert run_program(*command, "--overwrite").code == 0
    assert contents(tmp_path / "out") == contents(made)


def test_a_dry_run_says_what_would_be_made(tmp_path: Path) -> None:
    ran = invoke("hm-generate", "advection-1d", tmp_path / "out", "--dry-run")
    assert ran.code == 0
    assert "  test: 50 samples of 100 states of 1 x 30 values, 2 blocks, 1 shards, " in ran.stdout
    assert "  total: 90 samples, 1.08 MB " in ran.stdout
    assert not (tmp_path / "out").exists()


def test_states_are_computed_again_from_those_before(made: Path) -> None:
    ran = invoke("hm-data", "verify", made, "--recompute", "0.1", "--seed", "0")
    assert ran.code == 0
    assert "train: states of 7 samples follow from those before; largest difference" in ran.stdout


def test_states_of_another_physics_are_found(made: Path, tmp_path: Path) -> None:
    """As if the time step of the manifest had been another one."""
    dataset = Dataset.open(made)
    states = dataset.array_split("train").entries("states", range(61))
    np.save(tmp_path / "x.npy", states)
    out = tmp_path / "out"
    files = ("--states", tmp_path / "x.npy", "--time-step", "0.01", "--shares", "1,0,0")
    assert invoke("hm-data", "import-arrays", out, *files).code == 0
    ran = invoke("hm-data", "verify", out, "--recompute", "1")
    assert ran.code == 2
    assert "must have sources, or states of a known physics, to be computed again" in ran.stderr
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["recipe"] = json.loads(json.dumps(dataset.manifest.recipe))
    manifest["recipe"]["states"]["time_step"] = 0.011
    with_other_physics(out, manifest)
    ran = invoke("hm-data", "verify", out, "--recompute", "1")
    assert ran.code == 2
    assert "states must follow from the stored ones before them to 1e-05; got" in ran.stderr
    assert "(split 'train', sample 0, state " in ran.stderr


def with_other_physics(out: Path, manifest: dict[str, object]) -> None:
    """Write a manifest, and the list of files with its sha256."""
    text = json.dumps(manifest)
    (out / "manifest.json").write_text(text)
    sums = out / "manifest-sha256.txt"
    *files, _ = sums.read_text().splitlines()
    own = f"{hashlib.sha256(text.encode()).hexdigest()}  manifest.json"
    sums.write_text("\n".join([*files, own]) + "\n")


def test_a_recipe_of_sources_and_states_is_refused(tmp_path: Path) -> None:
    text = invoke("hm-generate", "--show", "lorenz").stdout
    (tmp_path / "both.toml").write_text(f"{text}\n[sources]\nbody = 1\n")
    ran = invoke("hm-generate", tmp_path / "both.toml", tmp_path / "out")
    assert_refused(ran, "must have a table of sources or of states; got both", "Leave one out.")
