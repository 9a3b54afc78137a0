"""Time of a run, by activity."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, NamedTuple

Activity = Literal["steps", "loader", "compiling", "validation", "checkpoints", "tracking"]


@dataclass(frozen=True)
class Shares:
    """Seconds of a process, by activity; compiling stands apart."""

    seconds: dict[Activity, float]

    @property
    def total(self) -> float:
        """Total without compiling [s]."""
        return sum(value for name, value in self.seconds.items() if name != "compiling")

    def of(self, activity: Activity) -> float:
        """Share of an activity in the total without compiling."""
        return self.seconds[activity] / self.total if self.total else 0.0

    def verdict(self, *, has_points: bool) -> str:
        """Bottleneck of the run, in words, with the shares.

        Args:
            has_points: Whether samples have points, of which a step may take fewer.
        """
        names: tuple[Activity, ...] = ("steps", "loader", "validation", "checkpoints", "tracking")
        shares = {name: self.of(name) for name in names}
        smaller = "a faster device or a smaller model"
        if has_points:
            smaller = (
                "a faster device, a smaller model or fewer points a step (data.points_per_step)"
            )
        limits: dict[Activity, str] = {
            "steps": f"computing: the device was busy with steps; {smaller} would shorten it",
            "loader": "the loader: the device waited for data; a faster disk, data.mode 'device' "
            "or data.div_data would shorten it",
            "validation": "validation: raise validation.every, or make the split smaller",
            "checkpoints": "checkpoints: raise checkpoint.every, or write to a faster disk",
            "tracking": "tracking: raise tracking.log_every, or track to fewer places",
        }
        most = max(shares, key=lambda name: shares[name])
        listed = ", ".join(
            f"{'waiting for data' if name == 'loader' else name} {100 * share:.3g} %"
            for name, share in shares.items()
        )
        return (
            f"Limited by {limits[most]}. Time after compiling "
            f"({self.seconds['compiling']:.1f} s): {listed}."
        )


class Reading(NamedTuple):
    """Reading of the clock: the time, and the seconds of each activity so far."""

    time: float
    """Of time.perf_counter [s]."""
    shares: Shares

    def since(self, before: "Reading", activity: Activity) -> float:
        """Seconds of an activity since an earlier reading."""
        return self.shares.seconds[activity] - before.shares.seconds[activity]


class Clock:
    """Adds up the seconds of each activity of a process."""

    def __init__(self) -> None:
        """Start the clock."""
        self._seconds: dict[Activity, float] = dict.fromkeys(
            ("steps", "loader", "compiling", "validation", "checkpoints", "tracking"), 0.0
        )

    def add(self, activity: Activity, seconds: float) -> None:
        """Add seconds of an activity."""
        self._seconds[activity] += seconds

    @contextmanager
    def during(self, activity: Activity) -> Iterator[None]:
        """Count the time of a block."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(activity, time.perf_counter() - start)

    @property
    def shares(self) -> Shares:
        """Seconds so far, by activity."""
        return Shares(dict(self._seconds))

    def read(self) -> Reading:
        """Read the clock."""
        return Reading(time.perf_counter(), self.shares)
