"""HDF5 files on which the library hangs or crashes are refused, wherever one comes from others."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import h5py
import pytest
from faults import assert_end
from mending import random_blocks, write_dataset
from program_runs import TIMEOUT
from recording import Recording
from team_files import old_file

from hypermagnetics.child_processes import Ended, run_script
from hypermagnetics.data import Dataset, SplitLayout, dataset_files, hdf5_reading, verify_split
from hypermagnetics.data.hdf5_reading import read_first
from hypermagnetics.data.importing import Units, import_team_file, missing_units
from hypermagnetics.data.team_file import read_team_file
from hypermagnetics.errors import DatasetError, HypermagneticsError
from hypermagnetics.evaluate.subjects.prediction_file import PredictionFile

LAYOUT = SplitLayout(
    num_samples=40,
    samples_per_grid=2,
    samples_per_shard=2,
    shared_grid=False,
    num_points=9,
    max_sources=3,
    source_size=4,
    dim=2,
)
FAULTS = {
    "hangs": ("hang()", "did not finish reading within 60 s"),
    "crashes": ("ctypes.string_at(0)", "the HDF5 library crashed (signal 11)"),
    "takes memory": ("bytearray(1 << 32)", "needs more than 2147483648 bytes"),
    "fails": ("sys.exit('no library')", "exit code 1 of the process that reads it first: no lib"),
}
"""What reading the structure of a file does, and what is said about it."""
FAULTY = """
import ctypes, itertools, runpy, signal, sys
main = runpy.run_path({script!r})["main"]
read, end = main.__globals__["read_structure"], main.__globals__["_end_without_memory"]

def read_structure(raw):
    try:
        raw.seek(0)  # where it stands is shared with the program
        {fault} if raw.read().find(b"damage") >= 0 else read(raw)
    except Exception as error:
        end(error)

def hang():
    left, _ = signal.getitimer(signal.ITIMER_REAL)
    if not 0 < left <= float(sys.argv[1]):
        sys.exit("no alarm is set")
    # The alarm comes at once, in a loop of C, which holds the interpreter as HDF5 does.
    alarm = map(getattr(ctypes.CDLL(None), "raise"), [signal.SIGALRM])
    sum(itertools.chain(alarm, itertools.repeat(0)))

main.__globals__["read_structure"] = read_structure
main()
"""
"""The script with a library that has a fault in files of a certain text."""


def use_faulty_library(monkeypatch: pytest.MonkeyPatch, directory: Path, fault: str) -> None:
    """Let files that hold "damage" meet a fault of the library, on which the script ends itself."""

    def run(*arguments: Any) -> Ended:
        ended = run_script(*arguments)
        assert ended.code is not None
        return ended

    script = directory / "faulty.py"
    script.write_text(FAULTY.format(script=str(hdf5_reading._SCRIPT), fault=fault))
    monkeypatch.setattr(hdf5_reading, "_SCRIPT", script)
    monkeypatch.setattr(hdf5_reading, "run_script", run)


def sound(path: Path) -> IO[bytes]:
    """A small HDF5 file, open."""
    with h5py.File(path, "w") as file:
        file.create_dataset("a/b", data=range(6), chunks=(2,), compression="gzip")
        file["a"].attrs["text"] = "a text"
        file["ring"] = file["/"]
    return path.open("rb")


def damaged(path: Path) -> IO[bytes]:
    """A file on which the library has its fault, open."""
    path.write_bytes(b"damage")
    return path.open("rb")


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_library_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Of the first file; those before a damaged one count as read."""
    code, said = FAULTS[fault]
    use_faulty_library(monkeypatch, tmp_path, code)
    with sound(tmp_path / "a.h5") as good, damaged(tmp_path / "b.h5") as bad:
        assert read_first([good, bad]) == 1
        with pytest.raises(OSError, match=r"one|exit code") as caught:
            read_first([bad, good])
    assert said in str(caught.value)


def team(directory: Path) -> None:
    """A file to be imported."""
    damaged(directory / "old.h5").close()
    read_team_file(directory / "old.h5")


def predictions(directory: Path) -> None:
    """Predictions of another program."""
    damaged(directory / "made.h5").close()
    PredictionFile(directory / "made.h5")


def shard(directory: Path) -> None:
    """A shard that was changed since it was written, and whose dataset nobody has verified."""
    data = directory / "data"
    write_dataset(data, {"train": (LAYOUT, random_blocks(LAYOUT))}, "hdf5")
    with (data / "train" / "shard-00007.h5").open("r+b") as file:
        file.seek(-6, os.SEEK_END)
        file.write(b"damage")
    split = Dataset.open(data).split("train")
    split.block(6)
    split.block(7)


@pytest.mark.slow_cases
@pytest.mark.parametrize(
    ("use", "name"), [(team, "old"), (predictions, "made"), (shard, "shard-00007")]
)
def test_no_program_waits_for_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: Callable[[Path], None], name: str
) -> None:
    """One sentence says what must hold, what came, and what to do."""
    use_faulty_library(monkeypatch, tmp_path, FAULTS["hangs"][0])
    message = r"must be an? .*HDF5 file.*; got.* one that the HDF5 library did not finish reading"
    place = rf" within 60 s .*\b{name}\.h5.*\. \w+ .*\."
    with pytest.raises(HypermagneticsError, match=message + place):
        use(tmp_path)


