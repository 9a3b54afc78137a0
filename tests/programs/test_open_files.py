"""Programs keep few files open, however many shards there are; a limit that is met is named."""

from collections.abc import Callable
from pathlib import Path

import pytest
from program_runs import TRAINING_RECIPE, finished_run, run_program, settings

LIMIT = 128
"""Below the 256 of macOS, above what a program needs."""

SHARDS = 14
RECIPE = (
    "demo",
    *settings(
        "grid.num_points=24",
        "samples_per_grid=2",
        "storage.shard_mb=0.0001",
        "splits={"
        + ", ".join(
            f"{name}={{num_samples={2 * SHARDS}, num_sources=1}}"
            for name in ("train", "valid", "test-a", "test-b")
        )
        + "}",
    ),
)
"""Four splits of Zarr shards with five files each: twice as many as may be open."""

SHORT = (*TRAINING_RECIPE, *settings("schedule.max_steps=60", "validation.every=60"))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset, made under the limit."""
    data = tmp_path_factory.mktemp("many") / "many"
    ran = run_program("hm-generate", *RECIPE, data, max_open_files=LIMIT)
    assert ran.code == 0, ran
    assert len(list(data.rglob("c/*"))) == 4 * 5 * SHARDS
    return data


Words = Callable[[Path, Path], tuple[str | Path, ...]]
PROGRAMS: dict[str, Words] = {
    "verify": lambda data, out: ("hm-data", "verify", data, "--recompute", "1"),
    "convert": lambda data, out: ("hm-data", "convert", data, out, "--format", "hdf5"),
    "train": lambda data, out: ("hm-train", data, out, *SHORT),
    "eval": lambda data, out: (
        "hm-eval",
        finished_run("zarr").path,
        data,
        "--out",
        out,
        "--metrics-only",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["verify", "convert", *(pytest.param(n, marks=pytest.mark.slow) for n in ("train", "eval"))],
)
def test_few_open_files_are_enough_for_many_shards(tmp_path: Path, many: Path, name: str) -> None:
    """The limit is one of the process, not one of each split."""
    program, *words = PROGRAMS[name](many, tmp_path / "out")
    ran = run_program(str(program), *words, max_open_files=LIMIT)
    assert ran.code == 0, ran.stderr
