"""What share of a training by the demo's recipe is spent inside compiled steps?

The whole of the loop is timed, after compiling: reading, dispatching, logging, validation and
checkpoints at the default cadence; and within it every call of the compiled step, from its
beginning to its end. Prints the share of the calls, and that of validation and checkpoints
together. Beside them stands how much longer a call takes in the loop, where a thread reads the next
batches on the same cores, than alone on a batch that is on the device, before and after it.
"""

import itertools
import statistics
import tempfile
import time
from pathlib import Path

import jax
from measurement import report
from timed_trainings import dataset, dispatch_of, first_steps, seconds_per_step, setup_of

from hypermagnetics.data import read_batch
from hypermagnetics.log import SILENT
from hypermagnetics.run_files import RunFiles
from hypermagnetics.train import loop
from hypermagnetics.train.dispatch import Dispatch
from hypermagnetics.train.objective import Losses
from hypermagnetics.train.run import train
from hypermagnetics.train.setup import Setup
from hypermagnetics.train.step import Method, State, compiled_steps

BOUND, OVERHEAD_BOUND = 0.95, 0.03
STEPS = 4000


def steps_alone(setup: Setup) -> float:
    """Seconds of a step on a batch that stays on the device: the median of some rounds."""
    state, steps = first_steps(setup)
    schedule = setup.schedule
    batch = setup.devices.take(read_batch(setup.train, schedule.blocks(0), schedule.points(0)))
    dispatch = dispatch_of(batch)
    state, _ = seconds_per_step(state, steps, itertools.repeat(dispatch), 50)
    rounds = []
    for _ in range(7):
        state, seconds = seconds_per_step(state, steps, itertools.repeat(dispatch), 100)
        rounds.append(seconds)
    return statistics.median(rounds)


class TimedSteps:
    """Compiled steps that add up the time inside of them, but for the first, which compiles."""

    def __init__(self, method: Method, most: int) -> None:
        """Arguments as those of `compiled_steps`."""
        self._steps = compiled_steps(method, most)
        self._is_compiled = False

    def __call__(self, state: State, dispatch: Dispatch, first: int) -> tuple[State, Losses]:
        """Make the steps, and wait for them."""
        start = time.perf_counter()
        found = jax.block_until_ready(self._steps(state, dispatch, first))
        if self._is_compiled:
            TimedSteps.seconds += time.perf_counter() - start
        self._is_compiled = True
        result: tuple[State, Losses] = found
        return result

    seconds = 0.0


def main() -> None:
    """Train as `make demo` does, for fewer steps."""
    loop.compiled_steps = TimedSteps  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as scratch:
        data = dataset("demo", Path(scratch) / "data")
        setup = setup_of(data, "demo", f"schedule.max_steps={STEPS}")
        before = steps_alone(setup)
        outcome = train(setup, RunFiles(Path(scratch) / "run"), {"seed": 0}, SILENT)
        after = steps_alone(setup)
    shares = outcome.shares
    report(
        "share of the training inside compiled steps",
        TimedSteps.seconds / shares.total,
        BOUND,
        seconds=shares.total,
        in_the_loop_against_alone=TimedSteps.seconds / STEPS / statistics.mean((before, after)),
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
