"""Files of one map each become a dataset of maps, matched by their names."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from hypermagnetics.data import Dataset, StorageFormat
from hypermagnetics.data.array_import import import_arrays, inputs_and_targets
from hypermagnetics.data.boundary import boundary_of
from hypermagnetics.data.cli import main
from hypermagnetics.data.convert import convert
from hypermagnetics.data.map_arrays import input_and_target_maps
from hypermagnetics.data.map_pattern import MapPattern
from hypermagnetics.data.npy_file import NpyReader
from hypermagnetics.data.summary import describe
from hypermagnetics.data.verify import find_problems
from hypermagnetics.errors import DatasetError

WORDS = [f"{i:03d}" for i in range(20)]
IN, TARGET = (2, 4, 6), (3, 4, 6)


def write_maps(directory: Path) -> dict[str, dict[str, np.ndarray]]:
    """Maps in an order that no listing has: inputs, targets, and a part of the inputs beside them.

    Each map has the number of its sample at its first point.
    """
    random = np.random.default_rng(0)
    made: dict[str, dict[str, np.ndarray]] = {"in": {}, "tgt": {}, "more": {}}
    for name in ("a", "b"):
        (directory / name).mkdir()
    for word in random.permutation(WORDS).tolist():
        for name, shape, dtype in (("in", IN, ">f8"), ("tgt", TARGET, "f4"), ("more", IN, "i2")):
            values = (100 * random.normal(size=shape)).astype(dtype)
            values[0, 0, 0] = int(word)
            made[name][word] = values
            np.save(path_of(directory, name, word), values)
    return made


def path_of(directory: Path, name: str, word: str) -> Path:
    """Path of the file of a map; targets lie in a directory of their own."""
    return directory / ("b" if name == "tgt" else "a") / f"{name}_{word}.npy"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with files of maps."""
    write_maps(tmp_path)
    return tmp_path


def pattern(directory: Path, name: str) -> Path:
    """The pattern of the files of a name."""
    return path_of(directory, name, "*")


def program(directory: Path, *more: str) -> list[str]:
    """Arguments that import inputs and targets of a directory."""
    names = ("--inputs", str(pattern(directory, "in")), "--targets", str(pattern(directory, "tgt")))
    return ["import-arrays", str(directory / "out"), *names, *more]


