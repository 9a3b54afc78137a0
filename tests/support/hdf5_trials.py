"""The first reading of HDF5 files, by processes forked from one that has imported h5py.

Opening a dataset of others starts an interpreter for `hypermagnetics.data.hdf5_trial`, and hundreds
of tests open one. Forked, the same script takes milliseconds instead of a fifth of a second: still
a process for each reading, which may hang or crash, with its own limits of memory and time.

    python -P hdf5_trials.py SOCKET SCRIPT

serves whoever connects to the socket, as long as its standard input is open.
"""

import functools
import json
import os
import runpy
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from fork_server import connections, started

_MOST_BYTES = 1 << 16
_MOST_FILES = 64


@functools.cache
def start_server() -> str:
    """The socket of a process that has imported the script and h5py, for all of this process."""
    from hypermagnetics.data import hdf5_reading

    return started(__file__, str(hdf5_reading._SCRIPT))


def fork_readings(replace: Callable[[str, object], None], server: Callable[[], str]) -> None:
    """Let this process fork the first readings, and start what else it starts.

    Args:
        replace: Sets the attribute of a name, as `pytest.MonkeyPatch.setattr` does.
        server: Gives the socket of a server.
    """
    from hypermagnetics.child_processes import Ended, run_script
    from hypermagnetics.data import hdf5_reading

    shipped = hdf5_reading._SCRIPT

    def run(
        script: Path, words: Sequence[str], descriptors: Sequence[int], seconds: float
    ) -> Ended:
        if script != shipped:
            return run_script(script, words, descriptors, seconds)
        return Ended(*_fork(server(), words, descriptors))

    replace("hypermagnetics.data.hdf5_reading.run_script", run)


def _fork(path: str, words: Sequence[str], descriptors: Sequence[int]) -> tuple[int, str, str]:
    """Run the script, for which descriptors are the last words of its command line."""
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as output,
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints,
        socket.socket(socket.AF_UNIX) as connection,
    ):
        own = list(words[: len(words) - len(descriptors)])
        files = [output.fileno(), complaints.fileno(), *descriptors]
        connection.connect(path)
        socket.send_fds(connection, [json.dumps(own).encode()], files)
        code = int(connection.recv(_MOST_BYTES))
        output.seek(0)
        complaints.seek(0)
        return code, output.read(), complaints.read()


def _serve(path: str, script: str) -> None:
    """Fork a reading for each connection, one after another."""
    main = runpy.run_path(script)["main"]
    for connection in (served := connections(path)):
        text, descriptors, _, _ = socket.recv_fds(connection, _MOST_BYTES, _MOST_FILES)
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            served.close()
            for target, descriptor in enumerate(descriptors[:2], 1):
                os.dup2(descriptor, target)
            seconds, memory, _ = json.loads(text)
            sys.argv = [script, seconds, memory, str(parent), *map(str, descriptors[2:])]
            main()
            return
        for descriptor in descriptors:
            os.close(descriptor)
        _, status = os.waitpid(pid, 0)
        with suppress(BrokenPipeError):  # a program that was killed meanwhile
            connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())


if __name__ == "__main__":
    _serve(*sys.argv[1:])
