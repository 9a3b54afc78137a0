"""The lines of metrics.jsonl: what a resumed run keeps, and how long it waited."""

import json
import math
import resource
import tracemalloc
from pathlib import Path

import pytest

from hypermagnetics.errors import RunError
from hypermagnetics.run_files import RunFiles, read_metrics
from hypermagnetics.train.metrics_log import MetricsLog, wait_share
from hypermagnetics.train.plotting.history import read_history

UNREADABLE = {
    "a number": b"3",
    "a text": b'"step"',
    "a list": b"[1]",
    "null": b"null",
    "no step": b'{"loss": 1.0}',
    "a step that is none": b'{"step": null}',
    "a step in words": b'{"step": "two"}',
    "torn": b'{"step": 2, "lo',
    "no text": b"\xff",
    "a byte within": b'{"step": 2, "note": "\xff"}',
    "zeros": bytes(64),
    "empty": b"",
    "deep": b"[" * 100_000,
    "a time of no steps": b'{"step": 2, "seconds_per_step": 0.1, "stepr": 4}',
    "steps in words": b'{"step": 2, "seconds_per_step": 0.1, "steps": "4"}',
    "a validation without a loss": b'{"step": 2, "validation": {}}',
    "no validation": b'{"step": 2, "validation": null}',
    "a time that is null": b'{"step": 2, "seconds_per_step": null, "steps": 4}',
    "no number": b'{"step": 2, "loss": NaN}',
    "beyond all numbers": b'{"step": 2, "loss": 1e999}',
    "a step beyond all numbers": b'{"step": 1' + b"0" * 400 + b"}",
    "a wait of any steps": b'{"step": 2, "steps": 1, "seconds_per_step": 1, "wait_share": 0}',
}


@pytest.mark.parametrize("line", UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_line_costs_that_line(
    tmp_path: Path, line: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever a kill or a disk left there; the reader says which one it was."""
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1}\n' + line + b'\n{"step": 3}\n')
    assert [record["step"] for record in read_metrics(path)] == [1, 3]
    assert f"Line 2 of {path} is damaged" in capsys.readouterr().err
    log = MetricsLog(path, 3)
    log.write({"step": 4})
    log.close()
    assert path.read_text() == '{"step": 1}\n{"step": 3}\n{"step": 4}\n'


def test_lines_past_the_checkpoint_are_cut_off(tmp_path: Path) -> None:
    """The steps after it are made again."""
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps({"step": step}) + "\n" for step in range(1, 8)))
    MetricsLog(path, 5).close()
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2, 3, 4, 5]


def test_a_line_that_finds_no_room_fails_once(tmp_path: Path) -> None:
    """When it is written, and not again when the log is closed, in the place of that error."""
    log = MetricsLog(tmp_path / "metrics.jsonl", 0)
    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            log.write({"step": 1, "note": "x" * 2000})
        log.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def window(steps: int, seconds_per_step: float, share: float, compiles: bool) -> str:
    """A line of metrics.jsonl about some steps."""
    record = {
        "step": 1,
        "steps": steps,
        "compiles": compiles,
        "seconds_per_step": seconds_per_step,
        "wait_share": share,
    }
    return json.dumps(record) + "\n"


def test_the_wait_is_a_share_of_the_time_of_compiled_steps(tmp_path: Path) -> None:
    """A process that resumes compiles too; a window counts by its steps and their time."""
    path = tmp_path / "metrics.jsonl"
    path.write_text(
        window(10, 9.0, 0.9, True)
        + window(10, 1.0, 0.5, False)
        + json.dumps({"step": 10, "validation": {"loss": 1.0}})
        + "\n"
        + window(10, 9.0, 0.9, True)
        + window(30, 2.0, 0.1, False)
    )
    assert wait_share(path) == pytest.approx((10 * 1.0 * 0.5 + 30 * 2.0 * 0.1) / (10 + 60))


@pytest.mark.parametrize("lines", [1, 3])
def test_a_run_that_only_compiled_has_a_share_too(tmp_path: Path, lines: int) -> None:
    """Not NaN."""
    path = tmp_path / "metrics.jsonl"
    path.write_text(window(4, 3.0, 0.25, True) * lines)
    share = wait_share(path)
    assert math.isfinite(share)
    assert 0 <= share <= 1


@pytest.mark.slow
def test_a_log_is_read_line_by_line(tmp_path: Path) -> None:
    """In the memory of a line, and drawn in that of its numbers, whoever wrote it."""
    path = RunFiles(tmp_path).metrics
    RunFiles(tmp_path).recipe.write_text("{}")
    lines, values = 2000, 20
    record = {"step": 1} | {f"losses/{number}": 0.5 for number in range(values)}
    path.write_text((json.dumps(record) + "\n") * lines)
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_metrics(path)) == lines
        assert tracemalloc.get_traced_memory()[1] < 300_000
        tracemalloc.reset_peak()
        assert len(read_history(tmp_path).curves) == values + 2
        assert tracemalloc.get_traced_memory()[1] < 2.5 * 16 * lines * values
    finally:
        tracemalloc.stop()


def test_a_log_of_very_many_names_is_not_drawn(tmp_path: Path) -> None:
    """A run logs some dozens."""
    RunFiles(tmp_path).recipe.write_text("{}")
    records = (
        {"step": 1} | {f"losses/{number}": 0.5 for number in range(first, first + 501)}
        for first in (0, 501)
    )
    RunFiles(tmp_path).metrics.write_text("".join(json.dumps(each) + "\n" for each in records))
    with pytest.raises(RunError, match="at most 4194304 numbers of 1000 names; got more"):
        read_history(tmp_path)


def test_of_many_damaged_lines_some_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the number of the others."""
    path = tmp_path / "metrics.jsonl"
    path.write_text("?\n" * 30 + '{"step": 1}\n')
    assert [record["step"] for record in read_metrics(path)] == [1]
    said = capsys.readouterr().err
    assert said.count("is damaged and is left out") == 10
    assert "So are 20 more of its lines." in said
