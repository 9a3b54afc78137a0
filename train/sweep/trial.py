"""One trial: hm-train in a process of its own."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from hypermagnetics.errors import RecipeError, RunError, RunWriteError, raise_refusal
from hypermagnetics.files import write_text_atomically
from hypermagnetics.run_files import read_metrics
from hypermagnetics.train.signals import CANNOT_WRITE, TRY_AGAIN, StopRequest
from hypermagnetics.train.sweep.definition import refuse_another_dataset
from hypermagnetics.train.sweep.ledger import Result, Taken, Trial
from hypermagnetics.train.sweep.plan import Plan
from hypermagnetics.train.sweep.sweep_files import SweepFiles

_HM_TRAIN = (
    "from hypermagnetics.train.sweep.parent import stop_with_parent; stop_with_parent(); "
    "from hypermagnetics.train.cli import main; main(prog_name='hm-train')"
)
_SECONDS_BETWEEN_LOOKS = 0.1
_TAIL_BYTES = 1 << 16
_MOST_CHARACTERS = 1000
_AGAIN = "Delete the directory of this trial, then give the same command with --retry-failed."
_ERROR = re.compile(r"hm-train: (?!\d+/\d+ steps|computing on )(.+)|[\w.]*(?:Error|Exception)\b.*")


def run_trial(plan: Plan, files: SweepFiles, taken: Taken, stop: StopRequest) -> Result:
    """Train until the end of the trial, from its last checkpoint if there is one.

    Args:
        plan: The sweep.
        files: Files of the run.
        taken: The trial.
        stop: Whether a signal has come, which is handed on.

    Returns:
        Result of the trial; still open if it was stopped.

    Raises:
        RunWriteError: If the directory takes no more, as on a full disk; the trial stays open.
        RunError: If another dataset, or none, has taken the place of the sweep's; the trial stays
            open.
    """
    trial, start = taken.trial, time.monotonic()
    try:
        recipe = plan.recipe_of(trial.values)
    except RecipeError as error:
        return Result(state="failed", message=str(error))
    write_text_atomically(files.recipe(trial.number), recipe.model_dump_json(indent=1) + "\n")
    log = files.log(trial.number)
    log.parent.mkdir(exist_ok=True)
    with log.open("ab") as output:
        before = output.tell()
        code = _train(_command(plan, files, trial), output, taken.lock, stop)
    seconds = trial.seconds + time.monotonic() - start
    if code == 0:
        return _finished(files, trial, seconds)
    if code == TRY_AGAIN or (stop.signal is not None and code == -signal.SIGTERM):
        return Result(seconds=seconds)
    said = _last_error(log, before)
    if code == CANNOT_WRITE:
        raise RunWriteError(said)
    refuse_another_dataset(plan)
    if code < 0:
        said = f"Ended by {signal.Signals(-code).name}, as if memory had run out. {said}".strip()
    return Result(state="failed", seconds=seconds, message=said or f"Exit code {code}.")


def _finished(files: SweepFiles, trial: Trial, seconds: float) -> Result:
    metrics = files.trial(trial.number).metrics
    try:
        return best_validation(metrics, seconds)
    except RunError as error:
        return Result(state="failed", seconds=seconds, message=str(error))
    except OSError as error:
        raise_refusal(error, metrics)
        said = f"The metrics of a run must be readable; got {error} ({metrics}). {_AGAIN}"
        return Result(state="failed", seconds=seconds, message=said)


def _command(plan: Plan, files: SweepFiles, trial: Trial) -> list[str]:
    run = files.trial(trial.number)
    # A module of the working directory must not stand in for one that hm-train imports.
    command = [sys.executable, "-P", "-c", _HM_TRAIN]
    command += ["--recipe", str(files.recipe(trial.number))]
    # It opens the dataset by itself, which another one may have replaced by then.
    command += ["--dataset-sha256", plan.dataset.sha256]
    if run.recipe.is_file():
        command.append("--resume")
    return [*command, "--", plan.dataset.place, str(run.directory)]


def _train(command: list[str], output: IO[bytes], lock: IO[bytes], stop: StopRequest) -> int:
    """Run a process that holds the lock of its trial for life; return its exit code."""
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
        pass_fds=(lock.fileno(),),
        # Ctrl-C reaches all processes of a group; this one decides what becomes of it.
        process_group=0,
    ) as process:
        is_asked = False
        while True:
            try:
                return process.wait(_SECONDS_BETWEEN_LOOKS)
            except subprocess.TimeoutExpired:
                if stop.signal is not None and not is_asked:
                    process.terminate()
                    is_asked = True


def _last_error(log: Path, start: int) -> str:
    """Last error message of a log, from an offset on; else the last line."""
    with log.open("rb") as file:
        file.seek(max(start, log.stat().st_size - _TAIL_BYTES))
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines()]
    errors = [match[1] or match[0] for line in lines if (match := _ERROR.fullmatch(line))]
    said = [*filter(None, lines[-1:]), *errors]
    return said[-1][:_MOST_CHARACTERS] if said else ""


def best_validation(metrics: Path, seconds: float) -> Result:
    """The validation of least loss, which is that of model.hm.

    Args:
        metrics: The metrics.jsonl of a finished run.
        seconds: Duration of the run [s].

    Returns:
        The result of the trial.

    Raises:
        RunError: If the file has no validation.
    """
    validations = (line for line in read_metrics(metrics) if "validation" in line)
    finite = (line for line in validations if line["validation"]["loss"] is not None)
    best = min(finite, key=lambda line: (line["validation"]["loss"], line["step"]), default=None)
    if best is None:
        raise RunError(f"A finished run must log its validations; got none ({metrics}). {_AGAIN}")
    return Result(
        state="finished",
        step=best["step"],
        loss=best["validation"]["loss"],
        potential=best["validation"].get("potential_median_relative_error"),
        field=best["validation"].get("field_median_relative_error"),
        seconds=seconds,
    )