def whole(dataset: Dataset, split: str, name: str) -> np.ndarray:
    """An array of a split."""
    found = dataset.array_split(split)
    return found.entries(name, range(found.layout.array(name).shape[0]))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a dataset `out` of two patterns of inputs, and `said`, words about it."""
    directory = tmp_path_factory.mktemp("maps")
    write_maps(directory)
    more = ("--inputs", str(pattern(directory, "more")), "--boundary", "periodic")
    ran = CliRunner().invoke(main, program(directory, *more, "--samples-per-block", "3"))
    assert ran.exit_code == 0, ran.output
    (directory / "said").write_text(ran.stdout)
    return directory


def test_maps_of_one_word_are_one_sample(made: Path) -> None:
    """Each in one split, in the order of the words, with the channels of all patterns."""
    dataset, seen = Dataset.open(made / "out"), []
    for split in dataset.splits:
        inputs, targets = whole(dataset, split, "inputs"), whole(dataset, split, "targets")
        numbers = inputs[:, 0, 0, 0].astype(int).tolist()
        assert numbers == sorted(numbers)
        for number, *found in zip(numbers, inputs, targets, strict=True):
            word = WORDS[number]
            of = {name: np.load(path_of(made, name, word)) for name in ("in", "more", "tgt")}
            wanted = np.concatenate([of["in"], of["more"]]).astype(np.float32)
            np.testing.assert_array_equal(found[0], wanted)
            np.testing.assert_array_equal(found[1], of["tgt"])
        seen += numbers
    assert sorted(seen) == list(range(len(WORDS)))
    assert list(find_problems(dataset)) == []


def test_inputs_and_targets_share_the_axes_of_space(made: Path) -> None:
    declared = Dataset.open(made / "out").array_split("train").layout.declared
    assert [(a.name, a.item_shape, a.dimensions, a.components) for a in declared] == [
        ("inputs", (4, 4, 6), ("input", "axis_0", "axis_1"), "input"),
        ("targets", (3, 4, 6), ("target", "axis_0", "axis_1"), "target"),
    ]


def test_conversions_and_shapes_are_said(made: Path) -> None:
    said = (made / "said").read_text()
    assert said.endswith(
        "Maps, channels first: inputs 4 x 4 x 6, targets 3 x 4 x 6; boundary periodic.\n"
        "Converted to float32: in_*.npy (big-endian float64), more_*.npy (int16).\n"
    )


def test_the_manifest_has_a_digest_of_all_files(made: Path) -> None:
    """Not a line for each of them."""
    manifest = Dataset.open(made / "out").manifest
    assert manifest.title == "Imported from in_*.npy, more_*.npy, tgt_*.npy"
    origin: Any = manifest.recipe["imported"]
    each = [path_of(made, "more", word).read_bytes() for word in WORDS]
    lines = "".join(f"{hashlib.sha256(found).hexdigest()}\n" for found in each)
    assert origin["files"]["inputs"][1] == {
        "pattern": "more_*.npy",
        "num_files": 20,
        "num_channels": 2,
        "sha256": hashlib.sha256(lines.encode()).hexdigest(),
        "dtypes": ["int16"],
    }
    assert [one["dtypes"] for one in origin["files"]["targets"]] == [["float32"]]


def test_the_boundary_is_kept(made: Path, tmp_path: Path) -> None:
    """By a converted dataset, too, and shown."""
    dataset = Dataset.open(made / "out")
    assert boundary_of(dataset) == "periodic"
    assert "\nboundary: periodic\n" in describe(dataset)
    convert(dataset, tmp_path / "out", storage_format="hdf5", compression="zstd")
    converted = Dataset.open(tmp_path / "out")
    assert boundary_of(converted) == "periodic"
    np.testing.assert_array_equal(*(whole(one, "valid", "inputs") for one in (dataset, converted)))


def test_a_boundary_of_another_name_is_refused(made: Path) -> None:
    """As of a dataset of a later release."""
    dataset = Dataset.open(made / "out")
    origin: Any = dataset.manifest.recipe["imported"]
    recipe = {"imported": {**origin, "boundary": "mirrored"}}
    other = dataset.manifest.model_copy(update={"recipe": recipe})
    with pytest.raises(DatasetError, match="must be open or periodic; got 'mirrored'"):
        boundary_of(Dataset(dataset.directory, other, dataset.sha256))


@pytest.mark.parametrize(("form", "block"), [("zarr", 1), ("hdf5", None)])
def test_maps_of_space_lie_in_directories_of_their_own(
    tmp_path: Path, form: StorageFormat, block: int | None
) -> None:
    """The `*` may be that of a directory, files in Fortran's order, and types of all kinds."""
    random = np.random.default_rng(0)
    types = ("f2", ">f4", "u1", "<i8")
    for number in range(12):
        (run := tmp_path / f"run {number}").mkdir()
        values = random.integers(0, 99, (1, 3, 4, 5)).astype(types[number % 4])
        values[0, 0, 0, 0] = number
        np.save(run / "in.npy", np.asfortranarray(values))
        np.save(run / "out.npy", (-values.astype("f4")).astype(">f4"))
    (tmp_path / "run notes").mkdir()
    arrays = input_and_target_maps([tmp_path / "run*/in.npy"], [tmp_path / "run*/out.npy"])
    assert arrays.conversions == (
        "run*/in.npy (float16, big-endian float32, uint8, int64)",
        "run*/out.npy (big-endian float32)",
    )
    import_arrays(arrays, tmp_path / "out", storage_format=form, samples_per_block=block)
    dataset = Dataset.open(tmp_path / "out")
    assert boundary_of(dataset) == "open"
    assert list(find_problems(dataset)) == []
    assert dataset.array_split("train").layout.declared[1].dimensions[1:] == (
        *("axis_0", "axis_1", "axis_2"),
    )
    inputs = whole(dataset, "train", "inputs")
    np.testing.assert_array_equal(whole(dataset, "train", "targets"), -inputs)
    numbers = inputs[:, 0, 0, 0, 0].astype(int).tolist()
    assert numbers == sorted(numbers, key=str), "characters decide, 10 is before 2"
    for number, found in zip(numbers, inputs, strict=True):
        np.testing.assert_array_equal(found, np.load(tmp_path / f"run {number}/in.npy"))


