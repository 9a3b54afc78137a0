"""Moments that move on the command line: made, killed, checked, learned from, and refused."""

import json
from pathlib import Path

import pytest
from faults import Fault
from program_runs import assert_refused, contents, invoke, run_program, settings
from small_trajectories import DIRECT

SMALL = settings(
    "samples_per_grid=4",
    "grid.num_points=4",
    "dynamics.num_steps=5",
    "storage.shard_mb=0.004",
    "splits.train={num_samples=13,num_sources=[1,3]}",
    "splits.valid={num_samples=4,num_sources=3}",
    "splits.test={num_samples=5,num_sources=3}",
)
RECIPE = ("precession", *SMALL)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of the recipe, made without disturbance."""
    out = tmp_path_factory.mktemp("moments") / "out"
    ran = invoke("hm-generate", *RECIPE, out)
    assert ran.code == 0, ran
    return out


@pytest.mark.slow
def test_a_killed_generation_goes_on_to_the_same_bytes(made: Path, tmp_path: Path) -> None:
    """Trajectories and substeps as without the kill."""
    command = ("hm-generate", *RECIPE, tmp_path / "out")
    fault = Fault("fsync", "KILL", 3, file="journal").variables(tmp_path)
    assert run_program(*command, variables=fault).code == -9
    assert run_program(*command).code == 0
    assert contents(tmp_path / "out") == contents(made)


@pytest.mark.slow
def test_moments_are_computed_again_from_those_before(made: Path) -> None:
    """Beside the labels."""
    ran = invoke("hm-data", "verify", made, "--recompute", "1", "--seed", "0")
    assert ran.code == 0, ran
    assert "train: labels of 13 samples follow from their sources" in ran.stdout
    assert "train: moments of 13 samples follow from those before; largest" in ran.stdout


@pytest.mark.slow
def test_the_substeps_are_in_the_summary(made: Path) -> None:
    """With their range, by which the tolerance is kept."""
    ran = invoke("hm-data", "info", made)
    assert ran.code == 0, ran
    assert "moments (6 x 3 x 3 for each sample), substeps (one for each sample)" in ran.stdout
    (line, *_) = [line for line in ran.stdout.splitlines() if line.startswith("  substeps")]
    assert line.split()[-2:] == ["2", "4"] or line.split()[-2:] == ["2", "2"]


@pytest.mark.slow
def test_a_network_learns_and_is_evaluated(made: Path, tmp_path: Path) -> None:
    """By the three programs, in seconds."""
    command = ("hm-train", made, tmp_path / "run", "--recipe", "precession", *settings(*DIRECT))
    ran = invoke(*command)
    assert ran.code == 0, ran
    lines = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["validation"]["rollout_steps"] == 2
    assert "## Its steps" in (tmp_path / "run/model.md").read_text()


@pytest.mark.slow
def test_a_name_that_a_table_replaces_is_refused(made: Path, tmp_path: Path) -> None:
    """Not left out without a word."""
    ran = invoke(
        *("hm-train", made, tmp_path / "run", "--recipe", "precession", *settings(*DIRECT)),
        *("--physics", "rollout=my_physics:step"),
        *settings('objective.terms.rollout={of="residual"}'),
    )
    assert_refused(ran, "--physics rollout=my_physics:step must hold in the whole recipe; got none")


REFUSED = {
    "prisms-3d": ('dynamics={kind="llg",time_step=1e-5}', "got a cuboid, whose shape has"),
    "discs-2d-packed": ('dynamics={kind="llg",time_step=1e-5}', "must have bodies in 3 dimensions"),
    "spheres-3d": ("dynamics={kind='llg',time_step=1e-5}", "must not overlap; got positions"),
    "paper-discs-2d": ("dynamics={kind='damping',time_step=0.0}", "must be greater than 0"),
    "precession": ("dynamics.applied_field=[0.0,1.0]", "must have 3 components"),
    "rectangles-2d": ("dynamics={kind='damping',damping=0.0,time_step=1.0}", "damping' must be"),
    "mixed-2d": ("dynamics={kind='damping',time_step='a'}", "'dynamics.time_step' must be"),
}


@pytest.mark.parametrize("recipe", REFUSED)
def test_dynamics_that_do_not_exist_are_refused(tmp_path: Path, recipe: str) -> None:
    """Before anything is made."""
    override, said = REFUSED[recipe]
    ran = invoke("hm-generate", recipe, tmp_path / "out", *settings(override))
    assert_refused(ran, said)
    assert not (tmp_path / "out").exists()
