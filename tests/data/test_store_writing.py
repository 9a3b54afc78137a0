"""Datasets that are made in a store: the bytes of a directory, whatever happens on the way."""

import hashlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from faults import ALWAYS, Barrier, Fault
from object_store import BUCKET, Answer, between, object_store
from program_runs import (
    FORMATS,
    NUM_SAMPLES,
    NUM_SHARDS,
    ONE_SPLIT_RECIPE,
    Ran,
    assert_refused,
    contents,
    finish,
    invoke,
    one_split,
    run_program,
    start_program,
)
from recording import Killed, Recording

from hypermagnetics.data import (
    Dataset,
    DatasetWriter,
    StorageFormat,
    remove_dataset,
    shard_writer,
    stores,
    writer,
)
from hypermagnetics.data import scratch as scratch_module
from hypermagnetics.data.convert import convert
from hypermagnetics.data.destination import LastBlocks
from hypermagnetics.data.file_cache import FileCache
from hypermagnetics.data.in_store import InStore
from hypermagnetics.data.journal import DATASET_ENTRY
from hypermagnetics.data.manifest import FileEntry, Manifest
from hypermagnetics.data.scratch import scratch_directory
from hypermagnetics.data.stores import Store
from hypermagnetics.data.transfer import copy_to_store
from hypermagnetics.errors import DatasetError
from hypermagnetics.generate.notebook import generate

READ_BACK = "A written dataset must read back unchanged"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A store with an empty bucket."""
    with object_store() as address:
        yield address


@pytest.fixture
def url(server: str, tmp_path: Path) -> str:
    """A place in the store for one test."""
    return f"s3://{BUCKET}/{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]}/data"


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A directory of temporary files for one test, and no long waits between tries."""
    monkeypatch.setattr(stores, "_SECONDS_BEFORE_RETRY", 0.01)
    (directory := tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(directory))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return directory


def scratches(temporary: Path) -> list[Path]:
    """Scratch directories among the temporary files."""
    return list(temporary.glob("hypermagnetics-shard-*"))


def generation(url: str, form: StorageFormat = "zarr", *options: str) -> tuple[str, ...]:
    """The command that makes the dataset of `one_split`."""
    return ("hm-generate", *ONE_SPLIT_RECIPE, url, "--format", form, *options)


def stored(url: str) -> dict[str, str]:
    """Path -> sha256 of every object at a place."""
    store = Store(url)
    return {
        name: hashlib.sha256(store.read(name, 1 << 30)).hexdigest()
        for name, size in store.sizes().items()
    }


def assert_made(ran: Ran, url: str, form: StorageFormat = "zarr") -> None:
    """The store has the objects of a directory, and no others."""
    assert (ran.code, ran.complaints) == (0, []), ran
    assert stored(url) == contents(one_split(form))


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_a_store_gets_the_bytes_of_a_directory(
    url: str, temporary: Path, form: StorageFormat
) -> None:
    """Nothing is left in the directory of temporary files, and a second command is refused."""
    ran = invoke(*generation(url, form))
    assert_made(ran, url, form)
    assert f"Next: hm-train {url} RUN" in ran.stdout
    assert not scratches(temporary)
    assert_refused(invoke(*generation(url, form)), "got a finished dataset", url)


@pytest.mark.slow
@pytest.mark.parametrize("options", [("--workers", "2"), ("--cluster", "local:2")], ids=str)
def test_other_makers_give_the_same_bytes(
    url: str, temporary: Path, options: tuple[str, ...]
) -> None:
    """Processes and workers of a cluster put their shards themselves."""
    assert_made(run_program(*generation(url, "hdf5", *options)), url, "hdf5")
    assert not scratches(temporary)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "number"),
    [
        ("fsync", 1),
        ("fsync", 20),
        ("link", 25),
        *(pytest.param("link", n, marks=pytest.mark.slow) for n in (1, 9, 31, 48, 60)),
        *(pytest.param("unlink", n, marks=pytest.mark.slow) for n in (3, 32, 59)),
    ],
)
def test_a_killed_generation_goes_on_to_the_same_bytes(
    url: str, tmp_path: Path, temporary: Path, call: str, number: int
) -> None:
    """Killed while files are on their way; what they took on the disk is given back."""
    fault = Fault(call, "KILL", number, file="hypermagnetics-shard", true_clock=True)
    ran = run_program(*generation(url), variables=fault.variables(tmp_path))
    assert ran.code == -signal.SIGKILL, ran
    assert scratches(temporary)
    finished = [name for name in Store(url).sizes("journal") if name != DATASET_ENTRY]
    assert len(finished) >= number // 5 - 4, "a shard has five files, and three are under way"
    with pytest.raises(DatasetError, match=r"must have manifest\.json"):
        Dataset.open(url, cache=FileCache(tmp_path / "cache"))
    assert_made(run_program(*generation(url)), url)
    assert not scratches(temporary)


