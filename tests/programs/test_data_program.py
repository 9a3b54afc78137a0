"""hm-data on sound datasets, on a killed conversion, and on places that are none."""

import fcntl
import re
import signal
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from faults import Fault
from mending import change_values
from program_runs import (
    assert_refused,
    contents,
    copy_of,
    dataset_in,
    finished_dataset,
    invoke,
    num_journal_files,
    run_program,
    snapshot,
)
from team_files import old_file

from hypermagnetics.data import Compression, Dataset, StorageFormat


class Form(NamedTuple):
    """How a dataset is stored."""

    storage_format: StorageFormat
    compression: Compression
    shard_mb: float

    @property
    def options(self) -> tuple[str, ...]:
        """What makes hm-data write this form."""
        names = ("--format", "--compress", "--shard-mb")
        return tuple(word for pair in zip(names, map(str, self), strict=True) for word in pair)


FORMS = (
    Form("zarr", "none", 0.001),
    Form("zarr", "zstd", 0.012),
    Form("hdf5", "none", 0.0057),
    Form("hdf5", "zstd", 256.0),
)
"""One block a shard, several, and all."""

PAIRS = [
    pytest.param(
        *(FORMS[place] for place in pair),
        id="{} to {}".format(*pair),
        marks=[] if pair[1] == (pair[0] + 1) % len(FORMS) else pytest.mark.slow,
    )
    for pair in permutations(range(len(FORMS)), 2)
]
"""Each to the next one, and when there is time each to each."""

COMPUTED = re.compile(r"(\S+): labels of (\d+) samples follow .* difference \S+ \(--seed (\d+)\)\.")


def make(form: Form) -> Path:
    """The dataset in this form as hm-generate writes it."""
    return dataset_in(*form)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_sound_dataset_is_described_and_verified(form: Form) -> None:
    """In every form; nothing in it is touched."""
    dataset = make(form)
    before = snapshot(dataset)
    ran = invoke("hm-data", "info", dataset)
    assert (ran.code, ran.stderr) == (0, "")
    for said in (f"{form.storage_format}, compression {form.compression}", "moment_x [A m]", "160"):
        assert said in ran.stdout
    assert "health: complete" in ran.stdout
    ran = invoke("hm-data", "verify", dataset)
    assert (ran.code, ran.complaints) == (0, [])
    assert f"{dataset}: " in ran.stdout
    assert "are sound" in ran.stdout
    assert snapshot(dataset) == before


@pytest.mark.slow_cases
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_head_shows_the_stored_values(form: Form) -> None:
    """Of the split asked for, or of the first one."""
    dataset = make(form)
    ran = invoke("hm-data", "head", dataset, "--split", "test_multi", "--samples", "3")
    assert (ran.code, ran.stderr) == (0, "")
    split = Dataset.open(dataset).split("test_multi")
    for number in range(3):
        assert f"test_multi, sample {number}: 4 sources" in ran.stdout
        shown = [*split[number].sources.flat, *split[number].potential[:5]]
        assert all(f"{value:.6g}" in ran.stdout for value in shown)
    assert "sample 3" not in ran.stdout
    assert invoke("hm-data", "head", dataset).stdout.startswith("train, sample 0: 1 sources")


@pytest.mark.slow
@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_conversion_gives_what_hm_generate_writes(tmp_path: Path, old: Form, new: Form) -> None:
    """Byte for byte, with manifest and card; so back again it is the original."""
    ran = invoke("hm-data", "convert", make(old), tmp_path / "out", *new.options)
    assert (ran.code, ran.complaints) == (0, [])
    assert "205 samples" in ran.stdout
    assert contents(tmp_path / "out") == contents(make(new))


@pytest.mark.slow
def test_a_conversion_without_options_is_a_copy(tmp_path: Path) -> None:
    """What is not given stays as it is."""
    for form in FORMS:
        out = tmp_path / str(form.shard_mb)
        assert invoke("hm-data", "convert", make(form), out).code == 0
        assert contents(out) == contents(make(form))


