"""A sweep from its start, or from its finished trials, to its end."""

import time

from hypermagnetics.errors import InterruptedRunError
from hypermagnetics.log import Listener
from hypermagnetics.train.signals import StopRequest, stop_on_signals
from hypermagnetics.train.sweep.definition import open_sweep, refuse_trials_of_another_dataset
from hypermagnetics.train.sweep.ledger import Ledger, Propose, Taken, Trial, open_ledger
from hypermagnetics.train.sweep.plan import Plan, in_words
from hypermagnetics.train.sweep.sweep_files import SweepFiles
from hypermagnetics.train.sweep.trial import run_trial

_SECONDS_BETWEEN_LOOKS = 0.3


def sweep(
    plan: Plan, propose: Propose, files: SweepFiles, listener: Listener, *, retry_failed: bool
) -> list[Trial]:
    """Work on trials until all have ended, in parallel with other processes.

    Args:
        plan: Plan of the sweep.
        propose: Its search.
        files: Where.
        listener: Receives each trial as it begins, and the number of trials that have ended.
        retry_failed: Failed trials are taken again, once.

    Returns:
        All trials.

    Raises:
        RunError: If something else is in the directory, or another dataset has taken the place of
            the sweep's.
        InterruptedRunError: If SIGINT, SIGTERM or SIGUSR1 asked to stop; the trial has a
            checkpoint.
        RunWriteError: If the directory takes no more.
    """
    open_sweep(plan, files)
    with open_ledger(plan, files) as ledger, stop_on_signals() as stop:
        refuse_trials_of_another_dataset(plan, files, ledger.trials())
        if retry_failed:
            ledger.reopen_failed()
        ended = _ended(ledger)
        listener.skip(len(ended))
        while not ledger.is_over():
            if stop.signal is None and (taken := ledger.take(propose)) is not None:
                is_open = _work(ledger, plan, files, taken, stop, listener)
                before, ended = ended, _ended(ledger)
                failed = sum(trial.state == "failed" for trial in ended)
                listener.advance(len(ended) - len(before), f"{failed} failed" if failed else "")
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
    listener: Listener,
) -> bool:
    """Run a taken trial; return whether it is still open."""
    with taken.lock:
        listener.tell(f"trial {taken.trial.number}: {in_words(taken.trial.values)}")
        result = run_trial(plan, files, taken, stop)
        ledger.record(taken.trial, result)
    return result.state == "open"


def _ended(ledger: Ledger) -> list[Trial]:
    """Trials that have ended, those of other processes among them."""
    return [trial for trial in ledger.trials() if trial.state != "open"]


def _interrupted(
    ledger: Ledger, plan: Plan, files: SweepFiles, stop: StopRequest
) -> InterruptedRunError:
    ended = len(_ended(ledger))
    by = "a stopped trial" if stop.signal is None else stop.signal.name
    return InterruptedRunError(
        f"A sweep must end its {plan.num_trials} trials to be finished; got {by} after {ended} "
        f"of them ({files.directory}). Give the same command to go on."
    )