def test_words_are_those_of_a_shell(tmp_path: Path) -> None:
    """No hidden files, and no overlap of the text before the `*` and that behind it."""
    for name in (".x_in.npy", "x_in.npy", "_in.npy", "in.npy", "x_in.npy.part", "in_in.npy"):
        (tmp_path / name).touch()
    assert MapPattern.of(tmp_path / "*_in.npy").words() == {"x", "", "in"}
    assert MapPattern.of(tmp_path / ".*_in.npy").words() == {"x"}
    assert MapPattern.of(tmp_path / "in*in.npy").words() == {"_"}
    assert MapPattern.of(tmp_path / "*" / "in.npy").words() == set()


def test_a_file_of_that_very_name_is_no_pattern(tmp_path: Path) -> None:
    np.save(tmp_path / "[1].npy", np.ones((20, *IN)))
    files = ["--inputs", str(tmp_path / "[1].npy"), "--targets", str(tmp_path / "[1].npy")]
    ran = CliRunner().invoke(main, ["import-arrays", str(tmp_path / "out"), *files])
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.endswith("stored as float32.\nConverted to float32: [1].npy (float64).\n")


def replaced(
    name: str, change: Callable[[np.ndarray], np.ndarray], *words: str
) -> Callable[[Path], None]:
    """Save some files anew, changed; all of a name if there is no word."""

    def save(directory: Path) -> None:
        for word in words or WORDS:
            path = path_of(directory, name, word)
            np.save(path, change(np.load(path)), allow_pickle=True)

    return save


def with_value(value: float) -> Callable[[np.ndarray], np.ndarray]:
    """Put a value at a point."""

    def put(array: np.ndarray) -> np.ndarray:
        array = array.astype(float)
        array[1, 2, 3] = value
        return array

    return put


