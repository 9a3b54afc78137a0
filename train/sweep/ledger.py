"""The trials of a sweep in SQLite, and the process that works on each.

Whoever works on a trial holds the lock of a file, and so does the process that trains: an
unfinished trial whose lock is free belongs to no process. Trials are taken in a transaction that
excludes others.
"""

import json
import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Literal, NamedTuple

from pydantic import JsonValue, ValidationError

from hypermagnetics.config import Config
from hypermagnetics.errors import RunError
from hypermagnetics.files import lock_if_free, make_shared
from hypermagnetics.train.sweep.config import Metric
from hypermagnetics.train.sweep.plan import Plan, Values
from hypermagnetics.train.sweep.sweep_files import SweepFiles

_SECONDS_TO_WAIT = 60.0
"""Seconds to wait for other processes, whose transactions take milliseconds."""

_ORDER = ("finished", "open", "failed")
"""Order of the states in a ranking."""

_TABLE = """
    CREATE TABLE IF NOT EXISTS trials (
        number INTEGER PRIMARY KEY,
        state TEXT NOT NULL,
        "values" TEXT NOT NULL,
        step INTEGER, loss REAL, potential REAL, field REAL,
        seconds REAL NOT NULL,
        message TEXT NOT NULL
    )
"""


class Result(Config):
    """State and results of a trial."""

    state: Literal["open", "finished", "failed"] = "open"
    step: int | None = None
    """Step of the least validation loss."""
    loss: float | None = None
    potential: float | None = None
    """Median relative error of the potential."""
    field: float | None = None
    """Median relative error of the field."""
    seconds: float = 0.0
    """Time of all processes together."""
    message: str = ""
    """Reason of a failure."""


class Trial(Result):
    """One training of a sweep."""

    number: int
    values: dict[str, JsonValue]

    def score(self, metric: Metric) -> float:
        """Value minimised by the best trial; infinite where there is none."""
        score: float | None = getattr(self, metric)
        return math.inf if score is None else score


def ranked(trials: Iterable[Trial], metric: Metric) -> list[Trial]:
    """Finished trials by the metric, the least first, then the others; equal ones by number."""
    return sorted(
        trials,
        key=lambda trial: (_ORDER.index(trial.state), trial.score(metric), trial.number),
    )


class Taken(NamedTuple):
    """A trial taken by this process."""

    trial: Trial
    lock: IO[bytes]
    """Lock file, to be closed when the work is over."""


Propose = Callable[[int, Sequence[Trial]], Values]
"""Map from the number of a trial and the previous trials to its values."""


class Ledger:
    """The table of the trials; use `open_ledger`."""

    def __init__(self, connection: sqlite3.Connection, plan: Plan, files: SweepFiles) -> None:
        self._connection, self._plan, self._files = connection, plan, files

    def trials(self) -> list[Trial]:
        """All trials begun so far, by number."""
        with self._errors():
            cursor = self._connection.execute("SELECT * FROM trials ORDER BY number")
            names = [column[0] for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor]
        return [self._checked(row) for row in rows]

    def take(self, propose: Propose) -> Taken | None:
        """Take an unfinished trial without a process, or else a new one.

        Args:
            propose: Gives the values of a new one.

        Returns:
            The trial; None if there is none to take at present.
        """
        with self._transaction():
            trials = self.trials()
            for trial in trials:
                if trial.state == "open" and (taken := self._locked(trial)) is not None:
                    return taken
            number = len(trials)
            if number >= self._plan.num_trials:
                return None
            trial = Trial(number=number, values=dict(propose(number, trials)))
            self._write(trial)
            # Nobody else can hold it: the transaction keeps others from seeing the trial.
            return self._locked(trial)

    def is_over(self) -> bool:
        """Whether all trials have ended."""
        trials = self.trials()
        ended = all(trial.state != "open" for trial in trials)
        return ended and len(trials) >= self._plan.num_trials

    def record(self, trial: Trial, result: Result) -> None:
        """Record the result of a trial taken by this process."""
        with self._transaction():
            self._write(trial.model_copy(update=result.model_dump()))

    def reopen_failed(self) -> None:
        """Let the failed trials be taken again."""
        with self._transaction():
            self._connection.execute(
                "UPDATE trials SET state = 'open', message = '' WHERE state = 'failed'"
            )

    def _locked(self, trial: Trial) -> Taken | None:
        path = self._files.trial_lock(trial.number)
        path.parent.mkdir(exist_ok=True)
        lock = lock_if_free(path)
        return None if lock is None else Taken(trial, lock)

    def _write(self, trial: Trial) -> None:
        row = {**trial.model_dump(), "values": json.dumps(trial.values)}
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join(f":{name}" for name in row)
        self._connection.execute(f"INSERT OR REPLACE INTO trials ({names}) VALUES ({marks})", row)

    def _checked(self, row: dict[str, object]) -> Trial:
        """Check a row as a trial of this sweep: the file is not trusted."""
        try:
            trial = Trial.model_validate({**row, "values": json.loads(str(row["values"]))})
        except (ValidationError, ValueError, KeyError, RecursionError):
            trial = None
        keys = self._plan.keys
        fits = trial is not None and set(trial.values) == set(keys)
        if trial is None or not (
            fits and all(keys[key].holds(value) for key, value in trial.values.items())
        ):
            raise RunError(
                "The trials of a sweep must be as it wrote them; got "
                f"{str(row.get('values'))[:80]!r} as values of trial {row.get('number')!r} "
                f"({self._files.database}). Choose another DIR."
            )
        return trial

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        with _errors_of(self._files):
            yield


@contextmanager
def open_ledger(plan: Plan, files: SweepFiles) -> Iterator[Ledger]:
    """Open the table, and make it if absent.

    Args:
        plan: Plan of the sweep.
        files: Where.

    Yields:
        The table.

    Raises:
        RunError: If it cannot be read or written; also from what is done with it.
    """
    with _errors_of(files):
        make_shared(files.database)
        # Transactions are begun by hand, so that they exclude others from the start.
        connection = sqlite3.connect(files.database, timeout=_SECONDS_TO_WAIT, isolation_level=None)
        try:
            connection.execute(_TABLE)
            yield Ledger(connection, plan, files)
        finally:
            connection.close()


@contextmanager
def _errors_of(files: SweepFiles) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise RunError(
            f"The table of a sweep must be an SQLite file that can be written; got: {error} "
            f"({files.database}). Check permissions and disk, then give the same command again."
        ) from error
