"""Memory of a training that makes many steps."""

import gc
import os
from pathlib import Path

import numpy as np
import pytest
from recording import Recording
from small_trainings import run, small_recipe

from hypermagnetics.data import BatchSchedule, Dataset, StorageFormat
from hypermagnetics.data.array_import import import_arrays, inputs_and_targets
from hypermagnetics.data.array_view import ArrayView, names_of
from hypermagnetics.data.origin import Shares
from hypermagnetics.train.devices import ArrayDeviceBatch, Devices
from hypermagnetics.train.dispatch import Order
from hypermagnetics.train.feed import StreamFeed

BYTES_PER_STEP = 50e6 / 99_000
"""At most 50 MB from step 1000 to step 100 000."""
FIRST, LAST = 1000, 6000


def resident_bytes() -> int:
    """Memory of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Measuring(Recording):
    """Notes the memory at two steps, and keeps nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.done, self.found = 0, dict[int, int]()

    def advance(self, count: int, note: str = "") -> None:
        """Measure if it is time."""
        self.done += count
        if self.done in (FIRST, LAST):
            self.found[self.done] = resident_bytes()


@pytest.mark.slow
def test_memory_does_not_grow_with_steps(tmp_path: Path, tiny: Dataset) -> None:
    """Neither on the device, nor by lines of the log."""
    listener = Measuring()
    steps = (f"schedule.max_steps={LAST}", "tracking.log_every=5")
    seldom = ("validation.every=1000", "checkpoint.every=1000", "model.depth=1", "model.hdepth=1")
    run(small_recipe(*steps, *seldom), tiny, tmp_path / "r", listener=listener)
    grown = listener.found[LAST] - listener.found[FIRST]
    assert grown < BYTES_PER_STEP * (LAST - FIRST), f"{grown / (LAST - FIRST):.0f} bytes a step"


def anonymous_bytes() -> int:
    """Memory of this process that is no part of a mapped file, which the system may drop."""
    gc.collect()
    (line,) = (
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("RssAnon")
    )
    return int(line.split()[1]) * 1024


@pytest.mark.slow
@pytest.mark.parametrize("storage_format", ["zarr", "hdf5"])
def test_jacobians_ten_times_the_memory_taken_are_streamed(
    tmp_path: Path, storage_format: StorageFormat
) -> None:
    """Every batch of an epoch is that of the files, and none of them stays."""
    random, samples = np.random.default_rng(0), 9600
    shapes = {"inputs": (90,), "targets": (110,), "jacobian": (110, 90)}
    files = {}
    for name, shape in shapes.items():
        rows = random.normal(size=(samples, *shape[:-1], 1)).astype(np.float32)
        if name == "inputs":  # by which a sample is known again
            rows = np.arange(samples, dtype=np.float32)[:, None]
        np.save(tmp_path / f"{name}.npy", np.broadcast_to(rows, (samples, *shape)))
        files[name] = tmp_path / f"{name}.npy"
    arrays = inputs_and_targets(*files.values())
    shares = Shares(train=0.98, valid=0.01, test=0.01)
    import_arrays(arrays, tmp_path / "data", shares=shares, storage_format=storage_format)
    split = Dataset.open(tmp_path / "data").any_split("train")
    view = ArrayView(split, names_of(split, None, None))
    mapped = {name: np.load(file, mmap_mode="r") for name, file in files.items()}
    schedule = BatchSchedule(view.layout.num_blocks, 2, 0, 1)
    order = Order(schedule, 0, lambda step: 1, 1)
    with StreamFeed(view, order, Devices.local(1)) as feed:
        for _ in range(8):  # what is read ahead, and the first programs
            feed.next(lambda: True).batches.at(0)
        before, seen = anonymous_bytes(), 0
        for step in range(8, view.layout.num_blocks // 2):
            batch = feed.next(lambda: True).batches.at(0)
            assert isinstance(batch, ArrayDeviceBatch)
            for block in range(2):
                count = int(batch.num_samples[block])
                numbers = np.asarray(batch.arrays["inputs"][block, :count, 0]).astype(int)
                if step % 20 == 0:
                    wanted = mapped["jacobian"][numbers]
                    np.testing.assert_array_equal(batch.arrays["jacobian"][block, :count], wanted)
                seen += count
        grown = anonymous_bytes() - before
    assert seen > 0.85 * samples
    assert grown < view.layout.num_bytes / 10, f"{grown / 1e6:.0f} MB"
