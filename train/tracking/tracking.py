"""All trackers of a run at once, none of which can end it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from pydantic import JsonValue

from hypermagnetics.models import Model
from hypermagnetics.train.clock import Clock
from hypermagnetics.train.tracking.pictures import Pictures
from hypermagnetics.train.tracking.tracker import Tracker
from hypermagnetics.train.validation import Validation

_NO_SCALARS = {"step", "steps"}
"""Keys of a line of metrics.jsonl that are labels, not metrics."""


class Tracking:
    """Forwards the progress of a run to every tracker, and drops one that fails.

    metrics.jsonl is the reference; trackers are for display only.
    """

    def __init__(self, pictures: Pictures, clock: Clock, tell: Callable[[str], None]) -> None:
        """Start without trackers.

        Args:
            pictures: Pictures of validations.
            clock: Clock of the process.
            tell: Called once for each tracker that fails.
        """
        self._pictures, self._clock, self._tell = pictures, clock, tell
        self._trackers: dict[str, Tracker] = {}
        self._draws = True

    def add(self, name: str, begin: Callable[[], Tracker]) -> None:
        """Open a tracker."""
        with self._clock.during("tracking"):
            try:
                self._trackers[name] = begin()
            except Exception as error:
                self._complain(name, error)

    def scalars(self, record: Mapping[str, JsonValue]) -> None:
        """Pass on a line of metrics.jsonl."""
        step, values = record["step"], dict(_numbers(record))
        assert isinstance(step, int), "every line has its step"
        self._each(lambda tracker: tracker.scalars(step, values))

    def picture(self, step: int, model: Model, found: Validation) -> None:
        """Draw the prediction of a model after a step, and pass it on."""
        if not (self._trackers and self._draws):
            return
        try:
            png = self._pictures.draw(step, model, found, self._clock)
        except Exception as error:
            self._draws = False
            self._complain("pictures", error)
        else:
            self._each(lambda tracker: tracker.picture(step, png))

    def close(self, finished: bool) -> None:
        """Close all trackers; `finished` says whether the run has come to its end."""
        self._each(lambda tracker: tracker.close(finished))
        self._trackers = {}

    def _each(self, act: Callable[[Tracker], None]) -> None:
        with self._clock.during("tracking"):
            for name, tracker in list(self._trackers.items()):
                try:
                    act(tracker)
                except Exception as error:
                    del self._trackers[name]
                    self._complain(name, error)
                    # What it holds open is let go, if that still works.
                    with suppress(Exception):
                        tracker.close(False)

    def _complain(self, name: str, error: Exception) -> None:
        what = " ".join(str(error).split())[:300]
        self._tell(
            f"Tracking must take what it is told; got {type(error).__name__}: {what} ({name}). "
            "The run goes on without it; metrics.jsonl has all numbers."
        )


def _numbers(record: Mapping[str, JsonValue], above: str = "") -> Iterator[tuple[str, float]]:
    """Numbers of a line under their names, as in validation/loss."""
    for name, value in record.items():
        if name in _NO_SCALARS:
            continue
        if isinstance(value, dict):
            yield from _numbers(value, f"{above}{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield above + name, float(value)
