"""Whatever lies where a program expects a file of its own is refused at once, in little memory."""

import os
import re
import shutil
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from program_runs import (
    TRAINING_RECIPE,
    copy_of,
    finished_dataset,
    finished_run,
    invoke,
    settings,
)
from work_limits import hang_limit

from hypermagnetics.data import manifest as data_manifest
from hypermagnetics.run_files import RunFiles

BYTES = 30e6
"""At most; the files have more."""


def pipe(place: Path) -> None:
    """Nobody writes to it."""
    os.mkfifo(place)


def device(place: Path) -> None:
    """A link to one without end."""
    place.symlink_to("/dev/zero")


def directory(place: Path) -> None:
    """An empty one."""
    place.mkdir()


def huge(place: Path) -> None:
    """A file of 3 GB that takes no room; logs and models, which are read through, of 0.2 GB."""
    with place.open("wb") as file:
        file.truncate(200 << 20 if place.suffix in {".jsonl", ".hm"} else 3 << 30)


def dense(place: Path) -> None:
    """JSON of as many values as its bytes allow."""
    place.write_bytes(b'{"a": [' + b"[]," * 600_000 + b"[]]}\n")


class Case(NamedTuple):
    """A command, and the files that are exchanged."""

    words: tuple[str | Path, ...]
    files: tuple[Path, ...]


def data() -> Path:
    """A dataset."""
    return finished_dataset("zarr").path


def recipe(path: Path) -> Case:
    """Of a dataset."""
    return Case(("hm-generate", path / "a.toml", path / "out"), (path / "a.toml",))


def points(path: Path) -> Case:
    """Of a grid."""
    grid = settings(f'grid={{kind="file", path="{path / "a.npy"}"}}')
    return Case(("hm-generate", "demo", *grid, path / "out"), (path / "a.npy",))


def training_recipe(path: Path) -> Case:
    """Of a training."""
    words = ("hm-train", data(), path / "out", "--recipe", path / "a.json")
    return Case(words, (path / "a.json",))


def recipe_of_run(path: Path) -> Case:
    """The recipe in a run."""
    run = RunFiles(copy_of(finished_run("zarr"), path / "run"))
    return Case(("hm-train", data(), run.directory, "--resume"), (run.recipe,))


def provenance(path: Path) -> Case:
    """The run.json of a run."""
    run = RunFiles(copy_of(finished_run("zarr"), path / "run"))
    return Case(("hm-train", data(), run.directory, "--resume"), (run.provenance,))


def checkpoints(path: Path) -> Case:
    """All of them."""
    run = RunFiles(copy_of(finished_run("zarr"), path / "run"))
    files = tuple(map(run.checkpoint, run.checkpoint_steps()))
    return Case(("hm-train", data(), run.directory, "--resume"), files)


def metrics(path: Path) -> Case:
    """The log of a run that is plotted."""
    run = RunFiles(copy_of(finished_run("zarr"), path / "run"))
    return Case(("hm-train", "plot", run.directory), (run.metrics,))


def lock(path: Path) -> Case:
    """The lock of a run."""
    run = copy_of(finished_run("zarr"), path / "run")
    return Case(("hm-train", data(), run, *TRAINING_RECIPE, "--overwrite"), (run / "lock",))


def sweep(path: Path) -> Case:
    """SWEEP.toml."""
    return Case(("hm-train", "sweep", "demo", path / "a.toml", path / "out"), (path / "a.toml",))


def definition(path: Path) -> Case:
    """The sweep.json of a sweep."""
    (path / "out").mkdir()
    text = '[sweep]\nmethod = "grid"\n[keys]\nseed = [0]\n'
    (path / "a.toml").write_text(f'dataset = "{data()}"\n{text}')
    words = ("hm-train", "sweep", "demo", path / "a.toml", path / "out")
    return Case(words, (path / "out" / "sweep.json",))


def card(path: Path) -> Case:
    """The card of a run that is exported."""
    run = RunFiles(copy_of(finished_run("zarr"), path / "run"))
    return Case(("hm-train", "export", run.directory, path / "out"), (run.card,))


