"""Failures of the device that JAX computes on: its memory is full, or it is gone."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import jax

from hypermagnetics.errors import DeviceError

_FULL = "RESOURCE_EXHAUSTED"
_GONE = ("UNAVAILABLE", "CUDA_ERROR", "hipError", "ABORTED", "DATA_LOSS")
"""Words of XLA's messages about a device that does not answer any more."""


@contextmanager
def device_failures_named(task: str, smaller: str, again: str) -> Iterator[None]:
    """Turn a failure of the device into an error with its remedy.

    Args:
        task: The work that failed, as in "A training".
        smaller: How to need less memory, a sentence without its full stop.
        again: How to go on once the device is there again, likewise.

    Raises:
        DeviceError: In place of an error of XLA that says that memory is full or the device gone.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        message = " ".join(str(error).split())
        device = jax.local_devices()[0].device_kind
        if _FULL in message:
            raise DeviceError(
                f"{task} must fit into the memory of the device; got {_asked(message)} ({device}). "
                f"{smaller}."
            ) from error
        if any(word in message for word in _GONE):
            raise DeviceError(
                f"The device must answer until the work is done; got {message[:300]} ({device}). "
                f"{again}."
            ) from error
        raise


def _asked(message: str) -> str:
    """The memory that was asked for, as XLA's message says; else the message itself."""
    found = re.search(r"allocat\w* ([\d.]+ ?\w*i?B|\d+ bytes)", message)
    return f"no room for {found[1]}" if found else message[:300]
