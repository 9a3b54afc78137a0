"""Trajectories of others become a dataset of states, in one file or one file each."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from hypermagnetics.data import Dataset, StorageFormat
from hypermagnetics.data.array_import import import_arrays
from hypermagnetics.data.boundary import boundary_of
from hypermagnetics.data.cli import main
from hypermagnetics.data.convert import convert
from hypermagnetics.data.npy_file import NpyReader
from hypermagnetics.data.state_import import trajectories_of_states
from hypermagnetics.data.summary import describe
from hypermagnetics.data.trajectories import time_step_of
from hypermagnetics.data.verify import find_problems
from hypermagnetics.errors import DatasetError

N, STATES = 12, 7
SHAPES = ((3,), (2, 5), (1, 4, 5), (2, 3, 4, 5))


def drawn(*shape: int) -> np.ndarray:
    """Trajectories in float64, which have the number of the sample at their first value."""
    values = np.random.default_rng(0).normal(size=(N, STATES, *shape))
    values.reshape(N, -1)[:, 0] = np.arange(N)
    return values


def whole(dataset: Dataset, split: str) -> np.ndarray:
    """The states of a split."""
    found = dataset.array_split(split)
    return found.entries("states", range(len(found)))


def is_all_of(dataset: Dataset, values: np.ndarray) -> bool:
    """Whether every trajectory is there once, with its values in float32."""
    seen = []
    for split in dataset.splits:
        states = whole(dataset, split)
        numbers = states.reshape(len(states), -1)[:, 0].astype(int)
        np.testing.assert_array_equal(states, values[numbers].astype(np.float32))
        seen += numbers.tolist()
    return sorted(seen) == list(range(N)) and list(find_problems(dataset)) == []


@pytest.mark.slow_cases
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", ["zarr", "hdf5"])
def test_a_file_of_trajectories_is_stored_as_it_is(
    tmp_path: Path, shape: tuple[int, ...], form: StorageFormat
) -> None:
    """With states of components or of channels, and numbers of another byte order."""
    np.save(tmp_path / "x.npy", drawn(*shape).astype(">f8"))
    arrays = trajectories_of_states(tmp_path / "x.npy", 0.5)
    assert arrays.conversions == ("x.npy (big-endian float64)",)
    made = import_arrays(arrays, tmp_path / "out", storage_format=form, samples_per_block=4)
    dataset = Dataset.open(tmp_path / "out")
    assert is_all_of(dataset, drawn(*shape))
    (declared,) = dataset.array_split("train").layout.declared
    axes = ("component",) if len(shape) == 1 else ("channel", "space_0", "space_1", "space_2")
    assert declared.item_shape == (STATES, *shape)
    assert declared.dimensions == ("time", *axes[: len(shape)])
    assert declared.components == axes[0]
    assert time_step_of(dataset) == 0.5
    assert "boundary" not in made.recipe["imported"]  # type: ignore[operator]


def write_each(directory: Path, values: np.ndarray) -> Path:
    """A file for each trajectory, in an order that no listing has; their pattern."""
    for number in np.random.default_rng(1).permutation(N).tolist():
        np.save(directory / f"x_{number:02}.npy", values[number])
    return directory / "x_*.npy"


@pytest.mark.parametrize("shape", SHAPES[:2])
def test_a_file_for_each_trajectory_is_the_same(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """With their digest in the manifest."""
    files = write_each(tmp_path, np.asfortranarray(drawn(*shape).astype("f4")))
    import_arrays(trajectories_of_states(files, 0.5), tmp_path / "out")
    dataset = Dataset.open(tmp_path / "out")
    assert is_all_of(dataset, drawn(*shape))
    each = [(tmp_path / f"x_{number:02}.npy").read_bytes() for number in range(N)]
    lines = "".join(f"{hashlib.sha256(found).hexdigest()}\n" for found in each)
    origin: Any = dataset.manifest.recipe["imported"]
    assert origin["files"]["states"] == [
        {
            "pattern": "x_*.npy",
            "num_files": N,
            "num_channels": shape[0],
            "sha256": hashlib.sha256(lines.encode()).hexdigest(),
            "dtypes": ["float32"],
        }
    ]


def test_many_components_have_statistics_together(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", drawn(65))
    (declared,) = trajectories_of_states(tmp_path / "x.npy", 1.0).declared
    assert declared.components is None


def test_time_step_and_boundary_are_kept_and_said(tmp_path: Path) -> None:
    """By the program, a description, a check and a converted dataset."""
    np.save(tmp_path / "x.npy", drawn(1, 5).astype("f4"))
    out, options = tmp_path / "out", ("--time-step", "0.01", "--boundary", "periodic")
    command = ("import-arrays", str(out), "--states", str(tmp_path / "x.npy"), *options)
    ran = CliRunner().invoke(main, command)
    assert ran.exit_code == 0, ran.output
    said = "Trajectories, time first: states 7 x 1 x 5; time step 0.01; boundary periodic.\n"
    assert ran.stdout.endswith(said)
    convert(Dataset.open(out), tmp_path / "other", storage_format="hdf5", compression="zstd")
    for directory in (out, tmp_path / "other"):
        dataset = Dataset.open(directory)
        assert time_step_of(dataset) == 0.01
        assert boundary_of(dataset) == "periodic"
        assert "\ntime step: 0.01\nboundary: periodic\n" in describe(dataset)
        assert is_all_of(dataset, drawn(1, 5))


def test_other_imports_say_nothing_of_time(tmp_path: Path) -> None:
    """Their manifests are as before."""
    np.save(tmp_path / "x.npy", np.ones((20, 2)))
    command = ["import-arrays", str(tmp_path / "out"), "--readings", str(tmp_path / "x.npy")]
    assert CliRunner().invoke(main, command).exit_code == 0
    assert "time_step" not in (tmp_path / "out/manifest.json").read_text()
    assert time_step_of(Dataset.open(tmp_path / "out")) is None


BAD_ARRAYS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "no time": (lambda x: x[:, 0, :, 0], r"must have shape \(samples, states, .*; got \[12, 2\]"),
    "too many axes": (lambda x: x[..., None, None, None], r"got \[12, 7, 2, 5, 1, 1, 1\]"),
    "one state": (lambda x: x[:, :1], r"at least 2 states, a step apart; got 1 \(.*x.npy"),
    "no states": (lambda x: x[:, :0], r"without one of length 0; got \[12, 0, 2, 5\]"),
    "objects": (lambda x: x.astype(object), "Python objects, which would be unpickled"),
    "complex": (lambda x: x + 1j, "must hold real numbers; got complex128"),
    "truth values": (lambda x: x > 0, "must hold real numbers; got bool"),
    "Fortran's order": (np.asfortranarray, "in C order"),
    "NaN": (lambda x: np.where(x == 3, np.nan, x), r"got nan \(sample 3, index \[0, 0, 0\], .*x.n"),
    "infinity": (lambda x: np.where(x == 3, np.inf, x), r"got inf \(sample 3, index \[0, 0, 0\]"),
    "beyond float32": (lambda x: np.where(x == 3, 1e39, x), r"range of float32.*1e\+39 \(sample 3"),
}


@pytest.mark.parametrize("bad", BAD_ARRAYS.values(), ids=BAD_ARRAYS)
def test_a_bad_file_is_named_with_what_is_wrong(
    tmp_path: Path, bad: tuple[Callable[[np.ndarray], np.ndarray], str]
) -> None:
    np.save(tmp_path / "x.npy", bad[0](drawn(2, 5)), allow_pickle=True)
    with pytest.raises(DatasetError, match=bad[1]):
        import_arrays(trajectories_of_states(tmp_path / "x.npy", 1.0), tmp_path / "out")
    assert not (tmp_path / "out/manifest.json").exists()


BAD_FILES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "unequal lengths": (
        lambda x: x[:-2],
        r"equal numbers of states; got 5 and 7 \(.*x_05.npy and .*x_00.npy\). Cut them",
    ),
    "another shape": (
        lambda x: x[:, :, :-1],
        r"states of one shape; got \[7, 2, 4\] and \[7, 2, 5\] \(.*x_05.npy and .*x_00.npy\)",
    ),
    "no time": (lambda x: x[0, 0], r"must be a trajectory, .*; got \[5\] \(.*x_05.npy"),
    "too many axes": (lambda x: x[..., None, None, None], r"must be a trajectory, .*; got \[7, 2,"),
    "empty": (lambda x: x[:, :0], r"none of length 0; got \[7, 0, 5\]"),
    "objects": (lambda x: x.astype(object), "Python objects, .*x_05.npy"),
    "NaN": (lambda x: np.where(x == 5, np.nan, x), r"got nan \(index \[0, 0, 0\], .*x_05.npy"),
}


@pytest.mark.parametrize("bad", BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_of_a_pattern_is_named_with_what_is_wrong(
    tmp_path: Path, bad: tuple[Callable[[np.ndarray], np.ndarray], str]
) -> None:
    files = write_each(tmp_path, drawn(2, 5))
    path = tmp_path / "x_05.npy"
    np.save(path, bad[0](np.load(path)), allow_pickle=True)
    with pytest.raises(DatasetError, match=bad[1]):
        import_arrays(trajectories_of_states(files, 1.0), tmp_path / "out")
    assert not (tmp_path / "out/manifest.json").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--states", "x.npy"), "must be a known time apart; got none (--time-step)"),
        (("--states", "x.npy", "--time-step", "0"), "0.0 is not in the range x>0"),
        (("--states", "x.npy", "--time-step", "-1"), "-1.0 is not in the range x>0"),
        (("--states", "x.npy", "--time-step", "inf"), "must be finite"),
        (("--inputs", "x.npy", "--targets", "x.npy", "--time-step", "1"), "must be that of states"),
        (("--time-step", "1"), "got none. Give one of the three"),
        (
            ("--states", "c.npy", "--time-step", "1", "--boundary", "open"),
            "must have spatial axes, behind that of channels; got 3 components",
        ),
        *(
            (
                ("--states", "x.npy", "--time-step", "1", option, value),
                f"or --states with their --time-step; got {option}, --states. Give one",
            )
            for option, value in (
                ("--inputs", "x.npy"),
                ("--targets", "x.npy"),
                ("--jacobian", "x.npy"),
                ("--jacobian-axes", "inputs,targets"),
                ("--readings", "x.npy"),
                ("--derivatives", "x.npy"),
                ("--parameter", "mean=0"),
            )
        ),
        (("--states", "absent.npy", "--time-step", "1"), "A file to import must exist"),
        (("--states", "no_*.npy", "--time-step", "1"), "A pattern must match a file; got none"),
        (("--states", "x_?.npy", "--time-step", "1"), "(--states). Write for example"),
        (("--states", "one_*.npy", "--time-step", "1"), "at least 2 states, a step apart; got 1"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    np.save(tmp_path / "x.npy", drawn(2, 5))
    np.save(tmp_path / "c.npy", drawn(3))
    np.save(tmp_path / "one_0.npy", drawn(3)[0, :1])
    named = [str(tmp_path / word) if word.endswith(".npy") else word for word in options]
    ran = CliRunner().invoke(main, ["import-arrays", str(tmp_path / "out"), *named])
    assert ran.exit_code == 2
    assert said in ran.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("read", ["rows", "whole"])
def test_an_interrupted_import_goes_on_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    """Of one file, and of one file each."""
    np.save(tmp_path / "x.npy", drawn(3))
    path = write_each(tmp_path, drawn(3)) if read == "whole" else tmp_path / "x.npy"
    count, reading = {"read": 0}, getattr(NpyReader, read)

    def stopping(reader: NpyReader, *arguments: Any) -> np.ndarray:
        count["read"] += 1
        if count["read"] == 4:
            raise InterruptedError
        found: np.ndarray = reading(reader, *arguments)
        return found

    monkeypatch.setattr(NpyReader, read, stopping)
    options: dict[str, Any] = {"samples_per_block": 1, "shard_bytes": 1.0}
    with pytest.raises(InterruptedError):
        import_arrays(trajectories_of_states(path, 1.0), tmp_path / "out", **options)
    assert (tmp_path / "out/journal.lock").exists()
    for name in ("out", "whole"):
        import_arrays(trajectories_of_states(path, 1.0), tmp_path / name, **options)
    assert count["read"] < 4 + 2 * N, "shards that were written are not made again"
    sums = [(tmp_path / name / "manifest-sha256.txt").read_bytes() for name in ("out", "whole")]
    assert sums[0] == sums[1]
