"""Drawing of figures in several processes, which takes most of the time of a report."""

import os
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future

from hypermagnetics.child_processes import child_pool
from hypermagnetics.evaluate.report.drawn import Drawn, Note, Task

_FIGURES_PER_PROCESS = 16
"""Least figures per process; fewer do not make up for its start of some seconds."""
_MOST_PROCESSES = 8
_AHEAD = 64
"""Most figures queued at a time, so that values of some are computed while others are drawn."""


def processes_for(figures: int) -> int:
    """Number of processes for a number of figures; 1 is this process alone."""
    cores = len(os.sched_getaffinity(0))
    return max(min(cores, _MOST_PROCESSES, figures // _FIGURES_PER_PROCESS), 1)


def drawn_in_order(
    everything: Iterable[Task | Drawn | Note], processes: int = 1
) -> Generator[Drawn | Note, None, None]:
    """Draw the figures of a report in order.

    Args:
        everything: Figures to be drawn, drawn figures, and notes.
        processes: Number of processes; 1 is this process alone.

    Yields:
        The same, drawn, in the same order, however many processes there are.
    """
    if processes == 1:
        for one in everything:
            yield one if isinstance(one, Drawn | Note) else one()
        return
    with child_pool(processes) as submit:
        waiting: deque[Drawn | Note | Future[Drawn]] = deque()
        for one in everything:
            waiting.append(one if isinstance(one, Drawn | Note) else submit(one))
            if len(waiting) > _AHEAD:
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())


def _result(one: Drawn | Note | Future[Drawn]) -> Drawn | Note:
    return one.result() if isinstance(one, Future) else one
