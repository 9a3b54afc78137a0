"""Whatever a program writes has the rights that the umask leaves, so that a group can go on."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from program_runs import (
    DATASET_RECIPE,
    TRAINING_RECIPE,
    finished_dataset,
    finished_run,
    invoke,
    run_program,
    settings,
)

SMALL = settings(
    "splits={train={num_samples=8, num_sources=1}, valid={num_samples=8, num_sources=1}}"
)
SHORT = (
    *TRAINING_RECIPE,
    *settings("schedule.max_steps=2", "validation.every=1", "data.train=valid", "data.check=sizes"),
)


def dataset() -> str:
    """A dataset."""
    return str(finished_dataset("zarr").path)


def sweep_file(directory: Path) -> Path:
    """A grid of one."""
    file = directory / "sweep.toml"
    text = '[sweep]\nmethod = "grid"\n[keys]\nseed = [0]\n'
    file.write_text(f'dataset = "{dataset()}"\n{text}')
    return file


COMMANDS = {
    "generate zarr": lambda out: ("hm-generate", *DATASET_RECIPE, *SMALL, out),
    "generate hdf5": lambda out: (
        *("hm-generate", *DATASET_RECIPE, *SMALL, out),
        *("--format", "hdf5", "--workers", "2"),
    ),
    "convert": lambda out: ("hm-data", "convert", dataset(), out, "--format", "hdf5"),
    "train": lambda out: ("hm-train", dataset(), out, *SHORT),
    "export": lambda out: ("hm-train", "export", finished_run("zarr").path, out),
    "plot": lambda out: ("hm-train", "plot", finished_run("zarr").path, "--out", out / "a.png"),
    "sweep": lambda out: ("hm-train", "sweep", "demo", sweep_file(out.parent), out, *SHORT),
    "evaluate": lambda out: (
        *("hm-eval", finished_run("zarr").path, dataset()),
        *("--split", "test_single", "--out", out),
    ),
}
SLOW = {"generate hdf5", "sweep", "evaluate"}


@pytest.fixture(params=[0o002, 0o027], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """A umask of this process and its children."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in COMMANDS]
)
def test_the_umask_decides_about_every_file(tmp_path: Path, umask: int, name: str) -> None:
    """Also of those that other libraries make."""
    out = tmp_path / "out"
    if name == "plot":
        out.mkdir()
    program, *words = COMMANDS[name](out)
    run = run_program if name == "sweep" else invoke
    with_umask = {"max_file_bytes": 1 << 40} if name == "sweep" else {}  # a real start, with it
    ran = run(program, *words, **with_umask)
    assert ran.code == 0, ran
    assert list(out.rglob("*"))
    for path in (out, *out.rglob("*")):
        right = 0o777 if path.is_dir() else 0o666
        assert stat.S_IMODE(path.stat().st_mode) & right == right & ~umask, path
