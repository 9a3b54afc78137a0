"""Datasets in object stores: copied there and back, checked, and completed by the same command."""

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from faults import Fault
from object_store import BUCKET, Answer, between, object_store, variables
from program_runs import (
    FORMATS,
    ONE_SPLIT_RECIPE,
    TIMEOUT,
    assert_refused,
    contents,
    invoke,
    run_program,
    settings,
)

from hypermagnetics.data import Dataset, StorageFormat, stores, transfer
from hypermagnetics.data.journal import DATASET_ENTRY, entry_of_upload
from hypermagnetics.data.stored_dataset import find_dataset
from hypermagnetics.data.stores import Store
from hypermagnetics.data.transfer import copy_from_store, copy_to_store
from hypermagnetics.errors import DatasetError, HypermagneticsError

Datasets = dict[StorageFormat, Path]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A store for all tests, each of which has a place of its own."""
    with object_store() as address:
        yield address


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Datasets:
    """A few shards in each format."""
    made: Datasets = {}
    for form in FORMATS:
        out = made[form] = tmp_path_factory.mktemp("made") / form
        few = (*settings("storage.shard_mb=0.004"), "--format", form)
        assert invoke("hm-generate", *ONE_SPLIT_RECIPE, out, *few).code == 0
    return made


@pytest.fixture
def url(server: str, request: pytest.FixtureRequest) -> str:
    """A place of a test."""
    return f"s3://{BUCKET}/{abs(hash(request.node.nodeid))}/data"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without long waits between tries."""
    monkeypatch.setattr(stores, "_SECONDS_BEFORE_RETRY", 0.01)


@pytest.mark.slow
@pytest.mark.parametrize("storage_format", FORMATS)
def test_a_dataset_comes_back_byte_for_byte(
    tmp_path: Path, url: str, storage_format: StorageFormat, datasets: dict[StorageFormat, Path]
) -> None:
    """By the two commands, each of which may be given again."""
    data = datasets[storage_format]
    for _ in range(2):
        ran = invoke("hm-data", "upload", data, url)
        assert (ran.code, ran.complaints) == (0, []), ran
        assert f"Wrote {url}" in ran.stdout
    for _ in range(2):
        ran = invoke("hm-data", "download", url, tmp_path / "copy")
        assert (ran.code, ran.complaints) == (0, []), ran
        assert contents(tmp_path / "copy") == contents(data)
    assert invoke("hm-data", "verify", tmp_path / "copy").code == 0


@pytest.mark.slow
def test_files_of_many_parts_are_read_in_order(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch, datasets: dict[StorageFormat, Path]
) -> None:
    """With requests for a few at a time."""
    monkeypatch.setattr(stores, "_PART_BYTES", 1000)
    copy_to_store(Dataset.open(datasets["zarr"]), Store(url))
    copy_from_store(find_dataset(Store(url)), tmp_path / "copy")
    assert contents(tmp_path / "copy") == contents(datasets["zarr"])


@pytest.mark.slow
def test_a_copy_that_was_cut_short_goes_on(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch, datasets: dict[StorageFormat, Path]
) -> None:
    """Sound files are not read again, damaged and unfinished ones are."""
    data = Dataset.open(datasets["zarr"])
    copy_to_store(data, Store(url))
    copy_from_store(find_dataset(Store(url)), copy := tmp_path / "copy")
    for name in ("manifest.json", "manifest-sha256.txt", "README.md"):
        (copy / name).unlink()
    paths = [entry.path for entry in data.manifest.files if entry.num_samples]
    (copy / paths[0]).unlink()
    (copy / paths[1]).write_bytes(bytes((copy / paths[1]).stat().st_size))
    (copy / f"{paths[2]}.part-host-1-00ff").write_bytes(b"half")
    read: list[str] = []
    fetch = Store.fetch

    def noted(store: Store, entry: object, file: object) -> None:
        read.append(entry.path)  # type: ignore[attr-defined]
        fetch(store, entry, file)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "fetch", noted)
    copy_from_store(find_dataset(Store(url)), copy)
    assert sorted(read) == sorted(paths[:2])
    assert contents(copy) == contents(data.directory)


def test_an_upload_that_was_cut_short_goes_on(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, datasets: dict[StorageFormat, Path]
) -> None:
    """It is no dataset before its end, and objects that are there are not written again."""
    data, written = Dataset.open(datasets["hdf5"]), []
    put = Store.put

    def failing(store: Store, path: str, file: object, sha256: str) -> None:
        written.append(path)
        if len(written) == 3:
            raise OSError(5, "Input/output error")
        put(store, path, file, sha256)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "put", failing)
    monkeypatch.setattr(transfer, "_FILES_AT_ONCE", 1)
    with pytest.raises(OSError, match="Input/output"):
        copy_to_store(data, Store(url))
    with pytest.raises(DatasetError, match=r"must have manifest\.json; got no such object"):
        find_dataset(Store(url))
    copy_to_store(data, Store(url))
    files = [entry.path for entry in data.manifest.files]
    assert sorted(written) == sorted([*files, files[2], "README.md", "manifest-sha256.txt"])
    copy_from_store(find_dataset(Store(url)), tmp_path / "copy")
    assert contents(tmp_path / "copy") == contents(data.directory)


