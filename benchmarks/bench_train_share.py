"""What share of a training by the demo's recipe is spent inside compiled steps?

The whole of the loop is timed, after compiling: reading, dispatching, logging, validation and
checkpoints at the default cadence. The time of a step alone is measured before and after it in the
same process, on a batch that is on the device. Prints the share, and the share of validation and
checkpoints together.
"""

import itertools
import statistics
import tempfile
from pathlib import Path

from measurement import report
from training_parts import Silent, dataset, first_steps, seconds_per_step, setup_of

from hypermagnetics.data import read_batch
from hypermagnetics.train.run import train
from hypermagnetics.train.run_files import RunFiles
from hypermagnetics.train.setup import Setup

BOUND, OVERHEAD_BOUND = 0.95, 0.03
STEPS = 4000


def steps_alone(setup: Setup) -> float:
    """Seconds of a step on a batch that stays on the device: the median of some rounds."""
    state, steps = first_steps(setup)
    schedule = setup.schedule
    batch = setup.devices.take(read_batch(setup.train, schedule.blocks(0), schedule.points(0)))
    state, _ = seconds_per_step(state, steps, itertools.repeat(batch), 50)
    rounds = []
    for _ in range(7):
        state, seconds = seconds_per_step(state, steps, itertools.repeat(batch), 100)
        rounds.append(seconds)
    return statistics.median(rounds)


def main() -> None:
    """Train as `make demo` does, for fewer steps."""
    with tempfile.TemporaryDirectory() as scratch:
        data = dataset("demo", Path(scratch) / "data")
        setup = setup_of(data, "demo", f"schedule.max_steps={STEPS}")
        before = steps_alone(setup)
        outcome = train(setup, RunFiles(Path(scratch) / "run"), {"seed": 0}, Silent())
        after = steps_alone(setup)
    shares = outcome.shares
    alone = STEPS * statistics.mean((before, after))
    report(
        "share of the training inside compiled steps",
        alone / shares.total,
        BOUND,
        seconds=shares.total,
        step_before=before,
        step_after=after,
        loader=shares.of("loader"),
    )
    overhead = shares.of("validation") + shares.of("checkpoints")
    report(
        "validation and checkpoints as a share of the training",
        overhead,
        OVERHEAD_BOUND,
        validation=shares.of("validation"),
        checkpoints=shares.of("checkpoints"),
    )


if __name__ == "__main__":
    main()
