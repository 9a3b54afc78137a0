"""Faults in the processes of a program, at a named place: a call of `os` about a certain file.

The call fails, or kills its process, or waits there until the test lets it go on. So a test that
stops a program in the middle never depends on how fast the machine is.
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from program_runs import TIMEOUT, Process, Ran, finish

_SITECUSTOMIZE = """
import errno, json, os, select, signal, sys, threading, time
from concurrent.futures import ThreadPoolExecutor

fault = json.loads(os.environ["HM_FAULT"])
here = os.path.dirname(__file__)
lock, given_up, holding = threading.Lock(), threading.Event(), threading.Event()
count = 0

def is_about(file):
    # A file that is synced is known by its descriptor, all others by their names.
    name = os.readlink(f"/proc/self/fd/{file}") if type(file) is int else str(file)
    return fault["file"] in name

def hold():
    signals, wake = os.pipe()
    os.set_blocking(wake, False)
    if threading.current_thread() is threading.main_thread():
        signal.set_wakeup_fd(wake)
    open(os.path.join(here, f"held-{os.getpid()}"), "x").close()
    holding.set()
    wait_with(signals)
    holding.clear()

def wait_with(signals=None):
    for _ in range(int(fault["timeout"] / 0.005)):
        # A signal is written to the pipe when it comes; its handler is called before this goes on.
        has_signal = bool(select.select([signals] if signals else [], [], [], 0.005)[0])
        is_over = has_signal or not holding.is_set() or given_up.is_set()
        if is_over or os.path.exists(os.path.join(here, "released")):
            return
    os._exit(99)

def is_allowed(most):
    for number in range(most):
        try:
            open(os.path.join(here, f"killed-{number}"), "x").close()
            return True
        except FileExistsError:
            continue
    return False

def faulty(*arguments, **options):
    global count
    with lock:
        count += is_about(arguments[-1])
        is_due = is_about(arguments[-1]) and fault["first"] <= count <= fault["last"]
        if is_due and fault["what"] == "HOLD":
            fault["last"] = 0
    if is_due and fault["what"] == "HOLD":
        hold()
    elif fault["what"] == "HOLD" and holding.is_set() and is_about(arguments[-1]):
        wait_with()
    elif is_due and fault["what"] == "KILL":
        if not fault["most_kills"] or is_allowed(fault["most_kills"]):
            os.kill(os.getpid(), signal.SIGKILL)
    elif is_due:
        raise OSError(getattr(errno, fault["what"]), os.strerror(getattr(errno, fault["what"])))
    return real(*arguments, **options)

def shutdown(pool, wait=True, *, cancel_futures=False):
    # Work that is given up is taken out of the queue before a held thread may go on.
    real_shutdown(pool, wait=False, cancel_futures=cancel_futures)
    if cancel_futures:
        given_up.set()
    real_shutdown(pool, wait=wait)

def refusing(rename):
    def renamed(old, new, **options):
        if os.path.lexists(new):
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), old, None, new)
        return rename(old, new, **options)
    return renamed

if fault["without_replacing"]:
    os.replace, os.rename = refusing(os.replace), refusing(os.rename)
if not fault["in_workers"] or "--multiprocessing-fork" in sys.orig_argv:
    real = getattr(os, fault["call"])
    setattr(os, fault["call"], faulty)
    real_shutdown, ThreadPoolExecutor.shutdown = ThreadPoolExecutor.shutdown, shutdown
if not fault["true_clock"]:
    start, calls = time.time(), iter(range(10**9))
    # Nothing of ours may depend on a clock that goes forward.
    time.time = lambda: start - 1e4 * next(calls)
"""

ALWAYS = 10**9
"""Number of a call that never comes."""


@dataclass(frozen=True)
class Fault:
    """The calls of a function of `os` that are at fault; each process counts its own."""

    call: str
    """`fsync`, `link`, `replace`, `rename` or `unlink`; the fault comes before the call."""
    what: str
    """A name of `errno`, KILL, or HOLD, which holds one call of each process, and all threads that
    come to such a call meanwhile.

    A held process goes on when the barrier is opened, its main thread also when a signal has come,
    and any other thread when the work of its pool is given up.
    """
    first: int = 1
    last: int = 0
    """The last call at fault; 0 for `first`."""
    file: str = ""
    """Part of the path that the call is about, of a renaming the new name; others do not count."""
    in_workers: bool = False
    """Whether the fault is in worker processes alone."""
    most_kills: int = 0
    """Number of processes that are killed, all together; 0 for each that comes there."""
    true_clock: bool = False
    """Whether the clock goes forward, as other libraries need it to."""
    without_replacing: bool = False
    """Whether the file system refuses to rename over what exists."""

    def variables(self, directory: Path) -> dict[str, str]:
        """Environment variables of a process with this fault.

        Args:
            directory: Where the module that makes the fault may lie; one for each fault that holds.

        Returns:
            Variables besides those of this process.
        """
        modules = directory / "faulty"
        modules.mkdir(exist_ok=True)
        (modules / "sitecustomize.py").write_text(_SITECUSTOMIZE)
        path = os.pathsep.join([str(modules), os.environ.get("PYTHONPATH", "")])
        told = {**asdict(self), "last": self.last or self.first, "timeout": 2 * TIMEOUT}
        return {"PYTHONPATH": path, "HM_FAULT": json.dumps(told)}


class Barrier:
    """The place where the processes of a program with a fault HOLD wait."""

    def __init__(self, directory: Path) -> None:
        """The directory that `Fault.variables` was given."""
        self._modules = directory / "faulty"

    @property
    def held(self) -> list[int]:
        """The processes that wait there, or have waited."""
        return [int(mark.name.removeprefix("held-")) for mark in self._modules.glob("held-*")]

    def wait(self, process: Process, count: int = 1) -> None:
        """Return when so many processes of a program wait there, which it must not end before."""
        wait_until(process, lambda: len(self.held) >= count, f"{count} at the barrier")

    def release(self) -> None:
        """Let them go on."""
        (self._modules / "released").touch()


def wait_until(process: Process, ready: Callable[[], bool], what: str) -> None:
    """Wait for what stays as it is once it has come, and must come before the process ends."""
    start = time.monotonic()
    while not ready():
        if process.poll() is not None or time.monotonic() - start > TIMEOUT:
            raise AssertionError(f"{what} did not come: {finish(process)}")
        time.sleep(0.005)


def workers_of(process: Process) -> list[int]:
    """Identifiers of the workers of a process."""
    found = []
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            if b"--multiprocessing-fork" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
    return found


def has_ended(process: int) -> bool:
    """Whether there is no such process, or only its exit code is left."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"


def assert_end(processes: list[int]) -> None:
    """None of them goes on, although nobody waits for them."""
    start = time.monotonic()
    while not all(map(has_ended, processes)):
        assert time.monotonic() - start < TIMEOUT, processes
        time.sleep(0.02)


def signalled(process: Process, barrier: Barrier, number: int) -> Ran:
    """Send a signal to a program when it waits at its barrier, and wait for its end."""
    barrier.wait(process)
    process.send_signal(number)
    return finish(process)
