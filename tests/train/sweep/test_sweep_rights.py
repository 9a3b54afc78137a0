"""The table of a sweep has the rights of its neighbours, or a second member could not take part."""

import os
from pathlib import Path

import pytest
from sweep_plans import GRID, plan_of

from hypermagnetics.data import Dataset
from hypermagnetics.train.sweep.definition import open_sweep
from hypermagnetics.train.sweep.ledger import open_ledger
from hypermagnetics.train.sweep.sweep_files import SweepFiles


@pytest.mark.parametrize("umask", [0o002, 0o027])
def test_the_umask_decides_about_the_table(tmp_path: Path, tiny: Dataset, umask: int) -> None:
    """SQLite makes files that a group cannot write to."""
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
