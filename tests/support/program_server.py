"""Processes of the programs, forked from one that has imported them already.

A program spends seconds on importing JAX; forked it starts in milliseconds. Else it is as if a
shell had started it: a process that leads a group of its own, with its own arguments, directory,
environment and standard streams. But its evaluations are short (`shorten_reports`), and HDF5 files
are read first by processes forked as well (`hdf5_trials`). Limits of memory, variables that
libraries read while they are imported, and the installed entry points need a real start, which
`program_runs.start_program` makes instead.

    python -P program_server.py SOCKET TRIALS_SOCKET

serves one process of tests, as long as its standard input is open.
"""

import functools
import gc
import importlib
import json
import os
import re
import resource
import runpy
import select
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import types
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

from fork_server import SUPPORT, connections, started
from hdf5_trials import fork_readings, start_server

_MODULES = {
    "hm-data": "hypermagnetics.data.cli",
    "hm-generate": "hypermagnetics.generate.cli",
    "hm-train": "hypermagnetics.train.cli",
    "hm-eval": "hypermagnetics.evaluate.cli",
}
_SHARED = Path(__file__).parents[2] / ".pytest_cache" / "jax" / "shared"
_QUIET_WHEN_LOADING = (0, 10, 2)
"""Version of jaxlib that loads a program without a line about features of the processor."""
_LONGEST_REQUEST = 1 << 20
GARBAGE = (50_000, 20, 50)
"""Garbage is looked for seldom: that took 7 % of CPU time."""
PLATFORMS = "JAX_PLATFORMS"
"""Variable that a forked program takes over as JAX does when it is imported."""


class Command(NamedTuple):
    """A program, and all that its process takes over from the one that starts it."""

    name: str
    arguments: list[str]
    variables: dict[str, str]
    directory: str
    max_open_files: int | None = None


