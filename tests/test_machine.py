"""Cores and memory as far as this process may use them."""

import os
from pathlib import Path

import pytest
from packaging_facts import modules

from hypermagnetics.machine import memory_bytes, num_cores, processor

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
GROUPS = {
    "second version": ("0::/job/step\n", "job/memory.max", "job/cpu.max"),
    "container": ("0::/../../elsewhere\n", "memory.max", "cpu.max"),
}
"""Groups of a process, and the files with the limits of one of them."""


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize("case", GROUPS)
def test_limits_of_groups_hold(tmp_path: Path, case: str) -> None:
    """Those of groups around that of the process too; what is unlimited changes nothing."""
    listed, memory, cores = GROUPS[case]
    own = tmp_path / "own"
    own.write_text(listed)
    found = (tmp_path / "groups", own)
    assert (memory_bytes(*found), num_cores(*found)) == (MACHINE, len(os.sched_getaffinity(0)))
    for limit, quota in (("max", "max 100000"), ("9223372036854771712", "-1 100000")):
        write(found[0] / memory, limit)
        write(found[0] / cores, quota)
        assert (memory_bytes(*found), num_cores(*found)) == (MACHINE, len(os.sched_getaffinity(0)))
    write(found[0] / memory, "1000000\n")
    write(found[0] / cores, "50000 100000\n")
    assert (memory_bytes(*found), num_cores(*found)) == (1_000_000, 1)


@pytest.mark.parametrize("quota", ["70000", "-1"])
def test_limits_of_groups_of_the_first_version_hold(tmp_path: Path, quota: str) -> None:
    """In a directory for each controller, the quota of cores in two files."""
    (own := tmp_path / "own").write_text("5:memory:/job\n4:cpu,cpuacct:/job/step\n")
    write(tmp_path / "cpu,cpuacct" / "job" / "cpu.cfs_quota_us", f"{quota}\n")
    write(tmp_path / "cpu,cpuacct" / "job" / "cpu.cfs_period_us", "100000\n")
    write(tmp_path / "memory" / "job" / "memory.limit_in_bytes", "1000000\n")
    assert num_cores(tmp_path, own) == (len(os.sched_getaffinity(0)) if quota == "-1" else 1)
    assert memory_bytes(tmp_path, own) == 1_000_000


def test_cores_are_those_of_the_mask(tmp_path: Path) -> None:
    """As a scheduler of jobs sets it; also in what is printed."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert num_cores(tmp_path, tmp_path / "absent") == 1
        assert processor().endswith(", 1 core")
    finally:
        os.sched_setaffinity(0, before)


def test_the_machine_is_asked_in_one_place() -> None:
    asked = ("cpu_count", "sched_getaffinity", "sysconf", "virtual_memory", "/proc/cpuinfo")
    users = {
        name
        for name, file in modules().items()
        if any(question in file.read_text() for question in asked)
    }
    assert users == {"hypermagnetics.machine", "hypermagnetics.jax_setup"}