@pytest.mark.slow
@pytest.mark.parametrize("storage_format", [pytest.param("zarr", marks=pytest.mark.slow), "hdf5"])
def test_a_killed_conversion_goes_on_to_the_same_bytes(
    tmp_path: Path, storage_format: StorageFormat
) -> None:
    """Killed twice; another form is refused in between, and refuses nothing afterwards."""
    out, form = tmp_path / "out", Form(storage_format, "zstd", 0.001)
    command = ("convert", make(FORMS[0]), out, *form.options)
    # Another thread may be about to enter a shard when the process is killed.
    for number, counts in ((3, (1, 2)), (12, (11, 12, 13))):
        fault = Fault("fsync", "KILL", number, file="journal").variables(tmp_path)
        assert run_program("hm-data", *command, variables=fault).code == -signal.SIGKILL
        assert num_journal_files(out) in counts
        assert not (out / "manifest.json").exists()
    assert_refused(invoke("hm-data", "info", out), "manifest.json", "rule D1")
    other = invoke("hm-data", "convert", make(FORMS[0]), out, *FORMS[1].options)
    assert_refused(other, "unfinished one of another recipe, format or version", str(out))
    ran = run_program("hm-data", *command)
    assert (ran.code, ran.complaints) == (0, [])
    assert contents(out) == contents(make(form))


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS[1:3], ids=str)
def test_labels_follow_from_the_sources(form: Form) -> None:
    """A fraction of each split, at least one sample; the seed printed gives the same again."""
    dataset = make(form)
    ran = invoke("hm-data", "verify", dataset, "--recompute", "0.05")
    assert (ran.code, ran.complaints) == (0, [])
    first, *lines = ran.stdout.splitlines()
    assert "are sound" in first
    found = [COMPUTED.fullmatch(line) for line in lines]
    assert [match and match.groups()[:2] for match in found] == [
        ("train", "8"),
        ("valid", "1"),
        ("test_single", "1"),
        ("test_multi", "1"),
    ]
    seed = found[0][3]  # type: ignore[index]
    again = invoke("hm-data", "verify", dataset, "--recompute", "0.05", "--seed", seed)
    assert again.stdout.splitlines()[1:] == lines


@pytest.mark.slow
@pytest.mark.parametrize("storage_format", ["zarr", pytest.param("hdf5", marks=pytest.mark.slow)])
def test_a_wrong_label_behind_right_checksums_is_found(
    tmp_path: Path, storage_format: StorageFormat
) -> None:
    """If its sample is chosen, which the seed alone decides."""
    dataset = copy_of(finished_dataset(storage_format), tmp_path / "data")

    def change(values: np.ndarray) -> None:
        values[5, 7, 1] *= np.float32(1.001)

    change_values(dataset, "train", "field", change)
    assert invoke("hm-data", "verify", dataset).code == 0
    ran = invoke("hm-data", "verify", dataset, "--recompute", "1")
    assert ran.code == 2
    (line,) = ran.complaints
    assert re.search(r"The field must follow from .*'train', sample 5, point 7, .*rule V4\)", line)
    command = ("verify", dataset, "--recompute", "0.5", "--seed")
    codes = [[invoke("hm-data", *command, str(seed)).code for seed in (0, 1, 2)] for _ in range(2)]
    assert codes[0] == codes[1]
    assert set(codes[0]) == {0, 2}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "dim", "form"),
    [
        ("sphere", 2, FORMS[1]),
        pytest.param("prism", 3, FORMS[2], marks=pytest.mark.slow),
        pytest.param("prism", 2, FORMS[0], marks=pytest.mark.slow),
        pytest.param("sphere", 3, FORMS[3], marks=pytest.mark.slow),
    ],
)
def test_an_imported_file_agrees_with_our_labels(
    tmp_path: Path, shape: str, dim: int, form: Form
) -> None:
    """In every form, on a grid and at points; and converted it is what is imported in that form."""
    file, out = old_file(shape, dim, grid=True).write(tmp_path / "old.h5"), tmp_path / "data"
    units = ("--length-unit", "m", "--field-unit", "A/m")
    ran = invoke("hm-data", "import", file, out, *units, *form.options)
    assert (ran.code, ran.complaints) == (0, [])
    assert f"hm-data verify {out} --recompute 0.01" in ran.stdout
    ran = invoke("hm-data", "verify", out, "--recompute", "1")
    assert (ran.code, ran.complaints) == (0, [])
    other = tmp_path / "zarr"
    assert invoke("hm-data", "import", file, other, *units).code == 0
    whole = ("--format", "zarr", "--compress", "none", "--shard-mb", "256")
    assert invoke("hm-data", "convert", out, tmp_path / "back", *whole).code == 0
    assert contents(tmp_path / "back") == contents(other)