@pytest.mark.slow
def test_workers_of_a_cluster_that_are_killed_change_no_byte(
    url: str, tmp_path: Path, temporary: Path
) -> None:
    """Each at a file of a shard; the program says nothing of it."""
    fault = Fault("link", "KILL", 7, ALWAYS, in_workers=True, most_kills=3, true_clock=True)
    command = generation(url, "zarr", "--cluster", "local:2")
    assert_made(run_program(*command, variables=fault.variables(tmp_path)), url)
    assert len(list((tmp_path / "faulty").glob("killed-*"))) == 3


@pytest.mark.slow
def test_finished_shards_are_not_made_again(url: str) -> None:
    """But for one whose object is gone."""
    source, shards_before = Dataset.open(one_split("zarr")), NUM_SHARDS // 2
    with pytest.raises(Killed):
        # After a pass over all samples for the statistics, 8 samples a shard.
        convert(source, url, listener=Recording(until=NUM_SAMPLES + 8 * shards_before))
    store = Store(url)
    finished = {name for name in store.sizes("journal") if name != DATASET_ENTRY}
    assert len(finished) >= shards_before
    number = int(min(finished)[-10:-5])
    store.remove(f"train.zarr/potential/c/{number}/0")
    listener = Recording()
    with DatasetWriter.open(url, source.manifest.identity, listener) as writer:
        shards = source.split("train").layout.shards()
        had = [shard.number for shard in shards if writer.has("train", shard)]
    assert number not in had
    assert len(had) == len(finished) - 1
    convert(source, url, listener=listener)
    assert listener.skipped == 8 * len(had)
    assert stored(url) == contents(one_split("zarr"))


@pytest.mark.slow
def test_two_programs_that_make_the_same_dataset_both_end(url: str, tmp_path: Path) -> None:
    """One is held while the other makes all of it, and finds afterwards that it is there."""
    fault = Fault("link", "HOLD", 12, file="hypermagnetics-shard", true_clock=True)
    process = start_program(*generation(url), variables=fault.variables(tmp_path))
    (barrier := Barrier(tmp_path)).wait(process)
    assert_made(invoke(*generation(url)), url)
    barrier.release()
    assert_made(finish(process), url)


