"""The first reading of HDF5 files, by processes forked from one that has imported h5py.

Opening a dataset of others starts an interpreter for `hypermagnetics.data.hdf5_trial`, and hundreds
of tests open one. Forked, the same script takes milliseconds instead of a fifth of a second: still
a process for each reading, which may hang or crash, with its own limits of memory and time.

    python -P hdf5_trials.py SCRIPT SOCKET

serves one process of tests, as long as that has the other end of the socket.
"""

import atexit
import functools
import json
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_MOST_BYTES = 1 << 16
_MOST_FILES = 64


class _Server(NamedTuple):
    process: "subprocess.Popen[bytes]"
    ours: socket.socket
    lock: threading.Lock


@functools.cache
def _server(script: Path) -> _Server:
    """The process that has imported what a script does."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(script), str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            process_group=0,
        )
    atexit.register(_stop, process, ours)
    return _Server(process, ours, threading.Lock())


def _stop(process: "subprocess.Popen[bytes]", ours: socket.socket) -> None:
    ours.close()
    process.wait()


def run_forked(
    script: Path, words: Sequence[str], descriptors: Sequence[int]
) -> tuple[int, str, str]:
    """Run the `main` of a script, for which descriptors are the last words of its command line.

    Args:
        script: The file.
        words: Its command line: seconds, bytes, its parent, and the descriptors.
        descriptors: Open files that it inherits.

    Returns:
        Its exit code, output, and complaints.
    """
    server = _server(script)
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as output,
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints,
    ):
        own = list(words[: len(words) - len(descriptors)])
        files = [output.fileno(), complaints.fileno(), *descriptors]
        with server.lock:
            socket.send_fds(server.ours, [json.dumps(own).encode()], files)
            code = int(server.ours.recv(_MOST_BYTES))
        output.seek(0)
        complaints.seek(0)
        return code, output.read(), complaints.read()


def _serve(script: str, connection: socket.socket) -> None:
    """Fork a process for each request, until there are no more."""
    main = runpy.run_path(script)["main"]
    while True:
        text, descriptors, _, _ = socket.recv_fds(connection, _MOST_BYTES, _MOST_FILES)
        if not text:
            return
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            connection.close()
            for target, descriptor in enumerate(descriptors[:2], 1):
                os.dup2(descriptor, target)
            seconds, memory, _ = json.loads(text)
            sys.argv = [script, seconds, memory, str(parent), *map(str, descriptors[2:])]
            main()
            return
        for descriptor in descriptors:
            os.close(descriptor)
        _, status = os.waitpid(pid, 0)
        connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())


if __name__ == "__main__":
    _serve(sys.argv[1], socket.socket(fileno=int(sys.argv[2])))
