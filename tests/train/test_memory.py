"""Memory of a training that makes many steps."""

import gc
import os
from pathlib import Path

import pytest
from recording import Recording
from small_trainings import run, small_recipe

from hypermagnetics.data import Dataset

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
