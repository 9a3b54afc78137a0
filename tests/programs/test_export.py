"""hm-train export, the model's card, and the word export as the first argument."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from program_runs import (
    TRAINING_RECIPE,
    Made,
    assert_refused,
    contents,
    copy_of,
    finished_dataset,
    finished_run,
    invoke,
    read_json,
    read_lines,
    settings,
    snapshot,
)

from hypermagnetics import models

FILES = {"README.md", "model.md", "potential.jaxexport", "field.jaxexport"}
_WITHOUT_US = """
import sys
sys.modules["hypermagnetics"] = None
import numpy as np
sources, points = np.load("sources.npy"), np.load("points.npy")
{lines}
np.save("field.npy", field(sources, points))
assert not [name for name in sys.modules if name.startswith(("hypermagnetics.", "equinox"))]
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """An export of the shared run; not to be changed."""
    out = tmp_path_factory.mktemp("export") / "out"
    ran = invoke("hm-train", "export", finished_run("zarr").path, out)
    assert (ran.code, ran.stderr) == (0, "")
    return Made(out, ran)


@pytest.mark.slow
def test_an_export_is_whole(exported: Made) -> None:
    """Its files, the card as it is in the run, and what to do next."""
    assert set(contents(exported.path)) == FILES
    assert exported.ran.stdout.splitlines()[-1].startswith(f"Next: read {exported.path}/README.md")
    for name in ("potential.jaxexport", "field.jaxexport"):
        data = (exported.path / name).read_bytes()
        assert b".py" not in data, "paths of the machine that made it"
    card = finished_run("zarr").path / "model.md"
    assert (exported.path / "model.md").read_bytes() == card.read_bytes()


@pytest.mark.slow
def test_the_lines_of_its_readme_call_it_without_this_package(
    exported: Made, tmp_path: Path
) -> None:
    """In a process that cannot import it, on sources and points as many as one likes."""
    directory = Path(shutil.copytree(exported.path, tmp_path / "elsewhere"))
    (lines,) = re.findall(r"```python\n(.*?)```", (directory / "README.md").read_text(), re.DOTALL)
    assert len(lines.splitlines()) == 4
    random = np.random.default_rng(0)
    sources = random.normal(size=(3, 4)).astype(np.float32)
    points = random.uniform(-2, 2, (70, 2)).astype(np.float32)
    np.save(directory / "sources.npy", sources)
    np.save(directory / "points.npy", points)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _WITHOUT_US.format(lines=lines)],
        capture_output=True,
        text=True,
        cwd=directory,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    model = models.load(finished_run("zarr").path / "model.hm")
    expected = np.asarray(model.field(jnp.asarray(sources), jnp.asarray(points)))
    found = np.load(directory / "field.npy")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.slow
def test_what_exists_is_kept(tmp_path: Path, exported: Made) -> None:
    """Unless it is an export and --overwrite is given."""
    run, out = finished_run("zarr").path, copy_of(exported, tmp_path / "out")
    before = snapshot(out)
    assert_refused(invoke("hm-train", "export", run, out), "OUT must not exist", "--overwrite")
    assert snapshot(out) == before
    (out / "thesis.tex").write_text("years of work")
    before = snapshot(out)
    assert_refused(invoke("hm-train", "export", run, out, "--overwrite"), "thesis.tex")
    assert snapshot(out) == before
    (out / "thesis.tex").unlink()
    (out / "field.jaxexport").write_bytes(b"old")
    ran = invoke("hm-train", "export", run, out, "--overwrite")
    assert (ran.code, ran.stderr) == (0, "")
    assert contents(out) == contents(exported.path)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.slow
