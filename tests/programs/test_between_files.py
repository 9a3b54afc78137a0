"""Programs that are killed between any two of their files, and go on by the same command.

`PLACES` names every file that a program puts in its place or takes away; that none is forgotten is
a test of its own.
"""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from faults import ALWAYS, Fault
from program_runs import (
    DATASET_RECIPE,
    TRAINING_RECIPE,
    contents,
    finished_dataset,
    finished_run,
    invoke,
    run_program,
    settings,
)

from hypermagnetics.files import is_aside
from hypermagnetics.train.sweep import trial

CALLS = ("link", "replace", "rename", "unlink")
TIMED = {"metrics.jsonl", "model.md", "results.json", "lock"}
"""Files that hold times, and one that says nothing."""

SMALL = settings(
    "splits={train={num_samples=8, num_sources=1}, valid={num_samples=8, num_sources=1}}"
)
SHORT = (
    *TRAINING_RECIPE,
    *settings(
        *("schedule.max_steps=2", "checkpoint.every=1", "validation.every=1", "checkpoint.keep=1"),
        *("schedule.warmup_fraction=0.0", "data.train=valid", "data.check=sizes"),
    ),
)


class Case(NamedTuple):
    """A command, and the calls of `os` about its files, by the end of their names."""

    program: str
    words: tuple[str | Path, ...]
    out: Path
    again: tuple[str, ...] = ()
    """Options of the command that goes on."""


def generation(directory: Path) -> Case:
    """A small dataset."""
    out = directory / "out"
    return Case("hm-generate", (*DATASET_RECIPE, *SMALL, out, "--format", "hdf5"), out)


def training(directory: Path) -> Case:
    """Two steps, each with a checkpoint."""
    out = directory / "out"
    words = (finished_dataset("zarr").path, out, *SHORT)
    return Case("hm-train", words, out, ("--resume",))


def training_anew(directory: Path) -> Case:
    """The same in place of another run."""
    out = directory / "out"
    if not out.exists():
        shutil.copytree(finished_run("zarr").path, out)
    words = (finished_dataset("zarr").path, out, *SHORT, "--overwrite")
    return Case("hm-train", words, out)


def evaluation(directory: Path) -> Case:
    """Numbers alone, in place of those of an earlier evaluation."""
    out = directory / "out"
    words = (
        *(finished_run("zarr").path, finished_dataset("zarr").path),
        *("--split", "test_single", "--metrics-only", "--out", out),
    )
    if not out.exists():
        assert invoke("hm-eval", *words).code == 0
    return Case("hm-eval", words, out)


def sweep(directory: Path) -> Case:
    """A grid of one."""
    file, out = directory / "sweep.toml", directory / "out"
    text = 'method = "grid"\n[keys]\nseed = [0]\n'
    file.write_text(f'dataset = "{finished_dataset("zarr").path}"\n[sweep]\n{text}')
    return Case("hm-train", ("sweep", "demo", file, out, *SHORT), out)


def resumption(directory: Path) -> Case:
    """One step more of a finished run."""
    out = directory / "out"
    if not out.exists():
        shutil.copytree(finished_run("zarr").path, out)
    more = settings("schedule.max_steps=301")
    return Case("hm-train", (finished_dataset("zarr").path, out, "--resume", *more), out)


def export(directory: Path) -> Case:
    """In place of an earlier export."""
    out = directory / "out"
    words = ("export", finished_run("zarr").path, out)
    if not out.exists():
        assert invoke("hm-train", *words).code == 0
    return Case("hm-train", (*words, "--overwrite"), out)


MAKERS: dict[str, Callable[[Path], Case]] = {
    make.__name__: make
    for make in (generation, training, training_anew, evaluation, sweep, resumption, export)
}

PLACES: dict[str, dict[str, tuple[str, ...]]] = {
    "generation": {
        "link": (
            *("train/shard-00000.h5", "valid/shard-00000.h5"),
            *("journal/dataset.json", "journal/train-00000.json", "journal/valid-00000.json"),
        ),
        "replace": ("README.md", "manifest-sha256.txt", "manifest.json"),
        "unlink": ("valid/shard-00000.h5.part-", "journal.lock"),
    },
    "training": {
        "replace": (
            *("recipe.json", "run.json", "metrics.jsonl"),
            *("best-000000001.hm", "step-000000001.ckpt", "best-000000002.hm"),
            *("step-000000002.ckpt", "final.hm", "model.md", "model.hm"),
        ),
        "unlink": ("step-000000001.ckpt", "best-000000001.hm"),
    },
    "training_anew": {
        "unlink": ("run.json", "recipe.json", "model.hm", "step-000000300.ckpt", "metrics.jsonl"),
    },
    "evaluation": {
        "replace": ("results.json",),
        "rename": ("samples.zarr.replaced", "out/samples.zarr"),
        "unlink": ("results.json", "out/lock"),
    },
    "sweep": {
        "replace": (
            *("sweep.json", "recipes/trial-0000.json"),
            *("table.csv", "table.md", "parallel.png"),
        ),
    },
    "export": {"rename": ("out.replaced", "killed/out")},
}
EXCHANGES = [
    (file, *place)
    for file in ("recipe.json", "metrics.jsonl")
    for place in (("rename", 1), ("rename", 2), ("unlink", 1))
]
"""Files of a run that goes on, where the file system refuses to rename over existing ones: killed
before the old one is put aside, before the new one takes its name, before the old one is deleted.
"""

