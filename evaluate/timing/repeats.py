"""One call, timed several times."""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

Clock = Callable[[], float]
"""Seconds since an arbitrary moment."""

_LEAST_REPEATS, _MOST_REPEATS = 3, 7
_SECONDS = 0.12
"""[s]. No repeat beyond the least number begins later, as slow calls are steady enough."""
_SLOW = 0.5
"""[s]. A call that takes longer is not repeated."""


@dataclass(frozen=True)
class Repeats:
    """Time of a call over its repeats [s]."""

    median: float
    spread: float
    """Half the distance between the quartiles; NaN for one repeat alone."""
    count: int


def timed(call: Callable[[], object], clock: Clock) -> Repeats:
    """Time a blocking call, after a first one to compile and warm up.

    Args:
        call: The call; it ends only when its work is done.
        clock: Reads the time [s].

    Returns:
        Its time, from three to seven repeats, as many as begin within 0.12 seconds; or from one
        call alone that takes more than half a second.
    """
    call()
    seconds: list[float] = []
    while _goes_on(seconds):
        start = clock()
        call()
        seconds.append(clock() - start)
    if len(seconds) == 1:
        return Repeats(seconds[0], math.nan, 1)
    low, median, high = statistics.quantiles(seconds, n=4, method="inclusive")
    return Repeats(median, (high - low) / 2, len(seconds))


def _goes_on(seconds: list[float]) -> bool:
    if not seconds or (len(seconds) < _LEAST_REPEATS and sum(seconds) < _SLOW):
        return True
    return len(seconds) < _MOST_REPEATS and sum(seconds) < _SECONDS
