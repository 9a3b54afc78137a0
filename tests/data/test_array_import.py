"""Plain files of numpy become datasets of arrays alone, value by value."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from hypermagnetics.data import Dataset, StorageFormat
from hypermagnetics.data.array_import import (
    Arrays,
    divided,
    import_arrays,
    inputs_and_targets,
    readings_and_derivatives,
)
from hypermagnetics.data.cli import main
from hypermagnetics.data.npy_file import read_npy
from hypermagnetics.data.origin import Shares
from hypermagnetics.data.parameters import Parameter, parameters_of
from hypermagnetics.data.summary import describe
from hypermagnetics.data.verify import find_problems
from hypermagnetics.errors import DatasetError

N, IN, OUT = 100, 3, 5
THETA = (Parameter(name="mean", value=0.5), Parameter(name="variance", value=1.0))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Inputs, targets and their Jacobian, in float64; sample i has i in its first input."""
    random = np.random.default_rng(0)
    values = {
        "m": random.normal(size=(N, IN)),
        "q": random.normal(size=(N, OUT)),
        "j": random.normal(size=(N, OUT, IN)),
        "x": random.normal(size=(N, 4)),
        "d": random.normal(size=(N // 2, 4, 2)),
    }
    values["m"][:, 0] = values["x"][:, 0] = np.arange(N)
    values["d"][:, 0, 0] = np.arange(N // 2)
    for name, array in values.items():
        np.save(tmp_path / f"{name}.npy", array)
    return {name: tmp_path / f"{name}.npy" for name in values}


def whole(dataset: Dataset, split: str, name: str) -> np.ndarray:
    """An array of a split."""
    found = dataset.array_split(split)
    return found.entries(name, range(found.layout.array(name).shape[0]))


@pytest.mark.slow_cases
@pytest.mark.parametrize("form", ["zarr", "hdf5"])
@pytest.mark.parametrize("order", ["targets,inputs", "inputs,targets"])
def test_each_sample_comes_whole_into_one_split(
    files: dict[str, Path], tmp_path: Path, form: StorageFormat, order: str
) -> None:
    """With the values of the files in float32, the Jacobian as (targets, inputs)."""
    jacobian = np.load(files["j"])
    if order == "inputs,targets":
        np.save(files["j"], jacobian.swapaxes(1, 2).copy())
    arrays = inputs_and_targets(files["m"], files["q"], files["j"])
    import_arrays(arrays, tmp_path / "out", storage_format=form, shard_bytes=3000.0)
    dataset, seen = Dataset.open(tmp_path / "out"), []
    for split in ("train", "valid", "test"):
        inputs = whole(dataset, split, "inputs")
        numbers = inputs[:, 0].astype(int)
        assert (np.diff(numbers) > 0).all(), "in the order of the files"
        for name, file in (("inputs", "m"), ("targets", "q")):
            wanted = np.load(files[file])[numbers].astype(np.float32)
            np.testing.assert_array_equal(whole(dataset, split, name), wanted)
        wanted = jacobian[numbers].astype(np.float32)
        np.testing.assert_array_equal(whole(dataset, split, "jacobian"), wanted)
        seen += numbers.tolist()
    assert sorted(seen) == list(range(N))
    assert [len(dataset.any_split(name)) for name in dataset.splits] == [80, 10, 10]
    assert list(find_problems(dataset)) == []


def test_samples_with_derivatives_come_first_in_every_split(
    files: dict[str, Path], tmp_path: Path
) -> None:
    """And are divided by the same shares as all samples."""
    arrays = readings_and_derivatives(files["x"], files["d"], THETA)
    made = import_arrays(arrays, tmp_path / "out")
    assert parameters_of(made) == THETA
    dataset = Dataset.open(tmp_path / "out")
    described = describe(dataset)
    assert "(4 x 2 for each of the first samples)" in described
    assert f"parameters: {', '.join(f'{one.name} {one.value:g}' for one in THETA)}" in described
    for split, count in (("train", 40), ("valid", 5), ("test", 5)):
        derivatives = whole(dataset, split, "derivatives")
        assert derivatives.shape == (count, 4, 2)
        numbers = whole(dataset, split, "readings")[:count, 0]
        np.testing.assert_array_equal(derivatives[:, 0, 0], numbers)
    assert list(find_problems(dataset)) == []


def test_the_division_depends_on_the_seed_alone() -> None:
    one, again = (divided(N, N, Shares(), 3) for _ in range(2))
    other = divided(N, N, Shares(), 4)
    assert all((one[name] == again[name]).all() for name in one)
    assert any((one[name] != other[name]).any() for name in one)
    assert set(divided(N, N, Shares(train=0.9, valid=0.1, test=0.0), 0)) == {"train", "valid"}


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        (Shares(train=0.8, valid=0.1, test=0.2), "add up to 1"),
        (Shares(train=1.2, valid=0.1, test=-0.3), "at least 0"),
        (Shares(train=0.998, valid=0.001, test=0.001), "Each split must get a sample"),
    ],
)
def test_shares_divide_the_samples(shares: Shares, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        divided(N, N, shares, 0)


def saved(
    name: str, change: Callable[[np.ndarray], np.ndarray]
) -> Callable[[dict[str, Path]], None]:
    """Save a file anew, changed."""
    return lambda files: np.save(files[name], change(np.load(files[name])), allow_pickle=True)


def with_value(value: float) -> Callable[[np.ndarray], np.ndarray]:
    """Put a value in the row of a sample of each split."""

    def put(array: np.ndarray) -> np.ndarray:
        array[7, 1] = value
        return array

    return put


def cut(files: dict[str, Path]) -> None:
    """Take the last bytes away."""
    data = files["q"].read_bytes()
    files["q"].write_bytes(data[:-3])


def longer(files: dict[str, Path]) -> None:
    """A second array behind the first."""
    files["q"].write_bytes(files["q"].read_bytes() * 2)


def archive(files: dict[str, Path]) -> None:
    """An .npz under the name of an .npy."""
    with files["q"].open("wb") as file:
        np.savez(file, q=np.ones((N, OUT)))


BAD_FILES: dict[str, tuple[Callable[[dict[str, Path]], Any], str]] = {
    "fewer targets": (saved("q", lambda q: q[:-1]), "same number of samples; got 100 and 99"),
    "fewer Jacobians": (saved("j", lambda j: j[:-1]), "as many samples as the inputs; got 99"),
    "another Jacobian": (saved("j", lambda j: j[..., :-1]), r"got \[100, 5, 2\]"),
    "a flat Jacobian": (saved("j", lambda j: j.reshape(N, -1)), r"got \[100, 15\]"),
    "NaN": (saved("j", with_value(np.nan)), r"must be finite; got nan \(sample 7, index \[1, 0\]"),
    "infinity": (saved("m", with_value(-np.inf)), r"must be finite; got -inf \(sample 7, index"),
    "beyond float32": (saved("m", with_value(1e39)), r"range of float32.*got 1e\+39 \(sample 7"),
    "objects": (saved("m", lambda m: m.astype(object)), "Python objects, which would be unpickled"),
    "complex": (saved("m", lambda m: m.astype(complex)), "must hold real numbers; got complex128"),
    "text": (saved("m", lambda m: m.astype("U4")), "must hold real numbers; got <U4"),
    "truth values": (saved("m", lambda m: m > 0), "must hold real numbers; got bool"),
    "Fortran's order": (saved("j", np.asfortranarray), "in C order"),
    "empty": (saved("m", lambda m: m[:0]), "without one of length 0"),
    "one axis": (saved("m", lambda m: m[:, 0].copy()), r"at least two axes.*got \[100\]"),
    "cut off": (cut, "cut off"),
    "two arrays": (longer, "one array; got"),
    "an archive": (archive, "an archive"),
    "no numpy": (lambda files: files["m"].write_bytes(b"1,2,3"), "whole .npy file"),
    "nothing": (lambda files: files["m"].write_bytes(b""), "whole .npy file"),
    "absent": (lambda files: files["m"].unlink(), "must exist; got no file"),
    "a pipe": (lambda files: (files["m"].unlink(), os.mkfifo(files["m"])), "must be a plain file"),
}


@pytest.mark.parametrize("change", BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_named_with_what_is_wrong(
    files: dict[str, Path], tmp_path: Path, change: tuple[Callable[[dict[str, Path]], Any], str]
) -> None:
    change[0](files)
    with pytest.raises(DatasetError, match=change[1]):
        import_arrays(inputs_and_targets(files["m"], files["q"], files["j"]), tmp_path / "out")
    assert not (tmp_path / "out/manifest.json").exists()


def test_equal_lengths_want_the_order_of_axes(files: dict[str, Path], tmp_path: Path) -> None:
    square = np.random.default_rng(0).normal(size=(N, IN, IN))
    np.save(files["j"], square)
    with pytest.raises(DatasetError, match="must be named where both have the same length"):
        inputs_and_targets(files["m"], files["m"], files["j"])
    arrays = inputs_and_targets(files["m"], files["m"], files["j"], "inputs,targets")
    import_arrays(arrays, tmp_path / "out")
    dataset = Dataset.open(tmp_path / "out")
    numbers = whole(dataset, "train", "inputs")[:, 0].astype(int)
    wanted = square[numbers].swapaxes(1, 2).astype(np.float32)
    np.testing.assert_array_equal(whole(dataset, "train", "jacobian"), wanted)


def test_a_named_order_that_the_shape_denies_is_refused(files: dict[str, Path]) -> None:
    with pytest.raises(DatasetError, match=r"\(samples, inputs,targets\), \[3, 5\] each"):
        inputs_and_targets(files["m"], files["q"], files["j"], "inputs,targets")


BAD_DERIVATIVES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "more than readings": (lambda d: np.concatenate([d, d, d]), "at most as many samples"),
    "parameters first": (lambda d: np.moveaxis(d, -1, 1).copy(), "the parameters last"),
    "differences": (lambda d: np.stack([d, d], 1), "the parameters last"),
    "one parameter more": (
        lambda d: np.concatenate([d, d[..., :1]], -1),
        "Each of the 3 ",
    ),
}


@pytest.mark.parametrize("change", BAD_DERIVATIVES.values(), ids=BAD_DERIVATIVES)
def test_bad_derivatives_are_refused(
    files: dict[str, Path], change: tuple[Callable[[np.ndarray], np.ndarray], str]
) -> None:
    np.save(files["d"], change[0](np.load(files["d"])))
    with pytest.raises(DatasetError, match=change[1]):
        readings_and_derivatives(files["x"], files["d"], THETA)


def test_a_file_that_changes_meanwhile_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    arrays = inputs_and_targets(files["m"], files["q"])
    np.save(files["q"], np.ones((N, OUT)))
    with pytest.raises(DatasetError, match="must stay the same while it is imported"):
        import_arrays(arrays, tmp_path / "out")


def test_other_byte_orders_and_whole_numbers_are_read(tmp_path: Path) -> None:
    np.save(tmp_path / "big.npy", np.arange(8.0).astype(">f8").reshape(4, 2))
    np.save(tmp_path / "whole.npy", np.arange(8).reshape(4, 2))
    for name in ("big", "whole"):
        with read_npy(tmp_path / f"{name}.npy").open() as reader:
            np.testing.assert_array_equal(reader.rows([1, 3]), [[2, 3], [6, 7]])


def arrays_of(files: dict[str, Path]) -> Arrays:
    """Inputs, targets and Jacobian."""
    return inputs_and_targets(files["m"], files["q"], files["j"])


def test_an_interrupted_import_goes_on_to_the_same_bytes(
    files: dict[str, Path], tmp_path: Path
) -> None:
    class StopError(Exception):
        """Not an error of ours."""

    class Stopping:
        done = 0

        def advance(self, count: int, status: str = "") -> None:
            self.done += count
            if self.done > 40:
                raise StopError

        def skip(self, count: int) -> None:
            """Nothing to count."""

        def tell(self, text: str) -> None:
            """Nothing to say."""

    out, whole_out = tmp_path / "out", tmp_path / "whole"
    options: dict[str, Any] = {"samples_per_block": 4, "shard_bytes": 700.0}
    with pytest.raises(StopError):
        import_arrays(arrays_of(files), out, **options, listener=Stopping())
    assert len(list(out.glob("journal/*.json"))) > 3
    import_arrays(arrays_of(files), out, **options)
    import_arrays(arrays_of(files), whole_out, **options)
    names = [sorted(path.relative_to(d) for path in d.rglob("*")) for d in (out, whole_out)]
    assert names[0] == names[1]
    same = "manifest-sha256.txt"
    assert (out / same).read_bytes() == (whole_out / same).read_bytes()


def test_the_program_imports_and_says_what_it_did(files: dict[str, Path], tmp_path: Path) -> None:
    command = ["import-arrays", str(tmp_path / "out")]
    command += ["--readings", str(files["x"]), "--derivatives", str(files["d"])]
    missing = CliRunner().invoke(main, [*command, "--parameter", "mean=0.5"])
    assert missing.exit_code == 2
    command += ["--parameter", "mean=0.5", "--parameter", "variance=1"]
    ran = CliRunner().invoke(main, command)
    assert ran.exit_code == 0, ran.output
    assert "Splits by seed 0: train 80, valid 10, test 10." in ran.output
    assert parameters_of(Dataset.open(tmp_path / "out").manifest) == THETA


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--inputs", "m.npy"),
        ("--inputs", "m.npy", "--targets", "q.npy", "--readings", "x.npy"),
        ("--readings", "x.npy", "--jacobian", "j.npy"),
        ("--inputs", "m.npy", "--targets", "q.npy", "--parameter", "a=1"),
        ("--inputs", "m.npy", "--targets", "q.npy", "--shares", "1"),
        ("--readings", "x.npy", "--derivatives", "d.npy", "--parameter", "a=b"),
        ("--readings", "x.npy", "--derivatives", "d.npy", "--parameter", "a=nan"),
    ],
)
def test_options_that_make_no_dataset_are_refused(
    files: dict[str, Path], tmp_path: Path, options: tuple[str, ...]
) -> None:
    named = [str(tmp_path / word) if word.endswith(".npy") else word for word in options]
    ran = CliRunner().invoke(main, ["import-arrays", str(tmp_path / "out"), *named])
    assert ran.exit_code == 2
    assert not (tmp_path / "out").exists()