@pytest.mark.slow
def test_a_bit_of_a_heap_hangs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HDF5 2.0 loops for ever where the size of an object in a heap of texts is so changed."""
    monkeypatch.setattr(hdf5_reading, "SECONDS", 2.0)
    old = old_file()
    old.units = dict.fromkeys(("r", "r0", "size"), "mm")
    path = old.write(tmp_path / "old.h5")
    data = bytearray(path.read_bytes())
    data[data.find(b"GCOL") + 25] ^= 2
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="must be a whole HDF5 file"):
        read_team_file(path)


def test_nothing_of_the_working_directory_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does anything else than the file decide what is read."""
    for name in ("h5py", "numpy", "random", "ctypes"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w').close()\nraise ImportError\n")
    monkeypatch.setattr(hdf5_reading, "run_script", run_script)  # an interpreter of its own
    monkeypatch.chdir(tmp_path)
    with sound(tmp_path / "a.h5") as file:
        assert read_first([file]) == 1
    assert not (tmp_path / "ran").exists()


def test_little_is_imported(tmp_path: Path) -> None:
    """A child starts for each file, so it must start quickly."""
    code = (
        f"import runpy, sys; runpy.run_path({str(hdf5_reading._SCRIPT)!r}); "
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = set(done.stdout.split())
    assert {"h5py", "numpy"} <= names
    assert not {"hypermagnetics", "jax", "pydantic", "zarr"} & names


WAITING = """
import sys
from pathlib import Path
from hypermagnetics.data import hdf5_reading

hdf5_reading._SCRIPT = Path(sys.argv[1])
with open(sys.argv[2], "rb") as file:
    hdf5_reading.read_first([file])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the time alone ends it")
def test_the_process_ends_with_its_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed, it cannot tell it, and the library does not listen; long before an alarm."""
    told = tmp_path / "told"
    os.mkfifo(told)
    tell = f"open({str(told)!r}, 'w').write(str(__import__('os').getpid()))"
    later = f"signal.setitimer(signal.ITIMER_REAL, {2 * TIMEOUT})"
    use_faulty_library(monkeypatch, tmp_path, f"({tell}, {later}, sum(itertools.repeat(0)))")
    damaged(tmp_path / "b.h5").close()
    words = [sys.executable, "-c", WAITING, tmp_path / "faulty.py", tmp_path / "b.h5"]
    with subprocess.Popen(words) as program:
        child = int(told.read_text())
        program.kill()
    assert_end([child])


def count_children(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of files that children have read, one for each child."""
    counts: list[int] = []

    def count(files: Sequence[IO[bytes]]) -> int:
        counts.append(len(files))
        return len(files)

    monkeypatch.setattr(dataset_files, "read_first", count)
    return counts


def test_of_many_shards_many_are_read_by_one_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once each, although they have the sha256 of their manifest."""
    data = write_dataset(tmp_path, {"train": (LAYOUT, random_blocks(LAYOUT))}, "hdf5").directory
    counts = count_children(monkeypatch)
    split = Dataset.open(data).split("train")
    verify_split(split)
    assert len(list(split.blocks())) == 20
    assert counts == [16, 4]


def append(path: Path) -> None:
    """The file itself is changed."""
    with path.open("ab") as file:
        file.write(b"more")


def exchange(path: Path) -> None:
    """The same bytes in another file: the reader cannot know."""
    path.with_name("other.h5").write_bytes(path.read_bytes())
    path.with_name("other.h5").replace(path)


class Changing(Recording):
    """Changes a file when a number of samples is done."""

    def __init__(self, until: int, change: Callable[[], None]) -> None:
        super().__init__(until)
        self.change = change

    def advance(self, count: int, note: str = "") -> None:
        """Keep it, or change the file."""
        self.counts.append(count)
        if self.until is not None and self.total >= self.until:
            self.until = None
            self.change()


@pytest.mark.slow_cases
@pytest.mark.parametrize("samples", [0, 1, 600], ids=["before", "at first", "at last"])
@pytest.mark.parametrize("change", [append, exchange, Path.unlink])
def test_a_team_file_stays_the_same_while_it_is_imported(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
    samples: int,
) -> None:
    """What was judged is what is imported, and what its sha256 names."""
    monkeypatch.setattr("hypermagnetics.data.team_file.read_first", len)
    path = old_file(samples=300, grid=True).write(tmp_path / "old.h5")
    old = read_team_file(path)
    assert missing_units(old) == ("length", "field")
    if not samples:
        change(path)
    got = "no file any more" if change is Path.unlink else "another file"
    with pytest.raises(DatasetError, match=rf"A team file must .*; got {got} \(.*old\.h5\)\. "):
        import_team_file(
            old,
            tmp_path / "new",
            units=Units(length="m", field="A/m"),
            listener=Changing(samples, lambda: change(path)),
        )
    assert not (tmp_path / "new" / "manifest.json").exists()
