"""When a run ends, and runs that go on after their end."""

from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from small_trainings import Killed, metrics, run, small_recipe

from hypermagnetics.data import Dataset
from hypermagnetics.train.checkpoint import Reached
from hypermagnetics.train.config import changed_keys
from hypermagnetics.train.loop import reason_to_end

AVERAGED = ("optimiser.ema_decay=0.9", "compute.chunks=3")
PHASES = (
    "schedule={phases=["
    "{steps=9, learning_rate=0.003},"
    "{steps=20, learning_rate=0.001, optimiser={name='lion'}, freeze=['trunk'], "
    "weights={field=0.0}}]}"
)


@pytest.mark.parametrize(
    ("overrides", "first"),
    [
        pytest.param((), 10, marks=pytest.mark.slow),
        pytest.param(AVERAGED, 13, marks=pytest.mark.slow),
        pytest.param((PHASES, "compute.steps_per_dispatch=4"), 11, marks=pytest.mark.slow),
    ],
    ids=["at a validation", "between two", "in the second phase"],
)
def test_a_finished_run_goes_on_as_if_it_had_never_ended(
    tmp_path: Path, tiny: Dataset, overrides: tuple[str, ...], first: int
) -> None:
    """More steps, asked for later or at once, end with the same bytes and the same validations."""
    later = "schedule.max_steps=20"
    decay = () if PHASES in overrides else (f"schedule.decay_steps={first}",)
    whole = small_recipe(*overrides, later, *decay)
    run(whole, tiny, tmp_path / "whole")
    part = small_recipe(*overrides, f"schedule.max_steps={first}")
    assert changed_keys(part.resolved, whole.resolved) == ()
    outcome = run(part, tiny, tmp_path / "parts")
    assert outcome.ending == f"the last step, {first}, was reached"
    run(whole, tiny, tmp_path / "parts")
    for name in ("model.hm", "final.hm"):
        files = [(tmp_path / where / name).read_bytes() for where in ("whole", "parts")]
        assert files[0] == files[1], name
    assert validations(tmp_path / "whole") == validations(tmp_path / "parts")
    # Nothing is forgotten of a run that is over and stays so.
    run(part, tiny, tmp_path / "part")
    assert run(part, tiny, tmp_path / "part").validation is None
    assert validations(tmp_path / "part")[-1]["step"] == first


def validations(directory: Path) -> list[dict[str, object]]:
    """Their lines of metrics.jsonl."""
    return [line for line in metrics(directory) if "validation" in line]


@pytest.mark.slow
def test_the_rate_that_is_told_is_that_of_the_last_step(tmp_path: Path, tiny: Dataset) -> None:
    """Also where the steps of a line begin in one phase and end in the next."""
    run(small_recipe(PHASES, "schedule.max_steps=12"), tiny, tmp_path / "r")
    told = {line["step"]: line.get("learning_rate") for line in metrics(tmp_path / "r")[::-1]}
    rates = [told[step] for step in (8, 10, 12)]
    assert rates == pytest.approx([0.003, 0.001, 0.001])


@pytest.mark.slow
def test_a_run_without_progress_ends(tmp_path: Path, tiny: Dataset) -> None:
    """After `patience` validations without a new best loss, and not before `min_steps`."""
    far = ("schedule.learning_rate=0.5", "schedule.max_steps=400", "validation.patience=2")
    outcome = run(small_recipe(*far), tiny, tmp_path / "r")
    assert outcome.ending == "2 validations had no new best loss (validation.patience 2)"
    best, step = outcome.progress.best_step, outcome.progress.step
    assert step < 400
    assert step - (best or 0) == 10
    assert outcome.model_step == best
    again = run(small_recipe(*far), tiny, tmp_path / "r")
    assert (again.ending, again.validation) == (outcome.ending, None)
    more = small_recipe(*far, f"validation.min_steps={step + 7}")
    assert run(more, tiny, tmp_path / "r").progress.step >= step + 7


@pytest.mark.slow
def test_a_run_ends_after_some_minutes(
    tmp_path: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time of all its processes counts, here half a minute for each step."""
    for minutes, step in ((3, 6), (4, 8)):
        clock = SimpleNamespace(monotonic=count(100.0, 30.0).__next__)
        monkeypatch.setattr("hypermagnetics.train.loop.time", clock)
        recipe = small_recipe(f"schedule.max_minutes={minutes}")
        outcome = run(recipe, tiny, tmp_path / "r")
        assert outcome.ending == f"{minutes} minutes of training were over"
        assert (outcome.progress.step, outcome.progress.seconds) == (step, 60 * minutes)
        assert (tmp_path / "r" / "model.hm").exists()
    later = small_recipe("schedule.max_minutes=60.0")
    assert run(later, tiny, tmp_path / "r").ending == "the last step, 20, was reached"
    assert metrics(tmp_path / "r")[-1]["step"] == 20


@pytest.mark.slow
def test_the_model_is_never_from_beyond_the_end(tmp_path: Path, tiny: Dataset) -> None:
    """A better one that was found after the checkpoint is forgotten with its step."""
    whole = small_recipe("schedule.max_steps=40", "schedule.decay_steps=40")
    with pytest.raises(Killed):
        run(whole, tiny, tmp_path / "killed", kill_at=18)
    shorter = small_recipe("schedule.max_steps=10", "schedule.decay_steps=40")
    outcome = run(shorter, tiny, tmp_path / "killed")
    assert outcome.model_step == outcome.progress.best_step
    assert outcome.model_step <= 10
    run(shorter, tiny, tmp_path / "undisturbed")
    files = [(tmp_path / name / "model.hm").read_bytes() for name in ("killed", "undisturbed")]
    assert files[0] == files[1]


def test_patience_counts_validations() -> None:
    """From the best one on, and at none but them: a signal may come between two."""
    patient = ("validation.patience=3", "validation.min_steps=18", "schedule.max_steps=30")
    recipe = small_recipe(*patient)
    ended = [
        reason_to_end(recipe, Reached(step=step, best_step=best, best_loss=1.0)) is not None
        for step, best in ((10, 0), (15, 0), (18, 0), (19, 0), (25, 10), (25, 15), (30, 30))
    ]
    assert ended == [False, False, False, False, True, False, True]