def test_what_cannot_be_exported_is_refused(tmp_path: Path) -> None:
    """No run, a run without its model, a file for OUT, and OUT below a file."""
    run = copy_of(finished_run("zarr"), tmp_path / "run")
    (tmp_path / "file").write_text("years of work")
    before = snapshot(tmp_path)
    for place in (tmp_path / "nothing", tmp_path):
        ran = invoke("hm-train", "export", place, tmp_path / "out")
        assert_refused(ran, "must have a model.hm", str(place))
    ran = invoke("hm-train", "export", run, tmp_path / "file", "--overwrite")
    assert_refused(ran, "must be a directory")
    assert_refused(invoke("hm-train", "export", run, tmp_path / "file" / "out"), "file")
    assert snapshot(tmp_path) == before
    (run / "model.hm").write_bytes(b"damaged")
    assert_refused(invoke("hm-train", "export", run, tmp_path / "out"), "model file")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_an_export_is_whole_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old one stays if the new one fails; what a kill left is no obstacle."""
    run, out = finished_run("zarr").path, tmp_path / "out"
    (tmp_path / "out.part").mkdir()
    (tmp_path / "out.part" / "field.jaxexport.part").write_bytes(b"half")
    assert invoke("hm-train", "export", run, out).code == 0
    before = snapshot(out)

    def full(model: models.Model, quantity: str) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hypermagnetics.train.export.to_jax_export", full)
    ran = invoke("hm-train", "export", run, out, "--overwrite")
    assert_refused(ran, "No space left on device")
    assert snapshot(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.slow
def test_both_uses_have_their_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a dataset named export is reached by its path."""
    assert "hm-train export RUN OUT" in invoke("hm-train", "--help").stdout
    ran = invoke("hm-train", "export", "--help")
    assert (ran.code, ran.stdout.split("\n")[0]) == (
        0,
        "Usage: hm-train export [OPTIONS] RUN OUT",
    )
    assert "Example:  hm-train export " in ran.stdout
    ran = invoke("hm-train")
    assert ran.code == 2
    assert ran.stderr.startswith("Usage: hm-train [OPTIONS] DATASET RUN\n")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished_dataset("zarr").path, tmp_path / "export")
    short = settings("schedule.warmup_fraction=0.0", "schedule.max_steps=1")
    ran = invoke("hm-train", "./export", "run", *TRAINING_RECIPE, *short)
    assert (ran.code, ran.complaints) == (0, [])
    assert "(directory export)" in (tmp_path / "run" / "model.md").read_text()


def test_the_card_says_what_the_model_is() -> None:
    """Numbers are those of the other files of the run."""
    run, dataset = finished_run("zarr").path, finished_dataset("zarr").path
    card = (run / "model.md").read_text()
    model, provenance = models.load(run / "model.hm"), read_json(run / "run.json")
    best = {
        record["step"]: record["validation"]
        for record in read_lines(run / "metrics.jsonl")
        if "validation" in record
    }[300]
    error = 100 * best["field_median_relative_error"]
    for text in (
        f"HyperLayer ({models.num_parameters(model)} parameters)",
        f"{provenance['dataset_title']} (directory {dataset.name})",
        provenance["dataset_sha256"],
        "| seed | 0 |",
        "| step | 300 of 300 |",
        f"median relative error of the field, validation split | {error:.3g} % |",
        "jax " + provenance["software"]["jax"],
        "| moment_x | A m |",
        "| position_y | m |",
        "Bodies: disc; the same for all: radius = 1.",
        "- coordinates of points: x -",
        'hypermagnetics.load("model.hm")',
    ):
        assert text in card


@pytest.mark.slow
def test_equal_runs_have_equal_cards(tmp_path: Path) -> None:
    """But for the line with the time."""
    short = (*TRAINING_RECIPE, *settings("schedule.max_steps=100"))
    for name in ("one", "other"):
        ran = invoke("hm-train", finished_dataset("zarr").path, tmp_path / name, *short)
        assert ran.code == 0
    cards = [(tmp_path / name / "model.md").read_text() for name in ("one", "other")]
    one, other = (
        [line for line in card.splitlines() if not line.startswith("| training time |")]
        for card in cards
    )
    assert one == other
    assert len(one) == len(cards[0].splitlines()) - 1
