"""Figures drawn by several processes, which takes most of the time of a report."""

import os
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future

from hypermagnetics.child_processes import child_pool
from hypermagnetics.evaluate.report.drawn import Drawn, Note, Task

_FIGURES_PER_PROCESS = 16
"""A process that draws fewer does not make up for its start, some seconds."""
_MOST_PROCESSES = 8
_AHEAD = 64
"""Figures that wait or are drawn already before the first of them is taken. What computes their
values goes on meanwhile."""


def processes_for(figures: int) -> int:
    """How many processes should draw so many figures; 1 for none but this one."""
    cores = len(os.sched_getaffinity(0))
    return max(min(cores, _MOST_PROCESSES, figures // _FIGURES_PER_PROCESS), 1)


def drawn_in_order(
    everything: Iterable[Task | Drawn | Note], processes: int = 1
) -> Generator[Drawn | Note, None, None]:
    """Draw what is still to be drawn.

    Args:
        everything: Figures to be drawn, figures, and notes.
        processes: How many processes draw; with 1 it is this one.

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