AT_ONCE = {
    *(("generation", "unlink", "journal.lock"), ("training", "replace", "recipe.json")),
    *(("training", "replace", "run.json"), ("evaluation", "rename", "samples.zarr")),
}
"""Those that are tested also where time is short."""

ALL = [
    pytest.param(*place, marks=() if place in AT_ONCE else pytest.mark.slow)
    for name, calls in PLACES.items()
    for call, files in calls.items()
    for file in files
    for place in ((name, call, file),)
]


def left(out: Path) -> dict[str, str]:
    """All files, but for those that hold times."""
    found = contents(out).items()
    own = {path: digest for path, digest in found if Path(path).name not in TIMED}
    # A sweep keeps times in its tables, and what its trials have said.
    return {
        path: digest
        for path, digest in own.items()
        if not path.startswith(("table.", "trials.", "logs/", "locks/", "parallel."))
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """What each command leaves; filled as needed."""
    return {}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "call", "file"), ALL)
def test_a_program_killed_between_two_files_goes_on_by_the_same_command(
    tmp_path: Path,
    undisturbed: dict[str, dict[str, str]],
    name: str,
    call: str,
    file: str,
) -> None:
    """And ends with the files of one that was not disturbed."""
    if name not in undisturbed:
        (tmp_path / "whole").mkdir()
        whole = MAKERS[name](tmp_path / "whole")
        ran = run_program(whole.program, *whole.words)
        assert ran.code == 0, ran
        undisturbed[name] = left(whole.out)
    (tmp_path / "killed").mkdir()
    case = MAKERS[name](tmp_path / "killed")
    fault = Fault(call, "KILL", file=file).variables(tmp_path)
    assert run_program(case.program, *case.words, variables=fault).code == -signal.SIGKILL
    ran = run_program(case.program, *case.words, *case.again)
    assert ran.code == 0, ran
    assert left(case.out) == undisturbed[name]


@pytest.mark.slow
@pytest.mark.parametrize(("file", "call", "first"), EXCHANGES)
def test_a_file_that_was_being_exchanged_is_found_again(
    tmp_path: Path, undisturbed: dict[str, dict[str, str]], file: str, call: str, first: int
) -> None:
    """Where file systems refuse to rename over existing ones; with the files of one that does."""
    name = resumption.__name__
    if name not in undisturbed:
        (tmp_path / "whole").mkdir()
        whole = resumption(tmp_path / "whole")
        assert run_program(whole.program, *whole.words).code == 0
        undisturbed[name] = left(whole.out)
    case = resumption(tmp_path)
    place = f"{file}.replaced" if call == "unlink" else file
    fault = Fault(call, "KILL", first=first, file=place, without_replacing=True)
    faulty = fault.variables(tmp_path)
    assert run_program(case.program, *case.words, variables=faulty).code == -signal.SIGKILL
    assert is_aside(case.out / file) == ((call, first) != ("rename", 1))
    fault = Fault("rename", "KILL", first=ALWAYS, without_replacing=True)
    ran = run_program(case.program, *case.words, variables=fault.variables(tmp_path))
    assert ran.code == 0, ran
    assert sum("cannot rename over existing files" in line for line in ran.complaints) == 1
    assert left(case.out) == undisturbed[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["generation", "evaluation"])
def test_programs_do_their_work_where_nothing_is_replaced(tmp_path: Path, name: str) -> None:
    """Whatever the libraries that they use do; results are exchanged."""
    case = MAKERS[name](tmp_path)
    before = left(case.out) if case.out.exists() else None
    fault = Fault("rename", "KILL", first=ALWAYS, without_replacing=True)
    ran = run_program(case.program, *case.words, variables=fault.variables(tmp_path))
    assert ran.code == 0, ran
    assert before in (None, left(case.out))


@pytest.fixture
def touched(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[tuple[str, str]]]:
    """Calls of this process, and the names of their files."""
    found: set[tuple[str, str]] = set()
    for call in CALLS:
        real = getattr(os, call)

        def watched(
            *words: Any, real: Callable[..., object] = real, call: str = call, **more: Any
        ) -> object:
            if os.path.lexists(words[0]):
                found.add((call, str(words[-1])))
            return real(*words, **more)

        monkeypatch.setattr(os, call, watched)
    return found


_TRIAL = """
import json, pathlib, sys
run = pathlib.Path(sys.argv[-1])
run.mkdir()
errors = dict.fromkeys(("potential_median_relative_error", "field_median_relative_error"), 0.1)
line = json.dumps({"step": 1, "validation": {"loss": 1.0, **errors}})
(run / "metrics.jsonl").write_text(line + "\\n")
"""
"""Instead of hm-train, whose calls are in a process of its own and so not seen here."""


@pytest.mark.slow_cases
@pytest.mark.parametrize("name", ["generation", "training", "evaluation", "sweep"])
def test_no_file_is_forgotten(
    tmp_path: Path, touched: set[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whatever a program puts in its place or takes away has been killed there."""
    monkeypatch.setattr(trial, "_HM_TRAIN", _TRIAL)
    case = MAKERS[name](tmp_path)
    touched.clear()
    assert invoke(case.program, *case.words).code == 0
    ours = {(call, path) for call, path in touched if path.startswith(str(tmp_path))}
    assert ours
    forgotten = {
        (call, path)
        for call, path in ours
        if not path.endswith(".part")
        and ".part-" not in path
        and "samples.zarr." not in path
        and not any(path.endswith(file) for file in PLACES[name].get(call, ()))
    }
    assert forgotten == set()
