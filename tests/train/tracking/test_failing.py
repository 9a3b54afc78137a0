"""Trackers that fail, and trackers that cannot be used."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from recording import Recording
from tracked_runs import run_tracked

from hypermagnetics.data import Dataset
from hypermagnetics.errors import RunError
from hypermagnetics.log import SILENT, Listener
from hypermagnetics.train.clock import Clock
from hypermagnetics.train.tracking.pictures import Pictures
from hypermagnetics.train.tracking.tracking import Tracking, refuse_unusable

FORM = (
    r"A tracker must accept the metrics of a run; got .+ \(\w+\)\. The run goes on without it.+\."
)


class Tracker:
    """Keeps what it is told; raises from a step on."""

    def __init__(self, error: BaseException | None = None, from_step: int = 0) -> None:
        self.error, self.from_step = error, from_step
        self.steps: list[int] = []
        self.closed: list[bool] = []

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Keep or raise."""
        if self.error is not None and step >= self.from_step:
            raise self.error
        self.steps.append(step)

    def picture(self, step: int, png: bytes) -> None:
        """Nothing."""

    def close(self, finished: bool) -> None:
        """Remember it."""
        self.closed.append(finished)


def tracking(tiny: Dataset, listener: Listener, **trackers: Tracker) -> Tracking:
    """Tells some trackers."""
    found = Tracking(Pictures(tiny, tiny.split("valid")), Clock(), listener)
    for name, tracker in trackers.items():
        found.add(name, lambda tracker=tracker: tracker)  # type: ignore[misc]
    return found


def test_one_that_fails_is_dropped_and_the_others_go_on(tiny: Dataset) -> None:
    """It is said once, in one line whatever the error says."""
    bad, good = Tracker(OSError("no space\nleft"), from_step=2), Tracker()
    listener = Recording()
    both = tracking(tiny, listener, bad=bad, good=good)
    for step in (1, 2, 3):
        both.scalars({"step": step, "loss": 1.0})
    both.close(finished=True)
    assert (bad.steps, good.steps) == ([1], [1, 2, 3])
    assert (bad.closed, good.closed) == ([False], [True])
    (line,) = listener.told
    assert re.fullmatch(FORM, line)
    assert "OSError: no space left (bad)" in line


def test_an_interruption_is_none_of_its_failures(tiny: Dataset) -> None:
    with pytest.raises(KeyboardInterrupt):
        tracking(tiny, SILENT, one=Tracker(KeyboardInterrupt())).scalars({"step": 1})


def test_time_counts_as_tracking(tiny: Dataset) -> None:
    """So that a person sees what slows a run down."""
    clock = Clock()
    found = Tracking(Pictures(tiny, tiny.split("valid")), clock, SILENT)
    found.add("one", Tracker)
    found.scalars({"step": 1})
    assert clock.shares.seconds["tracking"] > 0


@pytest.mark.slow
def test_a_run_ends_well_where_no_tracker_can_write(tmp_path: Path, tiny: Dataset) -> None:
    """A file stands where the tracker wants a directory."""
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "tracking").write_text("")
    listener = Recording()
    outcome = run_tracked(tmp_path / "r", tiny, "tensorboard", listener=listener)
    assert outcome.progress.step == 20
    (line,) = listener.told
    assert re.fullmatch(FORM, line)
    assert (tmp_path / "r" / "model.hm").is_file()


@pytest.mark.slow
def test_a_tracker_changes_nothing_of_a_run(tmp_path: Path, tiny: Dataset) -> None:
    """Not a bit of the model."""
    run_tracked(tmp_path / "tracked", tiny, "tensorboard")
    run_tracked(tmp_path / "plain", tiny)
    tracked, plain = ((tmp_path / name / "model.hm").read_bytes() for name in ("tracked", "plain"))
    assert tracked == plain


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow"])
def test_one_without_its_package_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    package = "tensorboardX" if name == "tensorboard" else name
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(RunError, match=rf"'{name}' .*pip install 'hypermagnetics\[tracking\]'"):
        refuse_unusable([name])  # type: ignore[list-item]


def test_sending_without_a_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of a job wandb would ask for one."""
    pytest.importorskip("wandb", reason="needs the extra `tracking`")
    monkeypatch.setattr(os, "environ", {"WANDB_MODE": "online"})
    with pytest.raises(RunError, match=r"without WANDB_API_KEY"):
        refuse_unusable(["wandb"])
    os.environ["WANDB_API_KEY"] = "something"
    refuse_unusable(["wandb"])
