"""How much longer does a step take if its batch is read from files than if it is on the device?

HyperLayer at the paper's sizes, batches of 2 blocks x 256 samples x 1024 points of
`paper-discs-2d`, page cache warm. Both modes in turn, in rounds; the ratio of the medians.
"""

import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

from measurement import report
from timed_trainings import dataset, endless_dispatches, first_steps, seconds_per_step, setup_of

BOUND = 1.05
ROUNDS, STEPS = 9, 6


def main() -> None:
    """Time both modes in turn."""
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        data = dataset("paper-discs-2d", Path(scratch) / "data")
        overrides = ("data.blocks_per_batch=2", "data.points_per_step=null")
        seconds: dict[str, list[float]] = {"stream": [], "device": []}
        kept = {}
        for mode in seconds:
            setup = setup_of(data, "hyper-layer", *overrides, f"data.mode={mode}")
            dispatches = stack.enter_context(endless_dispatches(setup))
            state, steps = first_steps(setup)
            state, _ = seconds_per_step(state, steps, dispatches, 2)
            kept[mode] = (state, steps, dispatches)
        for _ in range(ROUNDS):
            for mode, (state, steps, dispatches) in kept.items():
                state, found = seconds_per_step(state, steps, dispatches, STEPS)
                kept[mode] = (state, steps, dispatches)
                seconds[mode].append(found)
    medians = {mode: statistics.median(found) for mode, found in seconds.items()}
    report(
        "step from files against step from the device",
        medians["stream"] / medians["device"],
        BOUND,
        stream_seconds=medians["stream"],
        device_seconds=medians["device"],
    )


if __name__ == "__main__":
    main()
