"""Environments of all kinds: no home, the screen of a notebook, files of other editors."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest
from program_runs import finished_run, invoke

from hypermagnetics.jax_setup import cache_directory
from hypermagnetics.train.sweep.config import read_sweep

MARK = b"\xef\xbb\xbf"

DRAWS = """
import os, sys

from hypermagnetics.data.cli import main as hm_data
from hypermagnetics.evaluate.cli import main as hm_eval
from hypermagnetics.generate.cli import main as hm_generate
from hypermagnetics.train.cli import main as hm_train

backend = os.environ["MPLBACKEND"]
for program in (hm_data, hm_generate, hm_train, hm_eval):
    program.main(["--version"], standalone_mode=False)
print("matplotlib" in sys.modules)
hm_train.main(["plot", *sys.argv[1:]], standalone_mode=False)
import matplotlib
print(matplotlib.get_backend())
"""


@pytest.mark.slow
def test_programs_draw_into_files_whatever_a_notebook_names(tmp_path: Path) -> None:
    """Else one that is not installed would end the import of matplotlib."""
    variables = {**os.environ, "MPLBACKEND": "module://absent_package.backend"}
    picture = tmp_path / "plot.png"
    ran = subprocess.run(
        [sys.executable, "-c", DRAWS, finished_run("zarr").path, "--out", picture],
        capture_output=True,
        text=True,
        env=variables,
    )
    assert ran.returncode == 0, ran.stderr
    *_, imported, wrote, backend = ran.stdout.splitlines()
    assert (imported, wrote, backend) == ("False", f"Wrote {picture}.", "agg")


@pytest.mark.slow
def test_a_training_and_its_numbers_need_no_matplotlib() -> None:
    """Nor is the backend of a user of the library changed."""
    code = (
        "import os, sys, hypermagnetics.train, hypermagnetics.evaluate, hypermagnetics.models; "
        "print('matplotlib' in sys.modules, os.environ['MPLBACKEND'])"
    )
    variables = {**os.environ, "MPLBACKEND": "svg"}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=variables, check=True
    )
    assert ran.stdout == "False svg\n"


def test_without_a_home_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs under a number which no file of users has."""

    def unknown(number: int) -> object:
        raise KeyError(number)

    for name in ("HOME", "XDG_CACHE_HOME", "JAX_COMPILATION_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert cache_directory() is None


def test_files_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    """Recipes, sweeps and points, as some editors and spreadsheets write them."""
    points = tmp_path / "points.csv"
    points.write_bytes(MARK + b"0.5,0.25\n1.5,-0.5\n")
    recipe = tmp_path / "recipe.toml"
    text = (
        'title = "Points of a file"\nseed = 1\nsamples_per_grid = 2\n'
        '[sources]\nbody = { kind = "disc", radius = 1.0 }\n'
        'moment = { distribution = "normal", std = 1.0 }\n'
        'position = { distribution = "normal", std = 1.0 }\n'
        f'[grid]\nkind = "file"\npath = "{points}"\n'
        "[splits]\ntrain = { num_samples = 2, num_sources = 1 }\n"
    )
    recipe.write_bytes(MARK + text.encode())
    ran = invoke("hm-generate", recipe, tmp_path / "out", "--dry-run")
    assert (ran.code, ran.complaints) == (0, []), ran
    assert "at 2 points" in ran.stdout
    sweep = tmp_path / "sweep.toml"
    sweep.write_bytes(MARK + b'dataset = "data"\n[sweep]\nmethod = "grid"\n[keys]\nseed = [0]\n')
    assert read_sweep(sweep)[0].dataset == "data"
