"""How much sooner does a training from a store end its first epoch than one that copies first?

505 MB of discs in shards of 64 MB behind S3's protocol (moto, a process of its own on this
machine), read as a training with --div-data does, with steps that keep the device busy for 20 ms.
Copying first is hm-data download, then an epoch from the copy. Then an epoch through the warm cache
against one from the copy, with steps that take no time.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import Request, urlopen

from measurement import report
from timed_trainings import dataset

from hypermagnetics.data import BatchSchedule, Dataset, Division
from hypermagnetics.data.stored_dataset import find_dataset
from hypermagnetics.data.stores import Store
from hypermagnetics.data.transfer import copy_from_store, copy_to_store
from hypermagnetics.train.devices import Devices
from hypermagnetics.train.dispatch import Order
from hypermagnetics.train.feed import StreamFeed

FIRST_BOUND, LATER_BOUND = 0.8, 0.95
STEP_SECONDS, BLOCKS, ROUNDS = 0.02, 1, 5


def epoch_seconds(opened: Dataset, step_seconds: float) -> float:
    """Seconds of one epoch of the training split."""
    split = opened.split("train")
    layout = split.layout
    schedule = BatchSchedule(
        layout.num_blocks,
        BLOCKS,
        0,
        layout.num_points,
        division=Division(layout.blocks_per_shard, 1),
    )
    start = time.perf_counter()
    with StreamFeed(split, Order(schedule, 0, lambda _: 1, 1), Devices.local(1)) as feed:
        for _ in range(layout.num_blocks // BLOCKS):
            feed.next(lambda: True).batches.at(0).sources.block_until_ready()
            time.sleep(step_seconds)
    return time.perf_counter() - start


def main() -> None:
    """Upload, then read in both ways."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    moto = subprocess.Popen(
        [Path(sys.executable).parent / "moto_server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }
    try:
        with tempfile.TemporaryDirectory() as scratch:
            measure(Path(scratch), f"http://127.0.0.1:{port}")
    finally:
        moto.kill()
        moto.wait()


def measure(scratch: Path, address: str) -> None:
    """Measure both ratios."""
    changes = "splits.train.num_samples=40960", "storage.shard_mb=64"
    local = dataset("paper-discs-2d", scratch / "data", *changes)
    for _ in range(100):
        try:
            urlopen(Request(f"{address}/bucket", method="PUT"), timeout=60).close()
            break
        except OSError:
            time.sleep(0.2)
    url = "s3://bucket/discs"
    copy_to_store(local, Store(url))
    epoch_seconds(local, 0.0)  # which compiles, and loads the files into memory
    start = time.perf_counter()
    copy_from_store(find_dataset(Store(url)), scratch / "copy")
    copied = time.perf_counter() - start
    first = copied + epoch_seconds(Dataset.open(scratch / "copy"), STEP_SECONDS)
    start = time.perf_counter()
    stored = Dataset.open(url, cache=scratch / "cache")
    epoch_seconds(stored, STEP_SECONDS)
    through_cache = time.perf_counter() - start
    size = sum(entry.bytes for entry in stored.manifest.files if entry.split == "train")
    report(
        "time of the first epoch through the cache against copying first",
        through_cache / first,
        FIRST_BOUND,
        copying_seconds=copied,
        copying_first_seconds=first,
        megabytes=size / 1e6,
    )
    pairs = [
        (epoch_seconds(stored, 0.0), epoch_seconds(Dataset.open(scratch / "copy"), 0.0))
        for _ in range(ROUNDS)
    ]
    cached, copy = (min(each) for each in zip(*pairs, strict=True))
    report(
        "speed of later epochs through the cache against files on this machine",
        copy / cached,
        LATER_BOUND,
        cached_seconds=cached,
        copied_seconds=copy,
    )


if __name__ == "__main__":
    main()
