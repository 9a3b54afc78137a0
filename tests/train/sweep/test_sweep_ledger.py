"""Who takes which trial. Locks are of open files, so two ledgers here are as two processes."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sweep_plans import GRID, plan_of

from hypermagnetics.data import Dataset
from hypermagnetics.errors import RunError
from hypermagnetics.files import aside_of, is_aside
from hypermagnetics.train.sweep.definition import open_sweep
from hypermagnetics.train.sweep.ledger import Ledger, Result, open_ledger
from hypermagnetics.train.sweep.plan import Plan
from hypermagnetics.train.sweep.search import search_of
from hypermagnetics.train.sweep.sweep_files import SweepFiles


@pytest.fixture
def plan(tmp_path: Path, tiny: Dataset) -> Plan:
    """Three trials."""
    return plan_of(f"{GRID}[keys]\nseed = [0, 1, 2]", tmp_path, tiny)


@pytest.fixture
def ledgers(plan: Plan, tmp_path: Path) -> Iterator[tuple[Ledger, Ledger]]:
    """Two on one file."""
    files = SweepFiles(tmp_path)
    with open_ledger(plan, files) as one, open_ledger(plan, files) as other:
        yield one, other


def test_a_trial_belongs_to_one_and_is_taken_over_when_its_lock_is_free(
    plan: Plan, ledgers: tuple[Ledger, Ledger]
) -> None:
    propose = search_of(plan)
    one, other = ledgers
    taken = [ledger.take(propose) for ledger in (one, other, one)]
    assert [found.trial.number for found in taken if found] == [0, 1, 2]
    assert other.take(propose) is None
    assert not other.is_over()
    assert taken[1] is not None
    taken[1].lock.close()  # as by the end of the process
    again = one.take(propose)
    assert again is not None
    assert again.trial == taken[1].trial
    for found in (taken[0], again, taken[2]):
        assert found is not None
        one.record(found.trial, Result(state="finished", loss=0.5, seconds=2.0))
        found.lock.close()
    assert other.take(propose) is None
    assert other.is_over()
    assert {trial.seconds for trial in other.trials()} == {2.0}


def test_failed_trials_are_taken_again_only_if_asked(
    plan: Plan, ledgers: tuple[Ledger, Ledger]
) -> None:
    propose = search_of(plan)
    one, other = ledgers
    taken = one.take(propose)
    assert taken is not None
    one.record(taken.trial, Result(state="failed", message="no memory"))
    taken.lock.close()
    following = other.take(propose)
    assert following is not None
    assert following.trial.number == 1
    one.reopen_failed()
    again = one.take(propose)
    assert again is not None
    assert (again.trial.number, again.trial.message) == (0, "")
    following.lock.close()
    again.lock.close()


@pytest.mark.parametrize(
    "change",
    [
        """UPDATE trials SET "values" = '{"seed": 7}'""",
        """UPDATE trials SET "values" = '{"model.name": "evil:Model"}'""",
        """UPDATE trials SET "values" = 'x'""",
        "UPDATE trials SET state = 'begun'",
        'ALTER TABLE trials RENAME COLUMN "values" TO of_others',
    ],
)
def test_a_table_that_somebody_changed_is_refused(
    change: str, plan: Plan, ledgers: tuple[Ledger, Ledger], tmp_path: Path
) -> None:
    """Values from a shared directory never leave what the person at the keyboard has asked for."""
    taken = ledgers[0].take(search_of(plan))
    assert taken is not None
    taken.lock.close()
    connection = sqlite3.connect(SweepFiles(tmp_path).database)
    connection.execute(change)
    connection.commit()
    connection.close()
    with pytest.raises(RunError, match="as it wrote them; got"):
        ledgers[1].take(search_of(plan))


def test_a_file_that_is_no_table_is_refused(plan: Plan, tmp_path: Path) -> None:
    files = SweepFiles(tmp_path)
    files.database.write_bytes(b"not a database, but long enough to be one" * 100)
    with pytest.raises(RunError, match="must be an SQLite file"), open_ledger(plan, files):
        raise AssertionError("it opens")


def test_a_definition_that_was_being_exchanged_is_found_again(plan: Plan, tmp_path: Path) -> None:
    """By whoever goes on with the sweep, on file systems that replace no file."""
    files = SweepFiles(tmp_path / "sweep")
    open_sweep(plan, files)
    before = files.definition.read_bytes()
    files.definition.rename(aside_of(files.definition))
    open_sweep(plan, files)
    assert files.definition.read_bytes() == before
    assert not is_aside(files.definition)


@pytest.mark.parametrize("umask", [0o002, 0o027])
def test_the_umask_decides_about_the_table(tmp_path: Path, tiny: Dataset, umask: int) -> None:
    """SQLite makes files of its own that a group cannot write to."""
    before = os.umask(umask)
    try:
        plan, files = (
            plan_of(f"{GRID}[keys]\nseed = [0]", tmp_path, tiny),
            SweepFiles(tmp_path / "s"),
        )
        open_sweep(plan, files)
        with open_ledger(plan, files):
            pass
    finally:
        os.umask(before)
    assert files.database.stat().st_mode & 0o666 == 0o666 & ~umask
