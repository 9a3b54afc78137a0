"""Names of runs, datasets and results with every kind of character, through every program."""

import os
import shutil
from pathlib import Path

import pytest
import sqlalchemy
from program_runs import (
    ONE_SPLIT_RECIPE,
    TRAINING_RECIPE,
    copy_of,
    finished_dataset,
    finished_run,
    invoke,
    read_json,
    settings,
)

from hypermagnetics.files import name_in_text
from hypermagnetics.train.tracking.mlflow import database_url

ODD = os.fsdecode(b"a$\\frac{$ ?x=1&y#z %20%s\n'\"\xc3\xa9\xff")
"""Formulas, URLs, formats, lines, quotes, a letter beyond ASCII, and a byte that is no UTF-8."""
TEXT = "a$\\frac{$ ?x=1&y#z %20%s\n'\"é\\xff"

ONE_STEP = settings("schedule.max_steps=1", "checkpoint.every=1", "validation.every=1")


def run_well(*command: str | Path) -> None:
    """A command that must succeed, with nothing on stderr."""
    name, *words = command
    ran = invoke(str(name), *words)
    assert (ran.code, ran.complaints) == (0, []), ran


@pytest.mark.slow
def test_any_name_does_for_data_and_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made, converted, trained on, resumed, plotted, exported and evaluated."""
    monkeypatch.chdir(tmp_path)
    data, copy, run, results = (Path(place) / ODD for place in ("data", "copy", "run", "results"))
    run_well("hm-generate", *ONE_SPLIT_RECIPE, data)
    run_well("hm-data", "info", data)
    run_well("hm-data", "head", data)
    run_well("hm-data", "verify", data)
    run_well("hm-data", "convert", data, copy, "--compress", "zstd")
    data = copy_of(finished_dataset("zarr"), Path("discs") / ODD)
    tracked = settings('tracking.to=["tensorboard"]')
    run_well("hm-train", data, run, *TRAINING_RECIPE, *ONE_STEP, *tracked)
    run_well("hm-train", data, run, "--resume", *settings("schedule.max_steps=2"))
    assert read_json(run / "run.json")["dataset"] == f"discs/{TEXT}"
    run_well("hm-train", "plot", run)
    run_well("hm-train", "export", run, Path("export") / ODD)
    run_well("hm-eval", run, data, "--metrics-only", "--out", results)
    found = read_json(results / "results.json")
    assert [subject["name"] for subject in found["subjects"]] == [TEXT]
    assert [dataset["place"] for dataset in found["datasets"]] == [f"discs/{TEXT}"]
    shutil.copytree(results, other := Path("other") / ODD)
    run_well("hm-eval", "compare", results, other)


@pytest.mark.slow
def test_any_name_does_for_a_report_and_a_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With learning curves, which are read from the run."""
    monkeypatch.chdir(tmp_path)
    data = copy_of(finished_dataset("zarr"), Path("discs") / ODD)
    run = copy_of(finished_run("zarr"), Path("run") / ODD)
    run_well("hm-eval", run, data, "--split", "test_single", "--out", ODD)
    assert "No learning curve of" not in (Path(ODD) / "index.html").read_text(encoding="utf-8")
    sweep, out = Path(f"{ODD}.toml"), Path("sweep") / ODD
    sweep.write_text('[sweep]\nmethod = "grid"\n[keys]\nseed = [0]\n')
    out.parent.mkdir()
    sizes = (*TRAINING_RECIPE, *ONE_STEP)
    ran = invoke("hm-train", "sweep", "demo", sweep, out, "--data", data, *sizes)
    assert ran.code == 0, ran


def test_a_name_in_text_is_the_name_but_for_bytes_that_are_none() -> None:
    assert name_in_text(ODD) == TEXT
    assert name_in_text(Path("run")) == "run"
    TEXT.encode()


@pytest.mark.parametrize("name", ["run", ODD])
def test_the_database_of_a_tracker_lies_in_its_directory(tmp_path: Path, name: str) -> None:
    """MLflow makes the directory above the path in the URL, and hands the URL to SQLAlchemy."""
    directory = tmp_path / name
    directory.mkdir()
    url = database_url(directory)
    Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("create table numbers (one integer)"))
    engine.dispose()
    assert [path.name for path in directory.iterdir()] == ["mlflow.db"]
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert ("/proc/" in url) == (name == ODD)  # only Linux has such paths