@pytest.mark.slow
def test_an_import_does_not_guess_units(tmp_path: Path) -> None:
    """Nobody can be asked on a pipe; the message names the option."""
    file, out = old_file().write(tmp_path / "old.h5"), tmp_path / "data"
    ran = run_program("hm-data", "import", file, out)
    assert_refused(ran, "unit of length", "Give --length-unit.", str(file))
    ran = run_program("hm-data", "import", file, out, "--length-unit", "mm")
    assert_refused(ran, "unit of field", "Give --field-unit.", str(file))
    assert not out.exists()


def writing_commands(directory: Path) -> tuple[tuple[str, ...], ...]:
    """Commands that lack only OUT."""
    file = old_file().write(directory / "old.h5")
    units = ("--length-unit", "m", "--field-unit", "A/m")
    return (("convert", str(make(FORMS[0]))), ("import", *units, str(file)))


@pytest.mark.slow
def test_a_place_that_is_taken_is_refused(tmp_path: Path) -> None:
    """A finished dataset, a file, foreign files, an unfinished dataset of another kind."""
    (tmp_path / "file").write_text("years of work")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.tex").write_text("years of work")
    (tmp_path / "half" / "journal").mkdir(parents=True)
    (tmp_path / "half" / "journal.lock").touch()
    entry = '{"crc32":"8cd1ad1e","entry":{"title": "another"}}\n'
    (tmp_path / "half" / "journal" / "dataset.json").write_text(entry)
    copy_of(finished_dataset("hdf5"), tmp_path / "finished")
    commands, before = writing_commands(tmp_path), snapshot(tmp_path)
    for command in commands:
        for name, said in {
            "file": "which is a file",
            "foreign": "a directory with other files",
            "half": "unfinished one of another recipe",
            "finished": "a finished dataset",
            "file/out": "Not a directory",
        }.items():
            assert_refused(invoke("hm-data", *command, tmp_path / name), said, str(tmp_path / name))
    assert snapshot(tmp_path) == before


def test_a_dataset_is_not_converted_onto_itself(tmp_path: Path) -> None:
    """Nor through a link."""
    dataset = copy_of(finished_dataset("zarr"), tmp_path / "data")
    (tmp_path / "link").symlink_to(dataset)
    before = snapshot(tmp_path)
    for out in (dataset, tmp_path / "link", tmp_path / "link" / ".." / "data"):
        ran = invoke("hm-data", "convert", dataset, out, "--format", "hdf5")
        assert_refused(ran, "a finished dataset")
    assert snapshot(tmp_path) == before


@pytest.mark.slow
def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    """Whatever the first one writes."""
    (command, _), out = writing_commands(tmp_path), tmp_path / "out"
    out.mkdir()
    with (out / "journal.lock").open("ab") as journal:
        fcntl.flock(journal, fcntl.LOCK_EX)
        before = snapshot(tmp_path)
        ran = invoke("hm-data", *command, out)
        assert_refused(ran, "must have one writer; got a second", str(out))
        assert snapshot(tmp_path) == before


@pytest.mark.parametrize("command", ["info", "head", "verify", "convert", "import"])
def test_what_is_no_dataset_is_refused(tmp_path: Path, command: str) -> None:
    """Absent, empty, a file, and a dataset that is not finished."""
    (tmp_path / "file").write_bytes(bytes(100))
    (tmp_path / "empty").mkdir()
    half = copy_of(finished_dataset("zarr"), tmp_path / "half")
    (half / "manifest.json").rename(half / "journal.lock")
    before = snapshot(tmp_path)
    out = [tmp_path / "out"] * (command in ("convert", "import"))
    for name in ("absent", "empty", "file", "file/below", "half"):
        ran = invoke("hm-data", command, tmp_path / name, *out)
        assert_refused(ran, str(tmp_path / name))
        if name == "half" and command != "import":
            assert_refused(ran, "give its command again to complete it")
    assert snapshot(tmp_path) == before


def test_a_split_that_is_not_there_is_refused() -> None:
    """The message lists those that are."""
    ran = invoke("hm-data", "head", finished_dataset("zarr").path, "--split", "tests-multi")
    assert_refused(ran, "one of train, valid, test_single, test_multi", "mean 'test_multi'?")