def test_a_place_has_one_dataset(
    url: str, tmp_path: Path, datasets: dict[StorageFormat, Path]
) -> None:
    """Another one is refused before and after the end of an upload."""
    first, second = (Dataset.open(datasets[form]) for form in FORMATS)
    assert Store(url).create(DATASET_ENTRY, entry_of_upload(first.sha256))
    with pytest.raises(DatasetError, match=r"must get one dataset; got another one that is not"):
        copy_to_store(second, Store(url))
    copy_to_store(first, Store(url))
    with pytest.raises(DatasetError, match=r"must be new, or hold the same dataset; got one of"):
        copy_to_store(second, Store(url))
    assert not Store(url).has(DATASET_ENTRY)
    copy_from_store(find_dataset(Store(url)), tmp_path)
    assert contents(tmp_path) == contents(first.directory)


def test_of_eight_writers_one_creates_an_object(url: str) -> None:
    """As two uploads that end at the same moment."""
    made: list[bool] = []
    threads = [
        threading.Thread(target=lambda: made.append(Store(url).create("manifest.json", b"{}")))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False] * 7 + [True]


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["500", "503", "drop", "short", "wrong"])
def test_a_store_that_fails_now_and_then_is_asked_again(
    tmp_path: Path,
    url: str,
    server: str,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
    datasets: dict[StorageFormat, Path],
) -> None:
    """Every third answer is an error, none, too short, or of other bytes; nothing wrong is kept."""
    monkeypatch.setattr(transfer, "_FILES_AT_ONCE", 1)
    monkeypatch.setattr(stores, "_PARTS_AHEAD", 1)
    data = Dataset.open(datasets["hdf5"])
    copy_to_store(data, Store(url))

    def spoil(answer: Answer, number: int) -> Answer | None:
        if number % 3:
            return answer
        match fault:
            case "500" | "503":
                answer.status, answer.body = int(fault), b""
            case "drop":
                return None
            case "short":
                answer.body = answer.body[: len(answer.body) // 2]
            case "wrong" if ".h5" in answer.path:
                answer.body = bytes([answer.body[0] ^ 1]) + answer.body[1:]
        return answer

    with between(server, spoil):
        found = find_dataset(Store(url))
        copy_from_store(found, tmp_path / "copy")
    assert contents(tmp_path / "copy") == contents(data.directory)


@pytest.mark.slow
@pytest.mark.parametrize("always", [False, True], ids=["now and then", "always"])
def test_a_store_that_hangs_is_given_up(
    tmp_path: Path,
    url: str,
    server: str,
    always: bool,
    monkeypatch: pytest.MonkeyPatch,
    datasets: Datasets,
) -> None:
    """And asked again; one that always hangs ends in a sentence."""
    monkeypatch.setattr(transfer, "_FILES_AT_ONCE", 1)
    copy_to_store(Dataset.open(datasets["hdf5"]), Store(url))
    found = find_dataset(Store(url))
    monkeypatch.setattr(stores, "_RETRIES", {"max_retries": 0})
    released, is_up = threading.Event(), threading.Event()

    def spoil(answer: Answer, _: int) -> Answer:
        if not is_up.is_set():
            released.wait(TIMEOUT)
        return answer

    def waits() -> Iterator[float]:
        yield 0.0
        if not always and not is_up.is_set():
            # An answer that comes is in time, however slow the machine is.
            hanging.store._store = patient._store
            is_up.set()
        yield from (0.0, 0.0, 0.0)

    monkeypatch.setattr(stores, "_waits", waits)
    with between(server, spoil):
        patient = Store(url)
        monkeypatch.setitem(stores._TIMEOUTS, "timeout", "300ms")
        hanging = replace(found, store=Store(url))
        try:
            if always:
                with pytest.raises(HypermagneticsError, match=r"must answer; got: .+ kept\.$"):
                    copy_from_store(hanging, tmp_path / "copy")
            else:
                copy_from_store(hanging, tmp_path / "copy")
                assert contents(tmp_path / "copy") == contents(datasets["hdf5"])
        finally:
            released.set()


def test_an_answer_that_fails_is_named_without_its_query(
    url: str, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of URLs that are signed, it is as good as a key."""
    monkeypatch.setattr(stores, "_RETRIES", {"max_retries": 0})
    broken, said = between(server, lambda *_: None), r"must answer; got: .*/bucket in "
    with broken, pytest.raises(HypermagneticsError, match=said) as error:
        Store(url).sizes()
    assert "list-type" in str(error.value.__cause__)
    assert "?" not in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["500", "wrong", "short"])
def test_a_store_that_always_fails_ends_in_a_sentence(
    tmp_path: Path,
    url: str,
    server: str,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
    datasets: dict[StorageFormat, Path],
) -> None:
    """No file has its name, and the directory is no dataset."""
    copy_to_store(Dataset.open(datasets["hdf5"]), Store(url))
    monkeypatch.setattr(stores, "_RETRIES", {"max_retries": 1})

    def spoil(answer: Answer, number: int) -> Answer:
        if ".h5" in answer.path:
            match fault:
                case "500":
                    answer.status, answer.body = 500, b""
                case "wrong":
                    answer.body = bytes(len(answer.body))
                case _:
                    answer.body = answer.body[:-1]
        return answer

    with between(server, spoil):
        ran = invoke("hm-data", "download", url, tmp_path / "copy")
    assert_refused(ran, url)
    assert not list((tmp_path / "copy").rglob("*.h5*"))
    assert not (tmp_path / "copy" / "manifest.json").exists()


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("s3://nobucket/data", "The bucket of a dataset must exist; got none (s3://nobucket/data)"),
        (f"s3://{BUCKET}/nothing", "must have manifest.json; got no such object"),
        ("s3://", "must be s3://, gs://, az:// or https://"),
        ("ftp://host/data", "must be s3://, gs://, az:// or https://"),
        ("http://host/data", "must be s3://, gs://, az:// or https://"),
        ("data", "must be s3://, gs://, az:// or https://"),
        ("s3://bucket/data?X-Amz-Signature=SECRET", "without credentials or a query"),
        ("https://user:SECRET@host/data", "got 'https://...@host/data'"),
    ],
)
def test_a_url_without_a_dataset_is_refused(
    tmp_path: Path, server: str, place: str, said: str
) -> None:
    """In one line, without the secrets that it may hold."""
    ran = invoke("hm-data", "download", place, tmp_path / "copy")
    assert_refused(ran, said)
    assert "SECRET" not in ran.stderr
    assert not (tmp_path / "copy").exists()


def test_a_store_without_credentials_says_which_it_takes(
    server: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And none of their values."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", os.environ["AWS_ENDPOINT_URL"] + "/none")
    with pytest.raises(HypermagneticsError, match=r"Set AWS_ACCESS_KEY_ID and AWS_SECRET"):
        find_dataset(Store(url))


def test_a_directory_with_other_files_is_left_alone(
    url: str, tmp_path: Path, datasets: dict[StorageFormat, Path]
) -> None:
    """Or one with another dataset, or a file."""
    copy_to_store(Dataset.open(datasets["hdf5"]), Store(url))
    found = find_dataset(Store(url))
    (other := tmp_path / "other").mkdir()
    (other / "notes.txt").write_text("mine")
    with pytest.raises(DatasetError, match=r"must be new, empty, or hold .+ got 'notes\.txt'"):
        copy_from_store(found, other)
    assert contents(other).keys() == {"notes.txt"}
    (file := tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="which is a file"):
        copy_from_store(found, file)


@pytest.mark.slow
@pytest.mark.parametrize(("call", "file"), [("link", "field"), ("replace", "manifest.json")])
def test_a_killed_download_is_completed_by_the_same_command(
    tmp_path: Path, server: str, url: str, datasets: Datasets, call: str, file: str
) -> None:
    """Before a file takes its name, or the manifest its own; it is no dataset until then."""
    data, copy = datasets["zarr"], tmp_path / "copy"
    copy_to_store(Dataset.open(data), Store(url))
    fault = Fault(call, "KILL", file=file, true_clock=True).variables(tmp_path)
    command = ("hm-data", "download", url, str(copy))
    ran = run_program(*command, variables=fault | variables(server))
    assert ran.code == -signal.SIGKILL, ran
    assert not (copy / "manifest.json").exists()
    ran = run_program(*command, variables=variables(server))
    assert (ran.code, ran.complaints) == (0, []), ran
    assert contents(copy) == contents(data)


def test_an_upload_to_a_web_server_is_refused(datasets: Datasets) -> None:
    """It has no condition under which a manifest is written."""
    with pytest.raises(HypermagneticsError, match=r"must be s3://, gs:// or az://, .+ got 'ht"):
        copy_to_store(Dataset.open(datasets["hdf5"]), Store("https://127.0.0.1:9/data"))
