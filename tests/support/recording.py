"""Listener that keeps the progress of an activity, and may stand for a process that dies."""


class Killed(Exception):
    """Stands for a process that ends without warning."""


class Recording:
    """Keeps everything; raises once some units are done."""

    def __init__(self, until: int | None = None, error: type[BaseException] = Killed) -> None:
        self.until, self.error = until, error
        self.skipped = 0
        self.counts: list[int] = []
        self.notes: list[str] = []
        self.told: list[str] = []

    @property
    def total(self) -> int:
        """All units, those of an earlier process included."""
        return self.skipped + sum(self.counts)

    def skip(self, count: int) -> None:
        """Keep it."""
        self.skipped += count

    def advance(self, count: int, note: str = "") -> None:
        """Keep it, or raise."""
        self.counts.append(count)
        self.notes.append(note)
        if self.until is not None and self.total >= self.until:
            raise self.error

    def tell(self, text: str) -> None:
        """Keep it."""
        self.told.append(text)