@pytest.mark.slow
def test_two_datasets_do_not_come_to_one_place(url: str, tmp_path: Path) -> None:
    """Whichever way, the second is refused as long as the first is unfinished, and afterwards."""
    source = Dataset.open(one_split("zarr"))
    with DatasetWriter.open(url, source.manifest.identity):
        other = invoke(*generation(url, "hdf5"))
        assert_refused(other, "got an unfinished one of another recipe, format or version", url)
        with pytest.raises(DatasetError, match=r"must get one dataset; got another one that is"):
            copy_to_store(source, Store(url))
    remove_dataset(url)
    assert stored(url) == {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "put", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            copy_to_store(source, Store(url))
    assert_refused(invoke(*generation(url)), "got an upload that is not complete", url)
    copy_to_store(source, Store(url))
    assert_refused(invoke(*generation(url)), "got a finished dataset", url)


def test_a_dataset_that_came_first_is_not_replaced(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A manifest that another program writes at the last moment, without any claim."""
    real = InStore.refuse_unreadable

    def late(place: InStore, text: str, last_blocks: LastBlocks) -> None:
        real(place, text, last_blocks)
        assert place.create("manifest.json", b"another")

    monkeypatch.setattr(InStore, "refuse_unreadable", late)
    with pytest.raises(DatasetError, match="got another one meanwhile"):
        convert(Dataset.open(one_split("zarr")), url)
    assert Store(url).read("manifest.json", 99) == b"another"


def test_a_dataset_that_no_reader_would_open_gets_no_manifest(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rules of opening are asked before it is said to be finished."""
    real = DatasetWriter._manifest

    def disordered(self: DatasetWriter, files: tuple[FileEntry, ...], estimate: None) -> Manifest:
        return real(self, files[::-1], estimate)

    monkeypatch.setattr(DatasetWriter, "_manifest", disordered)
    with pytest.raises(DatasetError, match=f"{READ_BACK}; got: The files of a manifest must foll"):
        convert(Dataset.open(one_split("zarr")), url)
    assert "manifest.json" not in stored(url)


def faulty(answer: Answer, number: int) -> Answer | None:
    """Spoil every third answer in one of three ways; what it answers is done."""
    if number % 3:
        return answer
    if number % 9 == 0:
        return None
    answer.status, answer.body = 500 + number % 2 * 3, b"no"
    return answer


@pytest.mark.slow
def test_a_store_that_fails_often_ends_with_the_same_bytes(server: str, url: str) -> None:
    """Also where it made what it says it did not, so that a second try finds it there."""
    with between(server, faulty):
        ran = invoke(*generation(url))
    assert_made(ran, url)


@pytest.mark.slow
def test_an_object_that_is_lost_is_found_before_the_manifest(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command makes its shard anew."""
    source, lost = Dataset.open(one_split("zarr")), "train.zarr/field/c/7/0/0"
    put = Store.put

    def forgetful(store: Store, path: str, file: object, sha256: str) -> None:
        if path != lost:
            put(store, path, file, sha256)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Store, "put", forgetful)
        with pytest.raises(
            DatasetError, match=rf"must keep what is written .+ got none for {lost}"
        ):
            convert(source, url)
    assert not Store(url).has("manifest.json")
    convert(source, url)
    assert stored(url) == contents(one_split("zarr"))


@pytest.mark.slow_cases
@pytest.mark.parametrize(
    ("form", "name", "place", "said"),
    [
        ("zarr", "train.zarr/field/c/3/0/0", -1, "rule Z2"),
        ("zarr", "train.zarr/field/c/3/0/0", 0, "read back with the written values"),
        ("zarr", "train.zarr/zarr.json", 0, "rule Z"),
        ("hdf5", "train/shard-00003.h5", 0, "rule H1"),
    ],
)
def test_a_spoilt_file_is_found_before_it_leaves_the_machine(
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    form: StorageFormat,
    name: str,
    place: int,
    said: str,
) -> None:
    """And nothing of its shard is entered."""
    real = shard_writer.file_entry

    def spoiling(directory: Path, path: str, *rest: int) -> object:
        if path == name:
            content = bytearray((directory / path).read_bytes())
            content[place] ^= 1
            (directory / path).write_bytes(content)
        return real(directory, path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(shard_writer, "file_entry", spoiling)
    monkeypatch.setattr(writer, "file_entry", spoiling)
    assert_refused(invoke(*generation(url, form)), READ_BACK, said)
    assert not Store(url).has(name)
    assert "journal/train-00003.json" not in Store(url).sizes("journal")


@pytest.mark.slow
def test_a_dataset_in_a_store_is_overwritten(url: str) -> None:
    """Finished or not; one with other objects is left as it is."""
    assert invoke(*generation(url, "hdf5")).code == 0
    Store(url).create("notes.txt", b"years of work")
    assert_refused(invoke(*generation(url), "--overwrite"), "got 'notes.txt'", url)
    Store(url).remove("notes.txt")
    assert Store(url).has("manifest.json")
    Store(url).remove("manifest.json")
    Store(url).create(DATASET_ENTRY, b"half")
    assert_made(invoke(*generation(url), "--overwrite"), url)
    place = url.removesuffix("/data")
    Store(place).create("more.txt", b"work")
    assert_refused(invoke(*generation(place), "--overwrite"), "must hold a dataset", place)
    assert_refused(invoke(*generation(place)), "got a URL with other files", place)


@pytest.mark.slow
def test_conversions_and_imports_go_to_a_store_too(url: str, tmp_path: Path) -> None:
    """With the bytes that they have in a directory."""
    for name in ("inputs", "targets"):
        np.save(tmp_path / f"{name}.npy", np.random.default_rng(0).normal(size=(40, 3)))
    files = [w for name in ("inputs", "targets") for w in (f"--{name}", tmp_path / f"{name}.npy")]
    out = tmp_path / "out"
    for number, command in enumerate(
        (
            ("convert", one_split("zarr"), "{}", "--compress", "zstd"),
            ("import-arrays", "{}", *files, "--shard-mb", "0.001"),
        )
    ):
        for place in (f"{url}{number}", str(out / str(number))):
            ran = invoke("hm-data", *(place if word == "{}" else word for word in command))
            assert (ran.code, ran.complaints) == (0, []), ran
            assert f"Wrote {place}" in ran.stdout
        assert stored(f"{url}{number}") == contents(out / str(number))


@pytest.mark.slow
def test_a_notebook_makes_a_dataset_in_a_store(url: str, tmp_path: Path) -> None:
    """And opens it, when it is there already."""
    changes = {"grid": {"num_points": 8}, "storage": {"shard_mb": 0.002}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HYPERMAGNETICS_CACHE", str(tmp_path / "cache"))
        made = [generate("demo", place, **changes) for place in (url, tmp_path / "out", url)]
    assert len({one.sha256 for one in made}) == 1


def test_a_plan_for_a_store_needs_none(url: str) -> None:
    """Nothing is asked of it."""
    ran = invoke(*generation("s3://nobody/has/this"), "--dry-run")
    assert ran.code == 0
    assert "-> s3://nobody/has/this (zarr)" in ran.stdout
    assert " free)" not in ran.stdout


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("s3://nobucket/data", "The bucket of a dataset must exist; got none (s3://nobucket/data)"),
        ("https://host/data", "must be s3://, gs:// or az://"),
        ("hf://datasets/owner/name", "must be s3://, gs:// or az://"),
        ("ftp://host/data", "must be s3://, gs://, az:// or https://"),
        ("s3://key:secret@bucket/data", "without credentials"),
    ],
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_place_that_cannot_be_written_to_is_refused(
    server: str, place: str, said: str, overwrite: bool
) -> None:
    """In one sentence, which shows no secret."""
    ran = invoke(*generation(place), *["--overwrite"] * overwrite)
    assert_refused(ran, said)
    assert "secret" not in ran.stderr


def test_missing_credentials_are_named(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a reader."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", os.environ["AWS_ENDPOINT_URL"] + "/none")
    assert_refused(invoke(*generation(url)), "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")


def test_a_temporary_directory_without_room_is_named(
    url: str, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a shard is computed."""
    space = SimpleNamespace(total=10**9, used=10**9, free=9)
    monkeypatch.setattr(scratch_module.shutil, "disk_usage", lambda _: space)
    assert_refused(
        invoke(*generation(url)), "free for a shard", "got 9 B", str(temporary), "TMPDIR"
    )


def test_the_scratch_of_a_killed_process_is_swept_and_no_other(temporary: Path) -> None:
    """That of a living one is locked; what has the name and no lock is nobody's business."""
    code = (
        "import os, signal; from hypermagnetics.data.scratch import scratch_directory\n"
        "with scratch_directory(0) as made: (made / 'x').touch(); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    (killed,) = scratches(temporary)
    (foreign := temporary / "hypermagnetics-shard-foreign").mkdir()
    (temporary / "hypermagnetics-shard-link").symlink_to(foreign)
    with scratch_directory(0) as first, scratch_directory(0) as second:
        assert not killed.exists()
        assert first != second
        assert first.is_dir()
        (first / "file").write_bytes(b"kept")
        with scratch_directory(0):
            assert (first / "file").read_bytes() == b"kept"
    assert {path.name for path in scratches(temporary)} == {
        "hypermagnetics-shard-foreign",
        "hypermagnetics-shard-link",
    }


def test_no_secret_travels_with_the_work(url: str) -> None:
    """Workers of a cluster get the name of a place, and have credentials of their own."""
    place = InStore(url)
    assert place.is_empty()
    packed = pickle.dumps(place)
    assert b"secret" not in packed
    assert str(pickle.loads(packed)) == url
