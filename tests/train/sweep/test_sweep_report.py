"""The tables say what the trials reached, and lines of the picture lie where they should."""

import csv
import io
import itertools
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import rc_context
from program_runs import invoke
from sweep_plans import plan_of

from hypermagnetics.data import Dataset
from hypermagnetics.train.sweep import cli
from hypermagnetics.train.sweep.config import Metric
from hypermagnetics.train.sweep.dimensions import Choices, Dimension, Range
from hypermagnetics.train.sweep.ledger import Trial, ranked
from hypermagnetics.train.sweep.picture import key_axis, metric_axis, parallel_coordinates
from hypermagnetics.train.sweep.report import csv_table, markdown_table, text_table

KEYS: dict[str, Dimension] = {
    "schedule.learning_rate": Range(low=1e-4, high=1e-1, log=True),
    "optimiser.name": Choices(("adam", "a|b")),
    "optimiser.clip_norm": Choices((None, 1.0)),
    "model": Choices(({"name": "linear"}, {"name": "hyper_layer"})),
}


def trials() -> list[Trial]:
    """Sixteen, one of which failed and one of which is not finished."""
    found = []
    lists = [key.values for key in KEYS.values() if isinstance(key, Choices)]
    for number, (rate, *values) in enumerate(itertools.product((1e-3, 1e-2), *lists)):
        record = dict(zip(KEYS, (rate, *values), strict=True))
        loss = 0.1 * ((number * 7) % 16 + 1)
        found.append(
            Trial(
                number=number,
                values=record,
                state="finished",
                step=10,
                loss=loss,
                potential=loss / 10,
                field=1 / loss,
                seconds=1.25,
            )
        )
    nothing = {"step": None, "loss": None, "potential": None, "field": None}
    message = "The loss\nmust be finite; got none."
    found[3] = found[3].model_copy(update={**nothing, "state": "failed", "message": message})
    found[5] = found[5].model_copy(update={**nothing, "state": "open"})
    return found


def test_the_best_comes_first_and_failures_last() -> None:
    for metric in ("loss", "potential", "field"):
        order = ranked(trials(), metric)
        scores = [getattr(trial, metric) for trial in order[:-2]]
        assert scores == sorted(scores)
        assert [trial.state for trial in order[-2:]] == ["open", "failed"]
    assert ranked(trials(), "loss")[0] != ranked(trials(), "field")[0]


def test_the_tables_have_all_trials() -> None:
    order, keys = ranked(trials(), "loss"), list(KEYS)
    rows = list(csv.DictReader(io.StringIO(csv_table(order, keys))))
    assert [int(row["trial"]) for row in rows] == [trial.number for trial in order]
    assert [float(row["loss"]) for row in rows[:-2]] == [trial.loss for trial in order[:-2]]
    assert rows[0]["schedule.learning_rate"] == repr(order[0].values["schedule.learning_rate"])
    assert rows[-1]["message"] == order[-1].message
    text = text_table(order, keys).splitlines()
    assert len(text) == len(order) + 2
    assert len({len(line) for line in text[:-1]}) == 1
    assert text[-1] == "trial 3 failed: The loss must be finite; got none."
    assert order[0].potential is not None
    assert f" {100 * order[0].potential:.3g} " in text[1]
    lines = markdown_table(order, keys).splitlines()
    columns = {line.replace("\\|", "").count("|") for line in lines[: len(order) + 2]}
    assert columns == {len(keys) + 8}


@pytest.mark.slow_cases
@pytest.mark.parametrize("metric", ["loss", "potential", "field"])
def test_a_picture_is_drawn(metric: Metric) -> None:
    """Also of a single trial, whose axes have no length."""
    ended = [trial for trial in trials() if trial.state != "open"]
    for some in (ended, [ranked(ended, metric)[0]]):
        picture = parallel_coordinates(some, KEYS, metric, "title")
        assert picture.startswith(b"\x89PNG")


def test_settings_of_a_user_change_no_picture() -> None:
    ended = [trial for trial in trials() if trial.state != "open"]
    plain = parallel_coordinates(ended, KEYS, "loss", "title")
    with rc_context({"text.usetex": True, "savefig.dpi": 200, "font.size": 30}):
        assert parallel_coordinates(ended, KEYS, "loss", "title") == plain


@given(st.lists(st.floats(1e-4, 1e-1), min_size=2, unique=True), st.booleans())
def test_numbers_lie_in_their_order(values: list[float], log: bool) -> None:
    axis = key_axis("a.b", Range(low=1e-4, high=1e-1, log=log))
    heights = [axis.height(value, 0.5) for value in sorted(values)]
    assert heights == sorted(heights)
    assert all(-1e-9 <= height <= 1 + 1e-9 for height in heights)
    middle = math.sqrt(1e-4 * 1e-1) if log else (1e-4 + 1e-1) / 2
    assert axis.height(middle, 0.5) == pytest.approx(0.5)
    ticks = [height for height, _ in axis.ticks]
    assert ticks == sorted(ticks)
    assert (ticks[0], ticks[-1]) == pytest.approx((0, 1))


@given(st.integers(1, 60))
def test_choices_lie_apart(count: int) -> None:
    """No line of one value comes to lie in the bar of another, and labels keep their distance."""
    axis = key_axis("seed", Choices(tuple(reversed(range(count)))))
    ends = [axis.height(value, rank) for value in range(count) for rank in (0.0, 1.0)]
    assert ends == sorted(ends)
    assert 0 <= ends[0] < ends[-1] <= 1
    assert 1 <= sum(bool(label) for _, label in axis.ticks) <= 30


def test_errors_far_apart_have_a_logarithmic_axis() -> None:
    assert metric_axis("", [0.01, 1.0]).height(0.1, 0.5) == pytest.approx(0.5)
    assert metric_axis("", [1.0, 2.0]).height(1.5, 0.5) == pytest.approx(0.5)
    assert metric_axis("", [0.0, 2.0]).height(1.0, 0.5) == pytest.approx(0.5)
    assert metric_axis("", [0.3]).height(0.3, 0.5) == 0.5


def test_what_comes_next_names_a_model_of_a_user(
    tmp_path: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As hm-eval would not read it otherwise; that of the best trial."""
    file = tmp_path / "sweep.toml"
    models = '[{name = "linear"}, {name = "my_models:Waves", settings = {}}]'
    file.write_text(f'[sweep]\nmethod = "grid"\n[keys]\nmodel = {models}\n', encoding="utf-8")
    for best in (0, 1):
        plan = plan_of(file.read_text(), tmp_path, tiny)
        trials = [
            Trial(number=n, values=dict(values), state="finished", step=1, loss=abs(n - best))
            for n, values in enumerate(plan.combinations())
        ]
        monkeypatch.setattr(cli, "sweep", lambda *_, found=trials, **__: found)
        (tmp_path / "out").mkdir(exist_ok=True)
        ran = invoke("hm-train", "sweep", "demo", file, tmp_path / "out", "--data", tiny.directory)
        assert ran.code == 0, ran
        more = " --model my_models:Waves" if best else ""
        run = tmp_path / "out" / f"trial-000{best}"
        assert ran.stdout.splitlines()[-1] == f"Next: hm-eval {run} {tiny.directory}{more}"
