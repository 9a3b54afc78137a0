"""What the operating system refuses is said as what it is, and never called damage."""

import errno
import fcntl
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr
from open_file_limits import none_may_be_opened
from program_runs import FORMATS, copy_of, finished_dataset, invoke

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset, StorageFormat, dataset_files
from hypermagnetics.data.team_file import read_team_file
from hypermagnetics.errors import DatasetError
from hypermagnetics.evaluate.compare.files import read_contestants
from hypermagnetics.evaluate.measuring.sample_file import is_sample_file, read_sample_table
from hypermagnetics.evaluate.results.json_file import is_results
from hypermagnetics.evaluate.subjects.exported_model import ExportedModel
from hypermagnetics.evaluate.subjects.prediction_file import PredictionFile
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.models import load
from hypermagnetics.run_files import read_metrics
from hypermagnetics.train.sweep.config import read_sweep

NOBODY = 65534
DAMAGE = re.compile(r"source again|Write it again|Run hm-eval again|train the model again|damaged")


def write_text(place: Path) -> None:
    place.write_text("{}")


def write_hdf5(place: Path) -> None:
    with h5py.File(place, "w") as file:
        file["m"] = np.zeros(3)


def write_zarr(place: Path) -> None:
    zarr.open_group(place, mode="w", zarr_format=3)


def write_samples(place: Path) -> None:
    zarr.open_group(place, path="a/b/c", mode="w", zarr_format=3)


def write_export(place: Path) -> None:
    place.mkdir()
    for name in ("potential", "field"):
        (place / f"{name}.jaxexport").write_bytes(b"{}")


READERS: dict[str, tuple[str, Callable[[Path], None], Callable[[Path], object]]] = {
    "recipe": ("a.toml", write_text, lambda p: load_recipe(DatasetRecipe, "dataset", str(p))),
    "sweep": ("a.toml", write_text, read_sweep),
    "model": ("a.hm", write_text, load),
    "metrics": ("metrics.jsonl", write_text, lambda p: [*read_metrics(p)]),
    "results": ("results.json", write_text, lambda p: read_contestants((p,))),
    "results to be replaced": ("results.json", write_text, is_results),
    "export": ("export", write_export, ExportedModel),
    "predictions": ("a.h5", write_hdf5, PredictionFile),
    "predictions in Zarr": ("a.zarr", write_zarr, PredictionFile),
    "samples": ("samples.zarr", write_samples, lambda p: read_sample_table(p, "a", "b", "c", 3)),
    "samples to be replaced": ("samples.zarr", write_zarr, is_sample_file),
    "team file": ("a.h5", write_hdf5, read_team_file),
}
"""Name of the file, and how it is written and read."""


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory that all users may enter; those of pytest are for their owner alone."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@contextmanager
def forbidden(place: Path) -> Iterator[None]:
    """Take the permission to read a file, or the files in a directory, from this process."""
    files = [path for path in (place, *place.rglob("*")) if path.is_file()]
    for file in files:
        file.chmod(0)
    with ExitStack() as stack:
        if os.geteuid() == 0:
            stack.callback(os.seteuid, 0)
            os.seteuid(NOBODY)
        yield


@contextmanager
def limited(place: Path) -> Iterator[None]:
    """Let no more files be opened."""
    with none_may_be_opened():
        yield


@contextmanager
def locked(place: Path) -> Iterator[None]:
    """Hold the lock that HDF5 takes on a file that is open to be written."""
    with place.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize(
    ("how", "code", "name"),
    [
        *((forbidden, errno.EACCES, name) for name in READERS),
        *((limited, errno.EMFILE, name) for name in READERS),
        *((locked, errno.EAGAIN, name) for name in ("predictions", "team file")),
    ],
)
def test_a_refusal_is_no_damage(
    shared: Path, how: Callable[[Path], Iterator[None]], code: int, name: str
) -> None:
    """Each reader passes it on, with the file that it is about."""
    file, write, read = READERS[name]
    place = shared / file
    write(place)
    if place.suffix == ".zarr":
        is_sample_file(place)  # the threads of zarr are there already
    with how(place), pytest.raises(OSError, match=re.escape(os.strerror(code))) as refusal:
        read(place)
    assert refusal.value.errno == code
    assert str(place) in str(refusal.value.filename)


@pytest.mark.parametrize(
    ("file", "storage_format"),
    [
        ("train.zarr/field/c/3/0/0", "zarr"),
        ("valid.zarr/grid/zarr.json", "zarr"),
        ("valid/shard-00001.h5", "hdf5"),
    ],
)
def test_a_file_that_may_not_be_read_is_refused_when_a_dataset_is_opened(
    shared: Path, monkeypatch: pytest.MonkeyPatch, file: str, storage_format: StorageFormat
) -> None:
    data = copy_of(finished_dataset(storage_format), shared / "data")
    # The user without permission may not start this interpreter either.
    monkeypatch.setattr(dataset_files, "read_first", len)
    with forbidden(data / file):
        with pytest.raises(DatasetError, match=rf"no permission to read {file} .*rule D3"):
            Dataset.open(data)
        ran = invoke("hm-data", "verify", data)
    assert ran.code == 2
    assert [line for line in ran.complaints if f"permission to read {file}" in line]
    assert not DAMAGE.search(ran.stderr)


@pytest.mark.parametrize("storage_format", FORMATS)
def test_a_limit_of_open_files_is_no_damage_of_a_dataset(
    storage_format: StorageFormat,
) -> None:
    """Whether a shard is read, or all of them are verified."""
    data = finished_dataset(storage_format).path
    split = Dataset.open(data).split("train")
    with none_may_be_opened(), pytest.raises(OSError, match="Too many open files") as refusal:
        split.block(0)
    assert str(data) in str(refusal.value.filename)
    with none_may_be_opened():
        ran = invoke("hm-data", "verify", data)
    assert ran.code == 2
    assert "Too many open files" in ran.stderr
    assert "ulimit -n" in ran.stderr
    assert "problem" not in ran.stdout + ran.stderr
    assert not DAMAGE.search(ran.stderr)


def test_shards_that_another_program_holds_are_read(shared: Path) -> None:
    """HDF5 refuses them, although their bytes are those of the manifest."""
    data = copy_of(finished_dataset("hdf5"), shared / "data")
    with locked(data / "train" / "shard-00000.h5"):
        with pytest.raises(BlockingIOError):
            h5py.File(data / "train" / "shard-00000.h5", "r")
        assert invoke("hm-data", "verify", data).code == 0


@pytest.mark.parametrize(
    ("how", "said"),
    [(forbidden, "Ask its owner"), (locked, "Close it in the program")],
)
def test_programs_say_what_to_do(
    shared: Path, how: Callable[[Path], Iterator[None]], said: str
) -> None:
    """In one line, about predictions as an example."""
    place = shared / "predicted.h5"
    write_hdf5(place)
    data = copy_of(finished_dataset("zarr"), shared / "data")
    with how(place):
        ran = invoke("hm-eval", place, data, "--out", shared / "out")
    assert ran.code == 2
    assert said in ran.stderr
    assert str(place) in ran.stderr
    assert not DAMAGE.search(ran.stderr)
