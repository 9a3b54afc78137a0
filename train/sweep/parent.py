"""End of a trial's process with the process that started it."""

import os
import signal
import threading


def stop_with_parent() -> None:
    """Send this process SIGTERM as soon as its standard input, held by its parent, is closed.

    A sweep that is killed would else leave a training behind that is not recorded, and that keeps
    the accelerator busy. SIGTERM makes a checkpoint, from which another process goes on.
    """
    threading.Thread(target=_wait_and_stop, daemon=True).start()


def _wait_and_stop() -> None:
    # Not sys.stdin, whose lock a thread must not hold while the interpreter ends.
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
