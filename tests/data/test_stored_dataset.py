"""Datasets that are read where they lie, in a store, through a cache of checked files."""

import hashlib
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import IO
from urllib.request import Request, urlopen

import numpy as np
import pytest
from faults import Fault
from object_store import BUCKET, Answer, between, object_store
from program_runs import (
    FORMATS,
    NUM_SAMPLES,
    ONE_SPLIT_RECIPE,
    TIMEOUT,
    TRAINING_RECIPE,
    Ran,
    assert_refused,
    contents,
    finished_dataset,
    finished_run,
    invoke,
    read_json,
    run_program,
    settings,
)

from hypermagnetics.data import (
    BatchSchedule,
    Dataset,
    StorageFormat,
    file_cache,
    stored_dataset,
    stores,
)
from hypermagnetics.data.file_cache import FileCache
from hypermagnetics.data.layout import SOURCE_ARRAYS
from hypermagnetics.data.manifest import FileEntry
from hypermagnetics.data.stores import Store
from hypermagnetics.data.verify import find_problems
from hypermagnetics.errors import DatasetError, HypermagneticsError
from hypermagnetics.train.devices import Devices
from hypermagnetics.train.dispatch import Order
from hypermagnetics.train.feed import StreamFeed
from hypermagnetics.train.sweep.sweep_files import SweepFiles
from hypermagnetics.waiting import as_finished

SHORT = (*TRAINING_RECIPE, *settings("schedule.max_steps=30", "validation.every=30"))


@cache
def made(form: StorageFormat, directory: Path) -> Path:
    """A dataset of a few shards."""
    few = (*settings("storage.shard_mb=0.004"), "--format", form)
    assert invoke("hm-generate", *ONE_SPLIT_RECIPE, directory / form, *few).code == 0
    return directory / form


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Place of the datasets on this machine."""
    return tmp_path_factory.mktemp("made")


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[str]:
    """A store with a dataset in each format."""
    with object_store() as address:
        for form in FORMATS:
            assert invoke("hm-data", "upload", made(form, directory), url_of(form)).code == 0
        yield address


def url_of(form: StorageFormat) -> str:
    """Place of the dataset in a format."""
    return f"s3://{BUCKET}/team/{form}"


@pytest.fixture(autouse=True)
def quick(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, server: str
) -> None:
    """Without long waits between tries, and with a cache of its own."""
    monkeypatch.setattr(stores, "_SECONDS_BEFORE_RETRY", 0.01)
    monkeypatch.setenv("HYPERMAGNETICS_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.delenv("HYPERMAGNETICS_CACHE_GB", raising=False)


def assert_same(found: Dataset, expected: Dataset) -> None:
    """Every value of every split."""
    assert found.splits == expected.splits
    for name in found.splits:
        for one, other in zip(
            found.split(name).blocks(), expected.split(name).blocks(), strict=True
        ):
            for array in SOURCE_ARRAYS:
                np.testing.assert_array_equal(one.values(array), other.values(array))


def size_of(cache: Path) -> int:
    """Bytes of the files in a cache."""
    return sum(path.stat().st_size for path in (cache / "sha256").rglob("*") if path.is_file())


class Counted:
    """Requests by method and path, of answers that are passed on unless one is spoilt."""

    def __init__(self) -> None:
        """None yet."""
        self.of = Counter[tuple[str, str]]()

    def __call__(self, answer: Answer, number: int) -> Answer:
        """Count one."""
        self.of[answer.method, answer.path.partition("?")[0]] += 1
        return answer


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_a_dataset_in_a_store_has_the_values_of_its_files(
    directory: Path, server: str, tmp_path: Path, form: StorageFormat
) -> None:
    """And once it was read, nothing but the manifest is asked for."""
    local, counted = Dataset.open(made(form, directory)), Counted()
    for _ in range(2):
        with between(server, counted):
            found = Dataset.open(url_of(form), cache=tmp_path)
            assert (found.place, found.sha256) == (url_of(form), local.sha256)
            assert_same(found, local)
    assert {count for (_, path), count in counted.of.items() if "manifest" not in path} == {1}
    sizes = {entry.sha256: entry.bytes for entry in local.manifest.files}  # equal files come once
    assert len(counted.of) == 1 + len(sizes)
    assert size_of(tmp_path) == sum(sizes.values())


@pytest.mark.slow
def test_a_split_in_a_store_goes_to_other_processes(tmp_path: Path) -> None:
    """As workers that load data need it."""
    split = Dataset.open(url_of("zarr"), cache=tmp_path).split("train")
    copy = pickle.loads(pickle.dumps(split))
    np.testing.assert_array_equal(copy.block(1).potential, split.block(1).potential)


@pytest.mark.slow
def test_shards_come_before_they_are_read(tmp_path: Path, server: str) -> None:
    """Those of later steps are under way when the first step is made, and none comes twice."""
    counted, split = Counted(), None
    with between(server, counted):
        split = Dataset.open(url_of("zarr"), cache=tmp_path).split("train")
        schedule = BatchSchedule(split.layout.num_blocks, 2, 3, split.layout.num_points)
        order = Order(schedule, 0, lambda step: 1, 1)
        with StreamFeed(split, order, Devices.local(1)) as feed:
            for _ in range(schedule.num_blocks):
                feed.next(lambda: False)
    values = {key: count for key, count in counted.of.items() if "/c/" in key[1]}
    assert set(values.values()) == {1}
    assert all(map(split.is_here, range(split.layout.num_shards)))


@pytest.mark.slow
def test_a_training_that_ends_gives_up_what_it_asked_for(
    directory: Path, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a signal would wait for shards that nobody reads; another one reads them all."""
    asked, go_on = threading.Event(), threading.Event()

    def spoil(answer: Answer, _: int) -> Answer:
        if "/c/" in answer.path and not answer.path.endswith("/c/0"):
            asked.set()
            assert go_on.wait(TIMEOUT)
        return answer

    def let_go(given_up: Collection[Future[None]]) -> Iterator[Future[None]]:
        go_on.set()
        return as_finished(given_up)

    monkeypatch.setattr(stored_dataset, "as_finished", let_go)
    with between(server, spoil):
        split = Dataset.open(url_of("zarr"), cache=tmp_path).split("train")
        last = split.layout.num_blocks - 1
        assert split.fetch_ahead(range(split.layout.num_blocks)) is False
        assert asked.wait(TIMEOUT)
        split.stop_fetching()
        assert not split.is_here(split.layout.shard_of_block(last)[0])
        assert_same(
            Dataset.open(url_of("zarr"), cache=tmp_path), Dataset.open(made("zarr", directory))
        )


