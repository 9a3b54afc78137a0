"""Servers that fork: processes that have imported what is slow, and fork for each connection.

A script of tests that ends in `for connection in connections(PATH)` is started by `started`.
"""

import atexit
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

SUPPORT = str(Path(__file__).parent)
TEMPORARY = tempfile.gettempdir()
"""Of all tests, whatever one of them sets: the path of a socket must be short."""
_READY = b"ready\n"


def started(script: str, *words: str) -> str:
    """Start a server for this process, and end it with this process.

    Args:
        script: Its file, which finds the modules beside it.
        words: Its command line, behind the path of its socket.

    Returns:
        The path of its socket.
    """
    directory = tempfile.mkdtemp(prefix="hypermagnetics-server-", dir=TEMPORARY)
    path = str(Path(directory) / "socket")
    found = os.pathsep.join(filter(None, [SUPPORT, os.environ.get("PYTHONPATH")]))
    server = subprocess.Popen(
        [sys.executable, "-P", script, path, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Bits are promised on CPU.
        env={**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": found},
        process_group=0,
    )
    assert server.stdout is not None
    atexit.register(_stop, server, directory)
    assert server.stdout.readline() == _READY, f"{script} can be imported"
    return path


def _stop(server: "subprocess.Popen[bytes]", directory: str) -> None:
    """Let a server end, and take away its socket."""
    server.communicate()
    shutil.rmtree(directory)


def connections(path: str) -> Iterator[socket.socket]:
    """Listen on a socket until the standard input is closed.

    A process that is forked for a connection closes the iterator.

    Args:
        path: Of the socket.

    Yields:
        Each connection, which is closed afterwards.
    """
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        os.write(1, _READY)
        while 0 not in select.select([0, listener], [], [])[0]:
            connection, _ = listener.accept()
            with connection:
                yield connection