def rewritten(name: str, word: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Write the bytes of a file anew, changed."""

    def write(directory: Path) -> None:
        path = path_of(directory, name, word)
        path.write_bytes(change(path.read_bytes()))

    return write


def archive(directory: Path) -> None:
    """An .npz under the name of an .npy."""
    with path_of(directory, "in", "004").open("wb") as file:
        np.savez(file, x=np.ones(IN))


def removed(name: str, *words: str) -> Callable[[Path], None]:
    """Remove files."""
    return lambda directory: [path_of(directory, name, word).unlink() for word in words] and None


def directory_in_place(directory: Path) -> None:
    """A directory under the name of a file."""
    (path := path_of(directory, "in", "004")).unlink()
    path.mkdir()


BAD_FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "no targets": (removed("tgt", *WORDS), r"must match a file; got none \(.*/b/tgt_\*.npy\)"),
    "fewer targets": (
        removed("tgt", "007", "013"),
        r"got no .*/b/tgt_007.npy beside .*/a/in_007.npy \(sample 7, word '007'; there are 20 of "
        r".*/a/in_\*.npy, 18 of .*/b/tgt_\*.npy\)",
    ),
    "fewer inputs": (removed("in", "019"), r"got no .*/in_019.npy beside .*/tgt_019.npy"),
    "another name": (
        lambda directory: (
            path_of(directory, "tgt", "002").rename(directory / "b/tgt_2.npy") and None
        ),
        r"got no .*/tgt_002.npy beside .*/in_002.npy \(sample 2, .* 20 of .* 20 of ",
    ),
    "another shape": (
        replaced("in", lambda x: x[:1], "005"),
        r"shape of the first, in_000.npy; got \[1, 4, 6\] in place of \[2, 4, 6\] \(.*/in_005.npy",
    ),
    "another grid": (
        replaced("tgt", lambda x: x[:, :-1]),
        r"same spatial axes, .*; got \[2, 4, 6\] and \[3, 3, 6\] \(.*in_000.npy and .*tgt_000.npy",
    ),
    "no channels": (replaced("tgt", lambda x: x[0]), r"must be a map, .*; got \[4, 6\] \(.*tgt_0"),
    "five axes": (replaced("in", lambda x: x[..., None, None]), r"must be a map, .*; got \[2, 4, "),
    "one number": (replaced("in", lambda x: x[0, 0, 0]), r"must be a map, .*; got \[\] \("),
    "empty": (replaced("in", lambda x: x[:, :0]), r"none of length 0; got \[2, 0, 6\]"),
    "objects": (replaced("in", lambda x: x.astype(object), "004"), "Python objects, .*in_004.npy"),
    "complex": (replaced("in", lambda x: x + 1j, "004"), "got complex128 .*in_004.npy"),
    "NaN": (replaced("tgt", with_value(np.nan), "008"), r"got nan \(index \[1, 2, 3\], .*tgt_008"),
    "infinity": (replaced("in", with_value(-np.inf), "008"), r"got -inf \(index .*in_008.npy"),
    "too large": (replaced("in", with_value(1e39), "008"), r"range of float32.*1e\+39 \(index \["),
    "cut off": (rewritten("in", "004", lambda found: found[:-3]), "cut off .*in_004.npy"),
    "two arrays": (rewritten("in", "004", lambda found: found * 2), "one array; .*in_004.npy"),
    "no numpy": (rewritten("in", "004", lambda _: b"1,2,3"), "whole .npy file; .*in_004.npy"),
    "an archive": (archive, "an archive .*in_004.npy"),
    "a directory": (directory_in_place, "a directory .*in_004.npy"),
    "a broken link": (
        lambda directory: (directory / "a/in_9.npy").symlink_to("absent"),
        "got no .*/tgt_9.npy beside .*/in_9.npy",
    ),
}


@pytest.mark.parametrize("change", BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_named_with_what_is_wrong(
    directory: Path, change: tuple[Callable[[Path], None], str]
) -> None:
    change[0](directory)
    with pytest.raises(DatasetError, match=change[1]):
        import_arrays(
            input_and_target_maps([pattern(directory, "in")], [pattern(directory, "tgt")]),
            directory / "out",
        )
    assert not (directory / "out/manifest.json").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--inputs", "a/in_*.npy", "--targets", "all.npy"), "must all be patterns, or none"),
        (("--inputs", "a/in_*.npy", "--inputs", "all.npy", "--targets", "b/tgt_*.npy"), "the file"),
        (("--inputs", "all.npy", "--inputs", "all.npy", "--targets", "all.npy"), "got 2 files"),
        (("--inputs", "a/in_?.npy", "--targets", "b/tgt_*.npy"), "must have one *"),
        (("--inputs", "a/in_[0-9].npy", "--targets", "b/tgt_*.npy"), "must have one *"),
        (("--inputs", "**/in_0.npy", "--targets", "b/tgt_*.npy"), "must have one *"),
        (("--inputs", "*/in_*.npy", "--targets", "b/tgt_*.npy"), "must have one *"),
        (("--inputs", "absent/in_*.npy", "--targets", "b/tgt_*.npy"), "must match a file"),
        (("--inputs", "all.npy/in_*.npy", "--targets", "b/tgt_*.npy"), "must match a file"),
        (("--inputs", "a/in_*.npy"), "must be --inputs and --targets"),
        (
            ("--inputs", "a/in_*.npy", "--targets", "b/tgt_*.npy", "--jacobian", "all.npy"),
            "A Jacobian must be that of plain files",
        ),
        (
            ("--inputs", "a/in_*.npy", "--targets", "b/tgt_*.npy", "--jacobian", "j_*.npy"),
            "--jacobian must name one file",
        ),
        (
            ("--inputs", "a/in_*.npy", "--targets", "b/tgt_*.npy", "--readings", "all.npy"),
            "must be --inputs and --targets",
        ),
        (("--readings", "a/in_*.npy"), "--readings must name one file"),
        (("--readings", "all.npy", "--boundary", "open"), "must be that of inputs and targets"),
        (
            ("--inputs", "rows.npy", "--targets", "all.npy", "--boundary", "open"),
            "A row beside --boundary must be a map, (channels, *spatial)",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused(
    made: Path, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    np.save(tmp_path / "all.npy", np.ones((20, 2, 4, 6), np.float32))
    np.save(tmp_path / "rows.npy", np.ones((20, 2), np.float32))
    for name in ("a", "b"):
        (tmp_path / name).symlink_to(made / name)
    named = [str(tmp_path / word) if word.endswith(".npy") else word for word in options]
    ran = CliRunner().invoke(main, ["import-arrays", str(tmp_path / "out"), *named])
    assert ran.exit_code == 2
    assert said in ran.output
    assert not (tmp_path / "out").exists()


def test_plain_files_of_maps_may_name_their_boundary(tmp_path: Path) -> None:
    """The manifest of those that say nothing has no word of it, as ever."""
    path = tmp_path / "fields.npy"
    np.save(path, np.ones((10, 2, 4, 4), np.float32))
    made = [
        import_arrays(inputs_and_targets(path, path, boundary=boundary), tmp_path / str(boundary))
        for boundary in ("periodic", "open", None)
    ]
    assert [one.recipe["imported"].get("boundary") for one in made] == [  # type: ignore[union-attr]
        *("periodic", "open", None)
    ]
    assert boundary_of(Dataset.open(tmp_path / "None")) == "open"


def test_a_file_that_changes_meanwhile_is_refused(directory: Path) -> None:
    """Exchanged, or gone, before it is read."""
    arrays = input_and_target_maps([pattern(directory, "in")], [pattern(directory, "tgt")])
    path = path_of(directory, "tgt", "011")
    np.save(path, np.ones(TARGET, np.float32))
    with pytest.raises(DatasetError, match=r"must stay the same .*; got another file .*tgt_011"):
        import_arrays(arrays, directory / "out")
    path.unlink()
    with pytest.raises(
        DatasetError, match=r"must stay the same .*; got no file any more .*tgt_011"
    ):
        import_arrays(arrays, directory / "out")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Numbers of maps that were read, and of those after which reading stops: `most`."""
    count, read = {"read": 0, "most": 1000}, NpyReader.whole

    def counted(reader: NpyReader) -> np.ndarray:
        if count["read"] == count["most"]:
            raise InterruptedError
        count["read"] += 1
        return read(reader)

    monkeypatch.setattr(NpyReader, "whole", counted)
    return count


@pytest.mark.parametrize("form", ["zarr", "hdf5"])
def test_an_interrupted_import_goes_on_to_the_same_bytes(
    directory: Path, form: StorageFormat, reads: dict[str, int]
) -> None:
    def run(name: str) -> None:
        arrays = input_and_target_maps([pattern(directory, "in")], [pattern(directory, "tgt")])
        options: dict[str, Any] = {"samples_per_block": 2, "shard_bytes": 2000.0}
        import_arrays(arrays, directory / name, storage_format=form, **options)

    reads["most"] = 22
    with suppress(InterruptedError):
        run("out")
    assert not (directory / "out/manifest.json").exists()
    reads["most"] = 1000
    run("out")
    assert reads["read"] < 22 + 40, "shards that were written are not made again"
    run("whole")
    both = (directory / "out", directory / "whole")
    names = [sorted(path.relative_to(one) for path in one.rglob("*")) for one in both]
    assert names[0] == names[1]
    sums = [(one / "manifest-sha256.txt").read_bytes() for one in both]
    assert sums[0] == sums[1]


def test_other_values_of_the_same_names_are_not_gone_on_with(
    directory: Path, reads: dict[str, int]
) -> None:
    """A file of the same shape with other values, between the call and the next one."""
    reads["most"] = 10
    arrays = input_and_target_maps([pattern(directory, "in")], [pattern(directory, "tgt")])
    with suppress(InterruptedError):
        import_arrays(arrays, directory / "out", samples_per_block=2, shard_bytes=1.0)
    reads["most"] = 1000
    np.save(path_of(directory, "in", "003"), np.zeros(IN))
    other = input_and_target_maps([pattern(directory, "in")], [pattern(directory, "tgt")])
    with pytest.raises(DatasetError, match="unfinished dataset of the same recipe"):
        import_arrays(other, directory / "out", samples_per_block=2, shard_bytes=1.0)


def test_one_file_is_open_at_a_time(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a block has."""
    opened, read = set(), NpyReader.whole

    def watched(reader: NpyReader) -> np.ndarray:
        descriptors = (str(one.resolve()) for one in Path("/proc/self/fd").iterdir())
        opened.add(sum(name.endswith(".npy") for name in descriptors))
        return read(reader)

    monkeypatch.setattr(NpyReader, "whole", watched)
    arrays = input_and_target_maps([pattern(directory, "in")], [pattern(directory, "tgt")])
    import_arrays(arrays, directory / "out")
    assert opened == {1}


def test_info_and_verify_run_cleanly(made: Path) -> None:
    for command in ("info", "verify"):
        ran = CliRunner().invoke(main, [command, str(made / "out")])
        assert ran.exit_code == 0, ran.output
    assert json.loads((made / "out/manifest.json").read_text())["format_version"] == 2
