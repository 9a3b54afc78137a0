"""Progress on stderr, as where it is no terminal and as on one."""

import io
import sys
from collections.abc import Callable
from typing import Any

import pytest

from hypermagnetics.log import SILENT, Listener, Progress, courtesy_stream, progress, say


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """A function that takes the lines written so far."""
    return lambda: capsys.readouterr().err.splitlines()


@pytest.fixture
def pass_seconds(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A function that moves the clock of the progress."""
    now = [0.0]
    monkeypatch.setattr("hypermagnetics.log.time.monotonic", lambda: now[0])

    def move(seconds: float) -> None:
        now[0] += seconds

    return move


def test_an_earlier_process_says_nothing_about_the_speed(
    lines: Callable[[], list[str]], pass_seconds: Callable[[float], None]
) -> None:
    with Progress("hm-train", 100, "steps") as shown:
        shown.skip(60)
        pass_seconds(10)
        shown.advance(20, "loss 0.5")
        assert lines() == ["hm-train: 80/100 steps, 2 steps/s, 10 s left, loss 0.5"]


def test_messages_after_the_last_unit_stand_below_it(
    lines: Callable[[], list[str]], pass_seconds: Callable[[float], None]
) -> None:
    """The rate is that of the units alone, and the last line comes once."""
    with Progress("hm-eval", 4, "samples") as shown:
        pass_seconds(2)
        shown.advance(4)
        shown.tell("drawing the report ...")
        pass_seconds(100)
    assert lines() == [
        "hm-eval: 4/4 samples, 2 samples/s, 0 s left",
        "hm-eval: drawing the report ...",
    ]


def test_an_error_ends_without_a_line(lines: Callable[[], list[str]]) -> None:
    """The message of the error is the last one."""

    def fail() -> None:
        with Progress("hm-data", 4, "samples") as shown:
            shown.advance(1)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert lines() == []


def test_a_bar_counts_like_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal: skipped units are in the number, not in the rate."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with Progress("hm-train", 100, "steps") as shown:
        shown.advance(5)
        shown.skip(60)
        assert (shown._bar.n, shown._bar.initial) == (65, 60)
        shown.advance(35, "loss 0.5")
        assert shown._bar.n == 100
        shown.tell("below")
    text = terminal.getvalue()
    assert "100/100" in text
    assert "loss 0.5" in text
    assert text.endswith("hm-train: below\n")


@pytest.mark.parametrize("quiet", [True, False])
def test_quiet_progress_is_silent(lines: Callable[[], list[str]], quiet: bool) -> None:
    with progress("train", 2, "steps", quiet=quiet) as listener:
        assert isinstance(listener, Listener)
        assert (listener is SILENT) is quiet
        listener.skip(1)
        listener.advance(1)
        listener.tell("something")
    assert bool(lines()) is not quiet


class WithoutReader(io.TextIOBase):
    """Stands in the place of stderr, and has no number."""

    def write(self, text: str) -> int:
        """Fail as a pipe does."""
        raise BrokenPipeError


@pytest.mark.parametrize("stream", [None, WithoutReader()])
def test_any_stderr_will_do(monkeypatch: pytest.MonkeyPatch, stream: io.TextIOBase | None) -> None:
    monkeypatch.setattr(sys, "stdout", stdout := io.StringIO())
    monkeypatch.setattr(sys, "stderr", stream)
    say("a line")
    with Progress("hm-train", 2, "steps") as shown:
        shown.advance(2)
    assert stdout.getvalue() == ""


def test_prints_of_users_have_a_whole_stream(capfd: pytest.CaptureFixture[str]) -> None:
    """What a module of a user may ask of its stdout."""
    stream: Any = courtesy_stream()
    print("a line", file=stream, flush=True)
    assert stream.fileno() == sys.stderr.fileno()
    assert stream.encoding == sys.stderr.encoding
    stream.reconfigure(line_buffering=True)
    stream.buffer.write(b"bytes\n")
    stream.buffer.flush()
    assert capfd.readouterr() == ("", "a line\nbytes\n")
