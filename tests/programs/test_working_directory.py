"""A working directory with data of somebody else: only what its user names runs."""

from pathlib import Path

import pytest
from program_runs import (
    ONE_SPLIT_RECIPE,
    OWN_INTERPRETER,
    TRAINING_RECIPE,
    finished_dataset,
    finished_run,
    invoke,
    run_program,
    settings,
)

OWN = """
import numpy as np


def nothing(sources, points):
    shape = (len(sources), len(points))
    return np.zeros(shape), np.zeros((*shape, points.shape[1]))


def squares(error, truth):
    return (error**2).sum(axis=-1)
"""

RUNS = "import pathlib\npathlib.Path(__file__).with_suffix('.ran').touch()\nraise ImportError\n"
"""A module that leaves a mark when it is imported."""

GROUPS = ("jax_plugins", "zarr.codecs", "numcodecs.codecs", "xarray.backends")
"""Groups of entry points by which libraries look for plugins in all directories of the path."""

MODULES = (
    # Optional packages.
    *("pyvista", "vtkmodules", "fmm3dpy", "magpylib", "wandb", "mlflow", "tensorboardX", "optuna"),
    # What a process imports first that Python starts by a line of code.
    *("multiprocessing", "socket", "random"),
)

SPACE = (
    "spheres-3d",
    *settings(
        "grid.num_points=16",
        "samples_per_grid=8",
        "splits={train={num_samples=16, num_sources=1}, test={num_samples=8, num_sources=1}}",
    ),
)

COMMANDS = [
    ("hm-generate", *ONE_SPLIT_RECIPE, "out", "--workers", "2"),
    ("hm-data", "verify", "DATA", "--recompute", "0.1"),
    ("hm-data", "convert", "DATA", "out", "--compress", "zstd"),
    ("hm-train", "DATA", "out", *TRAINING_RECIPE, "--objective", "own:squares"),
    ("hm-train", "plot", "RUN", "--out", "out.png"),
    ("hm-train", "export", "RUN", "out"),
    ("hm-train", "sweep", "demo", "sweep.toml", "out", "--data", "DATA", *TRAINING_RECIPE),
    ("hm-eval", "own:nothing", "SPACE", "--out", "out"),
]


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset in space."""
    out = tmp_path_factory.mktemp("space") / "data"
    assert invoke("hm-generate", *SPACE, out).code == 0
    return out


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a module to be named, and with much that nobody names."""
    (tmp_path / "own.py").write_text(OWN)
    for name in (*MODULES, "plugin"):
        (tmp_path / f"{name}.py").write_text(RUNS)
    (information := tmp_path / "plugin-1.0.dist-info").mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1.0\n")
    points = "".join(f"[{group}]\nplugin = plugin\n" for group in GROUPS)
    (information / "entry_points.txt").write_text(points)
    (tmp_path / "sweep.toml").write_text('[sweep]\nmethod = "grid"\n[keys]\nseed = [0]\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:3]))
def test_nothing_runs_that_was_not_named(
    hostile: Path, space: Path, command: tuple[str, ...]
) -> None:
    """Neither in the process of the program nor in those that it starts."""
    places = {
        "DATA": finished_dataset("zarr").path,
        "RUN": finished_run("zarr").path,
        "SPACE": space,
    }
    name, *words = command
    # A program that is forked keeps the flag -P of its server, and hands it to its children.
    variables = OWN_INTERPRETER if "--workers" in words else {}
    ran = run_program(name, *(places.get(word, word) for word in words), variables=variables)
    assert ran.code == 0, ran
    assert {path.name for path in hostile.glob("*.ran")} == set()