class ForkedProgram:
    """A process of a program, to be used as a `subprocess.Popen` of text."""

    def __init__(self, connection: socket.socket, stdin: int, streams: list[IO[str]]) -> None:
        """Use `start`."""
        self._connection, self._stdin, self._streams = connection, stdin, streams
        self._answers = connection.makefile(encoding="ascii")
        self.pid = int(self._answers.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, if the process has ended."""
        return self._wait(0)

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL, unless the process has ended."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Close the standard input, wait for the end, and return what was written.

        Raises:
            subprocess.TimeoutExpired: If it does not end.
        """
        os.close(self._stdin)
        if self._wait(timeout) is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        self._answers.close()
        self._connection.close()
        output, errors = map(_content, self._streams)
        return output, errors

    def _wait(self, timeout: float) -> int | None:
        if self.returncode is None:
            # select.select takes no descriptor above 1023, and tests map many files.
            answers = select.poll()
            answers.register(self._connection, select.POLLIN)
            if answers.poll(1000 * timeout):
                self.returncode = int(self._answers.readline())
        return self.returncode


def _content(stream: IO[str]) -> str:
    """All that processes have written, of a file that is closed then."""
    with stream:
        stream.seek(0)
        return stream.read()


def start(command: Command) -> ForkedProgram:
    """Start a program."""
    streams: list[IO[str]] = []
    for _ in range(2):
        # Closed with the last of the processes that have it.
        streams.append(tempfile.TemporaryFile("w+", encoding="utf-8"))  # noqa: SIM115
    theirs, ours = os.pipe()
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(_server())
    descriptors = [theirs, *(stream.fileno() for stream in streams)]
    socket.send_fds(connection, [json.dumps(command).encode() + b"\n"], descriptors)
    os.close(theirs)
    return ForkedProgram(connection, ours, streams)


@functools.cache
def _server() -> str:
    """The socket of the server of this process."""
    return started(__file__, start_server())


def shorten_reports(replace: Callable[[str, object], None]) -> None:
    """Let evaluations compile less, and draw their figures without processes that import JAX anew.

    Each subject is timed at two sizes. Sizes and processes have tests of their own.

    Args:
        replace: Sets the attribute of a name, as `pytest.MonkeyPatch.setattr` does.
    """
    for name in ("NUMS_SOURCES", "NUMS_POINTS"):
        replace(f"hypermagnetics.evaluate.timing.sweep.{name}", (10, 100))
    replace("hypermagnetics.evaluate.report.writing.processes_for", lambda figures: 1)


def share_compiled_programs() -> None:
    """Let this process keep compiled programs, however small, where other processes find them.

    JAX writes its files bit by bit, so that another process may read half of one; here each appears
    as a whole. The class that writes them has no public name: without it nothing is shared, nor
    with older versions, which print lines of XLA when they load a program.
    """
    if tuple(map(int, re.findall(r"\d+", version("jaxlib"))[:3])) < _QUIET_WHEN_LOADING:
        return
    try:
        files = importlib.import_module("jax._src.lru_cache")
        cache, ending = files.LRUCache, files._CACHE_SUFFIX
    except (ImportError, AttributeError):
        return

    def put(self: Any, key: str, value: bytes) -> None:
        path = self.path / f"{key}{ending}"
        own = self.path / f"{key}.{os.getpid()}-{threading.get_ident()}"
        own.write_bytes(value)
        own.replace(path)

    cache.put = put
    jax = importlib.import_module("jax")
    jax.config.update("jax_compilation_cache_dir", str(_SHARED))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    # A cache of XLA on GPUs, whose directory would be part of the key of each program.
    jax.config.update("jax_persistent_cache_enable_xla_caches", "none")


def _replace(name: str, value: object) -> None:
    module, _, attribute = name.rpartition(".")
    setattr(importlib.import_module(module), attribute, value)


def _serve(path: str, trials: str) -> None:
    """Fork a process for each connection."""
    for module in _MODULES.values():
        importlib.import_module(module)
    shorten_reports(_replace)
    fork_readings(_replace, lambda: trials)
    share_compiled_programs()
    # Whoever supervises a program is not waited for.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()  # what is imported stays, and need not be looked through or copied
    gc.set_threshold(*GARBAGE)
    sys.path.remove(SUPPORT)  # no program has it
    for connection in (served := connections(path)):
        if os.fork() == 0:
            # The connection stays open for whoever supervises the program.
            own = connection.dup()
            served.close()
            _supervise(own)


def _supervise(connection: socket.socket) -> NoReturn:
    """Fork the program of a connection, and tell its identifier and exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    text, descriptors, _, _ = socket.recv_fds(connection, _LONGEST_REQUEST, 3)
    while not text.endswith(b"\n"):
        text += connection.recv(_LONGEST_REQUEST)
    pid = os.fork()
    if pid == 0:
        connection.close()
        _become(Command(*json.loads(text)), descriptors)
    os.setpgid(pid, pid)
    for descriptor in descriptors:
        os.close(descriptor)
    connection.sendall(b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(command: Command, descriptors: list[int]) -> NoReturn:
    """Run a program to its end, in a process that has just been forked."""
    os.setpgid(0, 0)
    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target)
        os.close(descriptor)
    os.chdir(command.directory)
    if command.max_open_files is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (command.max_open_files, hard))
    os.environ.clear()
    os.environ.update(command.variables)
    jax = importlib.import_module("jax")
    jax.config.update(PLATFORMS.lower(), command.variables[PLATFORMS])
    tempfile.tempdir = None  # a new process looks for it anew
    script = str(Path(sysconfig.get_path("scripts")) / command.name)
    sys.argv = [script, *command.arguments]
    # Processes that the program spawns run its script, not this one.
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.modules["__main__"].__file__ = script
    for directory in filter(None, command.variables.get("PYTHONPATH", "").split(os.pathsep)):
        sys.path.append(directory)
        if (customised := Path(directory) / "sitecustomize.py").exists():
            runpy.run_path(str(customised))
    main = importlib.import_module(_MODULES[command.name]).main
    sys.exit(main())


if __name__ == "__main__":
    _serve(*sys.argv[1:])