_MEASURED = """
import resource, sys
from pathlib import Path
from hypermagnetics.data import Dataset
from hypermagnetics.data.array_import import import_arrays, inputs_and_targets

_, m, q, j, out = sys.argv
small = [Path(path).with_name("small_" + Path(path).name) for path in (m, q)]
import_arrays(inputs_and_targets(*small), Path(out + "-small"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
import_arrays(inputs_and_targets(*map(Path, (m, q, j))), Path(out), shard_bytes=6.4e7)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.slow
def test_files_ten_times_as_large_as_the_memory_taken_are_imported(tmp_path: Path) -> None:
    """Ten times what the import adds to the memory of its process."""
    random = np.random.default_rng(0)
    samples, inputs, targets = 7_500, 90, 110
    for name, width in (("m", inputs), ("q", targets)):
        values = random.normal(size=(samples, width)).astype(np.float32)
        np.save(tmp_path / f"large_{name}.npy", values)
        np.save(tmp_path / f"small_large_{name}.npy", values[:100])
    jacobian = np.lib.format.open_memmap(
        tmp_path / "large_j.npy", "w+", np.float64, (samples, targets, inputs)
    )
    jacobian[:] = random.normal(size=(1, targets, inputs))
    jacobian.flush()
    size = (tmp_path / "large_j.npy").stat().st_size
    paths = [tmp_path / f"large_{name}.npy" for name in "mqj"]
    command = [sys.executable, "-c", _MEASURED, *map(str, paths), str(tmp_path / "out")]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) < size / 10
    split = Dataset.open(tmp_path / "out").array_split("train")
    np.testing.assert_array_equal(
        split.block(split.layout.num_blocks - 1).values("jacobian")[-1],
        jacobian[0].astype(np.float32),
    )