def model(path: Path) -> Case:
    """A model that is evaluated."""
    return Case(("hm-eval", path / "a.hm", data(), "--out", path / "out"), (path / "a.hm",))


def model_of_run(path: Path) -> Case:
    """That of a run."""
    run = RunFiles(copy_of(finished_run("zarr"), path / "run"))
    return Case(("hm-eval", run.directory, data(), "--out", path / "out"), (run.model,))


def export(path: Path) -> Case:
    """Both functions of an export."""
    (path / "export").mkdir()
    files = tuple(path / "export" / f"{name}.jaxexport" for name in ("potential", "field"))
    return Case(("hm-eval", path / "export", data(), "--out", path / "out"), files)


def predictions(path: Path) -> Case:
    """Values in HDF5."""
    return Case(("hm-eval", path / "a.h5", data(), "--out", path / "out"), (path / "a.h5",))


def results(path: Path) -> Case:
    """What is compared."""
    return Case(("hm-eval", "compare", path / "a.json", path / "a.json"), (path / "a.json",))


def results_to_replace(path: Path) -> Case:
    """What lies where results are to be written."""
    (path / "out").mkdir()
    words = ("hm-eval", finished_run("zarr").path, data(), "--metrics-only", "--out", path / "out")
    return Case((*words, "--split", "test_single"), (path / "out" / "results.json",))


def imported(path: Path) -> Case:
    """A file of another program."""
    units = ("--length-unit", "m", "--field-unit", "A/m")
    return Case(("hm-data", "import", path / "a.h5", path / "out", *units), (path / "a.h5",))


CASES: list[Callable[[Path], Case]] = [
    *(recipe, points, training_recipe, recipe_of_run, provenance, checkpoints, metrics, lock),
    *(sweep, definition, card, model, model_of_run, export, predictions, results),
    *(results_to_replace, imported),
]


@contextmanager
def little_memory() -> Iterator[None]:
    """Fail where a block takes more, or never ends, as one that waits for a pipe."""
    tracemalloc.start()
    try:
        with hang_limit():
            yield
        assert tracemalloc.get_traced_memory()[1] < BYTES
    finally:
        tracemalloc.stop()


def manifest(path: Path) -> Case:
    """That of a dataset."""
    dataset = copy_of(finished_dataset("zarr"), path / "data")
    return Case(("hm-data", "info", dataset), (dataset / "manifest.json",))


TEXTS = (recipe, training_recipe, recipe_of_run, sweep, definition, results, manifest)
"""Files of JSON, or of TOML; a run.json may not even be so long."""


@pytest.mark.parametrize("make", TEXTS)
def test_a_text_of_very_many_values_is_not_parsed(
    tmp_path: Path, make: Callable[[Path], Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A parser takes thirty times the memory of such a text."""
    case = make(tmp_path)
    for file in case.files:
        dense(file)
    if make is manifest:  # its limit is the highest
        monkeypatch.setattr(data_manifest, "_FILE", replace(data_manifest._FILE, most_values=9999))
    program, *words = case.words
    ran = invoke(str(program), *words)
    assert "Traceback" not in ran.stderr
    assert ran.code == 2, ran
    assert re.search(r" must hold at most \d+ values; got more", ran.complaints[-1]), ran.stderr


@pytest.mark.slow_cases
@pytest.mark.parametrize(
    ("make", "put"),
    [
        pytest.param(make, put, marks=() if put in (pipe, huge) else pytest.mark.slow)
        for make in CASES
        for put in (pipe, device, directory, huge)
        if (make, put) != (lock, huge)  # nobody reads a lock, so it may have any size
    ],
    ids=lambda one: one.__name__,
)
def test_a_file_that_is_none_is_refused_at_once(
    tmp_path: Path, make: Callable[[Path], Case], put: Callable[[Path], None]
) -> None:
    """One line, exit code 2."""
    case = make(tmp_path)
    for file in case.files:
        if file.is_file():
            file.unlink()
        put(file)
    program, *words = case.words
    with little_memory():
        ran = invoke(str(program), *words)
    assert "Traceback" not in ran.stderr
    assert ran.code == 2, ran
    assert " must " in ran.complaints[-1], ran.stderr
    shutil.rmtree(tmp_path)
