"""Failures of the device that JAX computes on: its memory is full, or it is gone."""

import math
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import jax

from hypermagnetics.errors import DeviceError

_FULL = ("RESOURCE_EXHAUSTED", "OUT_OF_MEMORY", "_ALLOC_FAILED", "_NOT_INITIALIZED")
"""Words of XLA's messages about memory. A library of CUDA that finds no room when it starts says
that it was not initialised."""
_GONE = (
    *("UNAVAILABLE", "ABORTED", "DATA_LOSS"),
    *("CUDA_ERROR", "CUBLAS_STATUS", "CUDNN_STATUS", "CUSOLVER_STATUS", "hipError"),
)
"""Words of XLA's messages about a device that does not answer any more."""
_BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_MOST = 2**10
"""The largest factor by which a message advises to do less at once."""


@contextmanager
def device_failures_named(task: str, smaller: Callable[[int], str], again: str) -> Iterator[None]:
    """Turn a failure of the device into an error with its remedy.

    Args:
        task: The work that failed, as in "A training".
        smaller: How to need less memory by a factor, a sentence without its full stop.
        again: How to go on once the device is there again, likewise.

    Raises:
        DeviceError: In place of an error of XLA that says that memory is full or the device gone.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        message = " ".join(str(error).split())
        device = jax.local_devices()[0]
        if any(word in message for word in _FULL):
            asked = re.search(r"allocat\w* ([\d.]+) ?([KMGT]?i?B|bytes)", message)
            got = f"no room for {asked[1]} {asked[2]}" if asked else message[:300]
            number = float(asked[1]) * _BYTES.get(asked[2], 1) if asked else 0.0
            raise DeviceError(
                f"{task} must fit into the memory of the device; got {got} "
                f"({device.device_kind}). {smaller(_factor(number, device))}."
            ) from error
        if any(word in message for word in _GONE):
            raise DeviceError(
                f"The device must answer until the work is done; got {message[:300]} "
                f"({device.device_kind}). {again}."
            ) from error
        raise


def failures_of_program_named() -> AbstractContextManager[None]:
    """`device_failures_named` around a whole program, for work that names no remedy of its own."""
    return device_failures_named(
        "The program",
        lambda _: (
            "End other programs on that device, let JAX take no more of it than it needs "
            "(XLA_PYTHON_CLIENT_PREALLOCATE=false), or compute on the CPU (JAX_PLATFORMS=cpu)"
        ),
        "Once it is there again, give the same command",
    )


def _factor(asked: float, device: jax.Device) -> int:
    """Power of two, at least 2, by which the memory asked for [bytes] must shrink to fit."""
    known = device.memory_stats() or {}
    free = known.get("bytes_limit", 0) - known.get("bytes_in_use", 0)
    if asked <= 0 or free <= 0:
        return 2
    needed: int = 2 ** max(math.ceil(math.log2(asked / free)), 1)
    return min(needed, _MOST)
