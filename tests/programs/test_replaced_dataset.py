"""Every program ends with one sentence when its dataset is replaced while it reads it."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from exchanges import exchanged_after
from program_runs import (
    DATASET_RECIPE,
    FORMATS,
    TRAINING_RECIPE,
    Made,
    Ran,
    copy_of,
    finished_run,
    invoke,
    settings,
)

from hypermagnetics.data import StorageFormat, mapped_shards

SPLITS = settings(
    "splits={train={num_samples=48, num_sources=1}, valid={num_samples=16, num_sources=1}}"
)
SHORT = (*TRAINING_RECIPE, *settings("validation.every=20"))
Words = Callable[[Path, Path], tuple[str | Path, ...]]
PROGRAMS: dict[str, Words] = {
    "head": lambda data, out: ("hm-data", "head", data),
    "verify": lambda data, out: ("hm-data", "verify", data),
    "recompute": lambda data, out: ("hm-data", "verify", data, "--recompute", "1"),
    "convert": lambda data, out: ("hm-data", "convert", data, out, "--compress", "zstd"),
    "train": lambda data, out: ("hm-train", data, out, *SHORT),
    "train without sums": lambda data, out: (
        *("hm-train", data, out, *SHORT),
        *settings("data.check='sizes'"),
    ),
    "eval": lambda data, out: (
        "hm-eval",
        finished_run("zarr").path,
        data,
        "--out",
        out,
        "--metrics-only",
    ),
}
OPENED = {
    "early": {"zarr": 2, "hdf5": 0},
    "later": {"zarr": 40, "hdf5": 5},
    "in the steps": {"zarr": 160, "hdf5": 160},
}
"""Files opened before: few, some of the second reading, more than all checks open."""


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[[StorageFormat, int], Path]:
    """A function that makes a dataset of a seed."""
    root = tmp_path_factory.mktemp("made")

    @cache
    def make(storage_format: StorageFormat, seed: int) -> Path:
        out = root / f"{storage_format}-{seed}"
        options = ("--format", storage_format, *settings(f"seed={seed}"))
        assert invoke("hm-generate", *DATASET_RECIPE, *SPLITS, *options, out).code == 0
        return out

    return make


@pytest.mark.parametrize("storage_format", FORMATS)
@pytest.mark.parametrize(
    ("name", "when"),
    [
        *((name, "early") for name in ("head", "verify", "recompute", "convert", "train")),
        *((name, "later") for name in ("recompute", "convert")),
        *(
            pytest.param(*pair, marks=pytest.mark.slow)
            for pair in (
                ("train", "in the steps"),
                ("train without sums", "early"),
                ("train without sums", "in the steps"),
                ("eval", "early"),
                ("eval", "later"),
            )
        ),
    ],
)
def test_a_dataset_that_is_replaced_ends_the_program(
    tmp_path: Path,
    make: Callable[[StorageFormat, int], Path],
    monkeypatch: pytest.MonkeyPatch,
    storage_format: StorageFormat,
    name: str,
    when: str,
) -> None:
    """In the middle of whatever it does; nothing of both is made."""
    for place, seed in (("data", 0), ("other", 1)):
        copy_of(Made(make(storage_format, seed), Ran(0, "", "")), tmp_path / place)
    # As if there were more shards than files may be open.
    monkeypatch.setattr(mapped_shards, "_MOST_FILES", 1)
    words = PROGRAMS[name](tmp_path / "data", tmp_path / "out")
    with exchanged_after(OPENED[when][storage_format], tmp_path):
        ran = invoke(str(words[0]), *words[1:])
    assert ran.code == 2, ran
    said = [line for line in ran.complaints if "must stay the same while it is read" in line]
    assert len(said) == 1, ran.stderr
    assert "source again" not in ran.stderr
    for made in ("manifest.json", "model.hm", "results.json"):
        assert not (tmp_path / "out" / made).exists()
