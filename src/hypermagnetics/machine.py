"""The machine as far as this process may use it: processor, cores and memory.

A job of a cluster, or a container, often has a part of a machine; most questions to the kernel are
answered for the whole.
"""

import math
import os
import platform
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

Platform = Literal["cpu", "gpu"]
"""Kind of device that computes."""

_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")


def num_cores(groups: Path = _GROUPS, own_groups: Path = _OWN_GROUPS) -> int:
    """Number of cores, at least one: those of the process's mask, and of the shares of its groups.

    Args:
        groups: Where control groups are mounted.
        own_groups: List of the control groups of the process.
    """
    cores = len(os.sched_getaffinity(0))
    for directory in _directories(groups, own_groups, "cpu"):
        shares = _words(directory / "cpu.max") or [
            *_words(directory / "cpu.cfs_quota_us"),
            *_words(directory / "cpu.cfs_period_us"),
        ]
        if len(shares) == 2 and shares[0].isdecimal():  # else "max", or -1
            cores = min(cores, math.ceil(int(shares[0]) / int(shares[1])))
    return max(cores, 1)


def memory_bytes(groups: Path = _GROUPS, own_groups: Path = _OWN_GROUPS) -> int:
    """Bytes of memory: those of the machine, or the least limit of a group of the process.

    Args:
        groups: Where control groups are mounted.
        own_groups: List of the control groups of the process.
    """
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for directory in _directories(groups, own_groups, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limits += [int(word) for word in _words(directory / name) if word.isdecimal()]
    return min(limits)


def processor() -> str:
    """Name of the processor, with the number of cores."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = num_cores()
    name = models[0] if models else platform.machine()
    return f"{name}, {cores} core{'s' * (cores > 1)}"


def _directories(groups: Path, own_groups: Path, controller: str) -> Iterator[Path]:
    """Directories of the groups of this process, and of all groups around them.

    In a container the groups may be listed by paths outside; then the topmost alone is there, and
    is that of the container.
    """
    try:
        lines = own_groups.read_text(encoding="utf-8").splitlines()
    except OSError:  # no kernel with control groups
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = groups / controllers if controllers else groups
        path = PurePosixPath(group.lstrip("/"))
        for part in (path, *path.parents):
            yield root / part


def _words(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").split()
    except OSError:
        return []


def user_cache() -> Path | None:
    """Directory for caches of this package, of the user.

    Returns:
        The directory, which may not exist; None where there is no home, as in some containers.
    """
    try:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # no HOME, and a user whom the machine does not know
        return None
    return root / "hypermagnetics"