@pytest.mark.slow
def test_programs_take_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same model as from the directory, and the same errors; credentials stay unwritten."""
    secret = "Known-To-The-Environment"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    local, url = finished_dataset("hdf5").path, f"s3://{BUCKET}/whole"
    assert invoke("hm-data", "upload", local, url).code == 0
    for place, run in ((local, tmp_path / "local"), (url, tmp_path / "stored")):
        ran = invoke("hm-train", place, run, *SHORT)
        assert (ran.code, ran.complaints) == (0, []), ran
        assert ran.stdout.endswith(f"Next: hm-eval {run} {place}\n")
        assert_nowhere(secret, ran)
        ran = invoke("hm-eval", run, place, "--metrics-only", "--out", tmp_path / f"{run.name}-e")
        assert (ran.code, ran.complaints) == (0, []), ran
        assert_nowhere(secret, ran)
    models = [(tmp_path / name / "model.hm").read_bytes() for name in ("local", "stored")]
    assert models[0] == models[1]
    assert json.loads((tmp_path / "stored" / "run.json").read_text())["dataset"] == url
    ran = invoke("hm-train", url, tmp_path / "stored", "--resume")
    assert ran.code == 0, ran
    info, stored = (invoke("hm-data", "info", place) for place in (local, url))
    assert stored.code == 0, stored
    assert info.stdout.partition("\n")[2] == stored.stdout.partition("\n")[2]
    assert invoke("hm-data", "head", url).stdout == invoke("hm-data", "head", local).stdout
    ran = invoke("hm-data", "convert", url, tmp_path / "copy")
    assert ran.code == 0, ran
    assert_same(Dataset.open(tmp_path / "copy"), Dataset.open(local))
    assert_nowhere(secret, tmp_path, Path(os.environ["HYPERMAGNETICS_CACHE"]), stored, ran)


@pytest.mark.slow
def test_workers_of_a_cluster_read_a_url(tmp_path: Path) -> None:
    """The errors of each sample, as one process finds them in the directory."""
    local = finished_dataset("hdf5").path
    url = f"s3://{BUCKET}/{local.name}"
    assert invoke("hm-data", "upload", local, url).code == 0
    for evaluate, name, words in (
        (invoke, "here", (local,)),
        (run_program, "there", (url, "--cluster", "local:1")),
    ):
        out = ("--metrics-only", "--out", tmp_path / name)
        ran = evaluate("hm-eval", finished_run("hdf5").path, *words, *out)
        assert (ran.code, ran.complaints) == (0, []), ran
    here, there = (contents(tmp_path / name / "samples.zarr") for name in ("here", "there"))
    assert here == there
    assert here


@pytest.mark.slow
def test_a_sweep_takes_a_url(tmp_path: Path) -> None:
    """In its file, for each trial."""
    url, file, out = f"s3://{BUCKET}/whole", tmp_path / "sweep.toml", SweepFiles(tmp_path / "out")
    assert invoke("hm-data", "upload", finished_dataset("hdf5").path, url).code == 0
    text = f'dataset = "{url}"\n[sweep]\nmethod = "grid"\n[keys]\nseed = [0, 1]\n'
    file.write_text(text, encoding="utf-8")
    ran = run_program("hm-train", "sweep", "demo", file, out.directory, *SHORT)
    assert ran.code == 0, ran
    for number in (0, 1):
        assert out.trial(number).model.exists()
        assert read_json(out.trial(number).provenance)["dataset"] == url


def assert_nowhere(secret: str, *places: Path | Ran) -> None:
    """In no file below the directories, and in nothing that was said."""
    for place in places:
        if isinstance(place, Path):
            files = [path for path in place.rglob("*") if path.is_file()]
            assert files
            assert [path for path in files if secret.encode() in path.read_bytes()] == []
        else:
            assert secret not in place.stdout + place.stderr


@pytest.mark.slow
def test_a_dataset_on_hugging_face_is_read_with_a_token(
    directory: Path, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub alone gets it, not the servers that it leads to, and nothing keeps it."""
    local, place = Dataset.open(made("zarr", directory)), "datasets/owner/name/resolve/main"
    assert invoke("hm-data", "upload", local.directory, f"s3://{BUCKET}/{place}").code == 0
    token, signature, is_broken = "hf_Of-The-User", "Of-The-Hub", False
    of_hub, of_others = set[str | None](), set[str | None]()

    def lead_on(answer: Answer, _: int) -> Answer:
        of_hub.add(answer.authorization)
        if "/c/" in answer.path and answer.authorization is not None:
            answer.status, answer.body = 302, b""
            answer.location = f"{others}{answer.path}?X-Amz-Signature={signature}"
        return answer

    def break_down(answer: Answer, _: int) -> Answer:
        of_others.add(answer.authorization)
        if is_broken:
            answer.status, answer.body = 500, b""
        return answer

    monkeypatch.setenv("HF_TOKEN", token)
    url, cache = "hf://datasets/owner/name", tmp_path / "cache"
    with between(server, break_down) as others, between(server, lead_on) as hub:
        monkeypatch.setattr(stores, "_HUB", f"{hub}/{BUCKET}")
        assert_same(Dataset.open(url, cache=cache), local)
        assert_same(Dataset.open(f"{url}@main/", cache=cache), local)
        copied = invoke("hm-data", "convert", url, tmp_path / "copy")
        verified, info = invoke("hm-data", "verify", url), invoke("hm-data", "info", url)
        assert (copied.code, verified.code, info.code) == (0, 0, 0), (copied, verified, info)
        assert (of_hub, of_others) == ({f"Bearer {token}"}, {None})
        monkeypatch.setattr(stores, "_RETRIES", {"max_retries": 0})
        is_broken = True
        broken = invoke("hm-data", "download", url, tmp_path / "none")
        assert_refused(broken, "must answer; got: ", "500", f"{hub}/{BUCKET}/{place}")
        absent = invoke("hm-data", "info", f"{url}-2")
        assert_refused(absent, "must have manifest.json", f"{url}-2")
        monkeypatch.delenv("HF_TOKEN")
        assert_refused(invoke("hm-data", "info", url), "got no permission", "Set HF_TOKEN")
    for secret in (token, signature):
        assert_nowhere(secret, tmp_path, Path(os.environ["HYPERMAGNETICS_CACHE"]))
        assert_nowhere(secret, copied, verified, info, broken, absent)


