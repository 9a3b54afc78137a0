"""A sweep from its start, or from its finished trials, to its end."""

import time
from typing import Protocol, runtime_checkable

from hypermagnetics.errors import InterruptedRunError
from hypermagnetics.train.signals import StopRequest, stop_on_signals
from hypermagnetics.train.sweep.definition import open_sweep
from hypermagnetics.train.sweep.ledger import Ledger, Propose, Taken, Trial, open_ledger
from hypermagnetics.train.sweep.plan import Plan
from hypermagnetics.train.sweep.sweep_files import SweepFiles
from hypermagnetics.train.sweep.trial import run_trial

_SECONDS_BETWEEN_LOOKS = 0.3


@runtime_checkable
class TrialListener(Protocol):
    """Receives the progress of a sweep."""

    def begins(self, trial: Trial) -> None:
        """Called before this process works on a trial."""

    def ended(self, trials: list[Trial]) -> None:
        """Called with the trials of all processes, first and after each trial of this process."""


def sweep(
    plan: Plan, propose: Propose, files: SweepFiles, listener: TrialListener, *, retry_failed: bool
) -> list[Trial]:
    """Work on trials until all have ended, in parallel with other processes.

    Args:
        plan: Plan of the sweep.
        propose: Its search.
        files: Where.
        listener: Told about each trial.
        retry_failed: Failed trials are taken again, once.

    Returns:
        All trials.

    Raises:
        RunError: If something else is in the directory.
        InterruptedRunError: If SIGINT, SIGTERM or SIGUSR1 asked to stop; the trial has a
            checkpoint.
        RunWriteError: If the directory takes no more.
    """
    open_sweep(plan, files)
    with open_ledger(plan, files) as ledger, stop_on_signals() as stop:
        if retry_failed:
            ledger.reopen_failed()
        listener.ended(ledger.trials())
        while not ledger.is_over():
            if stop.signal is None and (taken := ledger.take(propose)) is not None:
                is_open = _work(ledger, plan, files, taken, stop, listener)
            else:
                # Another process has the last ones; if it dies, they are taken over.
                is_open = False
                time.sleep(_SECONDS_BETWEEN_LOOKS)
            if is_open or stop.signal is not None:
                raise _interrupted(ledger, plan, files, stop)
        return ledger.trials()


def _work(
    ledger: Ledger,
    plan: Plan,
    files: SweepFiles,
    taken: Taken,
    stop: StopRequest,
    listener: TrialListener,
) -> bool:
    """Run a taken trial; return whether it is still open."""
    with taken.lock:
        listener.begins(taken.trial)
        result = run_trial(plan, files, taken, stop)
        ledger.record(taken.trial, result)
    listener.ended(ledger.trials())
    return result.state == "open"


def _interrupted(
    ledger: Ledger, plan: Plan, files: SweepFiles, stop: StopRequest
) -> InterruptedRunError:
    ended = sum(trial.state != "open" for trial in ledger.trials())
    by = "a stopped trial" if stop.signal is None else stop.signal.name
    return InterruptedRunError(
        f"A sweep must end its {plan.num_trials} trials to be finished; got {by} after {ended} "
        f"({files.directory}). Give the same command to go on."
    )