@pytest.mark.slow
def test_a_dataset_on_a_web_server_is_read(
    directory: Path, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By https, of a server that is open to all."""
    assert Store(f"s3://{BUCKET}/closed").create("manifest.json", b"{}")
    closed = "got no permission", "Open it to all: no credentials are sent to a web server."
    readable = {"Effect": "Allow", "Principal": "*", "Action": "s3:*"}
    policy = {"Statement": [{**readable, "Resource": f"arn:aws:s3:::{BUCKET}/team/*"}]}
    said, kind = json.dumps(policy).encode(), {"Content-type": "application/json"}
    change = Request(f"{server}/{BUCKET}?policy", said, kind, method="PUT")
    urlopen(change, timeout=TIMEOUT).close()
    trusting = {**stores._TIMEOUTS, "allow_invalid_certificates": True}
    monkeypatch.setattr(stores, "_TIMEOUTS", trusting)
    with between(server, Counted(), secure=True) as address:
        url = f"{address}/{BUCKET}/team/hdf5"
        local = Dataset.open(made("hdf5", directory))
        assert_same(Dataset.open(url, cache=tmp_path), local)
        assert invoke("hm-data", "verify", url).code == 0
        assert_refused(invoke("hm-data", "info", f"{address}/{BUCKET}/closed"), *closed)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_what_was_not_used_for_longest_goes_at_a_limit(
    directory: Path, tmp_path: Path, form: StorageFormat
) -> None:
    """The cache is never larger, and every value is right nevertheless."""
    local = Dataset.open(made(form, directory))
    limit = max(entry.bytes for entry in local.manifest.files) * 4
    cache = FileCache(tmp_path, limit)
    found = Dataset.open(url_of(form), cache=cache)
    assert_same(found, local)
    assert 0 < size_of(tmp_path) <= limit
    assert limit < sum(entry.bytes for entry in local.manifest.files)
    assert_same(found, local)


def test_a_file_that_is_under_way_counts_at_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one waits until it has come, and may go."""
    cache, order = FileCache(tmp_path, 150), []
    begun, waited = threading.Event(), threading.Event()
    first, second = (
        FileEntry(name, "train", 0, 1, 100, hashlib.sha256(name.encode() * 100).hexdigest())
        for name in "ab"
    )

    def fetch(entry: FileEntry, file: IO[bytes]) -> None:
        if entry is first:
            begun.set()
            assert waited.wait(TIMEOUT)
        waited.set()
        file.write(entry.path.encode() * 100)
        order.append(entry)

    def sleep(seconds: float) -> None:
        waited.set()
        time.sleep(seconds)

    monkeypatch.setattr(file_cache, "time", SimpleNamespace(sleep=sleep))
    other = threading.Thread(target=cache.fill, args=(first, fetch))
    other.start()
    assert begun.wait(TIMEOUT)
    cache.fill(second, fetch)
    other.join()
    assert order == [first, second]
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [second.sha256]


@pytest.mark.slow
def test_a_file_of_the_cache_that_was_cut_off_comes_again(directory: Path, tmp_path: Path) -> None:
    """A disk may lose its end."""
    local = Dataset.open(made("zarr", directory))
    assert_same(Dataset.open(url_of("zarr"), cache=tmp_path), local)
    for path in (tmp_path / "sha256").rglob("*"):
        if path.is_file():
            os.truncate(path, path.stat().st_size - 1)
    assert_same(Dataset.open(url_of("zarr"), cache=tmp_path), local)


SPOILS = ("bytes", "short", "500", "503", "drop", "hang")


@pytest.mark.slow
def test_a_thousand_answers_of_a_bad_store_give_nothing_wrong(
    directory: Path, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fifth of them is wrong, in each way."""
    local, count = Dataset.open(made("zarr", directory)), 0
    is_over, hanging, part = threading.Event(), [], Store._part

    def part_in_time(store: Store, entry: FileEntry, start: int) -> bytes:
        with suppress(HypermagneticsError):
            return part(impatient, entry, start)
        # Sound answers of a slow machine, which need more than a moment.
        return part(store, entry, start)

    def spoil(answer: Answer, number: int) -> Answer | None:
        nonlocal count
        count = number
        if number % 5 or answer.status >= 400 or "manifest" in answer.path:
            return answer
        match SPOILS[number // 5 % len(SPOILS)]:
            case "bytes":
                answer.body = bytes(len(answer.body))
            case "short":
                answer.body = answer.body[: len(answer.body) // 2]
            case "500":
                answer.status, answer.body = 500, b""
            case "503":
                answer.status, answer.body = 503, b""
            case "hang":
                hanging.append(answer)
                is_over.wait(TIMEOUT)
            case _:
                return None
        return answer

    with between(server, spoil):
        with monkeypatch.context() as patch:
            patch.setitem(stores._TIMEOUTS, "timeout", "300ms")
            impatient = Store(url_of("zarr"))
        monkeypatch.setattr(Store, "_part", part_in_time)
        try:
            for turn in range(1000):
                assert_same(Dataset.open(url_of("zarr"), cache=tmp_path / str(turn)), local)
                if count > 1000:
                    break
        finally:
            is_over.set()
    assert count > 1000
    assert hanging


@pytest.mark.slow
def test_bytes_that_stay_wrong_are_refused(directory: Path, tmp_path: Path, server: str) -> None:
    """With the file, and nothing of it in the cache."""

    def spoil(answer: Answer, _: int) -> Answer:
        if "/field/c/" in answer.path:
            answer.body = bytes(len(answer.body))
        return answer

    with between(server, spoil):
        split = Dataset.open(url_of("zarr"), cache=tmp_path).split("train")
        with pytest.raises(DatasetError, match=r"got other bytes in each of 4 tries .*rule D5"):
            split.block(0)
    assert_same(Dataset.open(url_of("zarr"), cache=tmp_path), Dataset.open(made("zarr", directory)))


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_a_store_that_ends_while_values_are_read_is_named(
    form: StorageFormat, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever library would have read them."""

    def refuse(answer: Answer, _: int) -> Answer:
        if "manifest" not in answer.path:
            answer.status, answer.body = 500, b""
        return answer

    monkeypatch.setattr(stores, "_RETRIES", {"max_retries": 0})
    with between(server, refuse):
        dataset = Dataset.open(url_of(form), cache=tmp_path)
        with pytest.raises(HypermagneticsError, match=r"^The store of a dataset must answer"):
            dataset.split("train").block(0)


READ_ALL = """
import sys
from hypermagnetics.data import Dataset
dataset = Dataset.open(sys.argv[1], cache=sys.argv[2])
for name in dataset.splits:
    for block in dataset.split(name).blocks():
        block.potential.sum()
"""


@pytest.mark.slow
def test_twenty_processes_fetch_each_file_once(tmp_path: Path, server: str) -> None:
    """Of one cache that is empty."""
    counted = Counted()
    with between(server, counted):
        readers = [
            subprocess.Popen([sys.executable, "-c", READ_ALL, url_of("zarr"), str(tmp_path)])
            for _ in range(20)
        ]
        assert [reader.wait(TIMEOUT) for reader in readers] == [0] * 20
    values = {key: count for key, count in counted.of.items() if "manifest" not in key[1]}
    assert set(values.values()) == {1}
    assert not list(tmp_path.rglob("*.lock"))


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["", "1e-5"])
def test_a_killed_reader_leaves_nothing_wrong(
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    """Killed before a file has its name: the next one fetches it, also where room is scarce."""
    monkeypatch.setenv("HYPERMAGNETICS_CACHE_GB", limit)
    fault = Fault("replace", "KILL", 3, file="sha256", true_clock=True)
    command = [sys.executable, "-c", READ_ALL, url_of("zarr"), str(tmp_path / "cache")]
    killed = subprocess.run(
        command, env={**os.environ, **fault.variables(tmp_path)}, check=False
    ).returncode
    assert killed == -signal.SIGKILL
    subprocess.run(command, check=True, timeout=TIMEOUT)
    names = [path.name for path in (tmp_path / "cache" / "sha256").rglob("*") if path.is_file()]
    assert {len(name) for name in names} == {64}


def test_what_is_no_dataset_in_a_store_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence each."""
    run = tmp_path / "run"
    for url, fragment in (
        (f"s3://{BUCKET}/nothing", "must have manifest.json"),
        ("s3://no-such-bucket/data", "bucket of a dataset must exist"),
        ("ftp://host/data", "must be s3://, gs://, az:// or https://"),
        ("s3://key:secret@bucket/data", "without credentials or a query; got 's3://...@bucket"),
        ("hf://user/data", "or hf://datasets/OWNER/NAME[@REVISION]"),
    ):
        ran = invoke("hm-train", url, run, *SHORT)
        assert_refused(ran, fragment)
        assert "secret" not in ran.stderr
        assert_refused(invoke("hm-data", "info", url), fragment)
    ran = invoke("hm-data", "export", "hf", url_of("zarr"), tmp_path / "hub")
    assert ran.code == 2, ran
    assert "must be on this machine; got a URL of s3://. Copy a dataset with" in ran.stderr
    monkeypatch.setenv("HYPERMAGNETICS_CACHE_GB", "many")
    ran = invoke("hm-train", url_of("zarr"), run, *SHORT)
    assert_refused(ran, "must be a positive number of GB; got 'many'")
    assert not run.exists()


def test_a_full_cache_is_named(tmp_path: Path) -> None:
    """With its directory, and how to go on."""
    fault = Fault("replace", "ENOSPC", 2, file="sha256", true_clock=True).variables(tmp_path)
    ran = run_program("hm-data", "head", url_of("zarr"), variables=fault)
    assert_refused(ran, "The cache of datasets must be writable", "got No space left on device")
    assert os.environ["HYPERMAGNETICS_CACHE"] in ran.complaints[-1]


def test_without_a_home_the_cache_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in some containers."""

    def homeless() -> Path:
        raise RuntimeError("no home")

    monkeypatch.delenv("HYPERMAGNETICS_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(HypermagneticsError, match="Set HYPERMAGNETICS_CACHE"):
        FileCache.of_environment()


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_a_dataset_is_verified_in_its_store(directory: Path, form: StorageFormat) -> None:
    """Whatever the cache holds, and without leaving anything there or on the disk."""
    url, sound = url_of(form), invoke("hm-data", "verify", url_of(form))
    assert (sound.code, sound.complaints) == (0, []), sound
    assert f"{url}: " in sound.stdout
    assert "in all files are sound" in sound.stdout
    cache = Path(os.environ["HYPERMAGNETICS_CACHE"])
    assert not (cache / "sha256").exists()
    recomputed = invoke("hm-data", "verify", url, "--recompute", "0.1", "--seed", "1")
    assert "labels of 10 samples follow from their sources" in recomputed.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "hands", [(), pytest.param(("--cluster", "local:2"), marks=pytest.mark.slow)]
)
def test_damage_in_a_store_is_named(
    directory: Path, tmp_path: Path, hands: tuple[str, ...]
) -> None:
    """Every problem of the objects, in the order of the manifest, also of those in the cache."""
    url = f"s3://{BUCKET}/damaged/{tmp_path.name}"
    assert invoke("hm-data", "upload", made("zarr", directory), url).code == 0
    dataset = Dataset.open(url)
    assert sum(len(block.potential) for block in dataset.split("train").blocks()) == NUM_SAMPLES
    store = Store(url)

    def spoil(name: str, change: Callable[[bytes], bytes]) -> None:
        changed = change(store.read(name, 1 << 20))
        store.put(name, changed, hashlib.sha256(changed).hexdigest())

    spoil("train.zarr/field/c/0/0/0", lambda old: bytes([old[0] ^ 1]) + old[1:])
    spoil("train.zarr/field/c/1/0/0", lambda old: old[:-1])
    store.remove("train.zarr/sources/c/2/0/0")
    spoil("manifest-sha256.txt", lambda old: old.replace(b"field", b"fjeld", 1))
    ran = run_program("hm-data", "verify", url, *hands)
    assert ran.code == 2
    found = [line for line in ran.complaints if " must " in line]
    assert [re.findall(r"rule (\w+)", line) for line in found] == [["D6"], ["D5"], ["D4"], ["D3"]]
    assert all(url in line for line in found)
    assert f"{url}: 4 problems. Do not use it." in ran.stdout
    store.create("manifest.json.old", store.read("manifest.json", 1 << 20))
    spoil("manifest.json", lambda old: old.replace(b"Discs", b"Disks"))
    with pytest.raises(DatasetError, match=r"must stay the same while it is read; got another man"):
        list(find_problems(dataset))
