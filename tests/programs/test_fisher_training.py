"""Fisher information through the programs: a run killed, plotted, swept, and a user's network."""

import re
import signal
from array import array
from pathlib import Path

import pytest
from faults import Fault
from program_runs import assert_refused, contents, invoke, read_lines, run_program, settings
from small_readings import SHORT, small_readings
from user_modules import user_module

from hypermagnetics.train.plotting.figure import figure_of
from hypermagnetics.train.plotting.history import Curve, History, read_history

RECIPE = ("--recipe", "fisher-gaussian", *settings(*SHORT))
NETWORK = """
import equinox as eqx
import jax
import jax.numpy as jnp

from hypermagnetics.config import Config
from hypermagnetics.models import ArrayInputs, ArrayModel


class PowersConfig(Config):
    highest: int = 2


class Powers(ArrayModel):
    weights: jax.Array
    config: PowersConfig = eqx.field(static=True)
    inputs: ArrayInputs = eqx.field(static=True)

    def __init__(self, inputs, key, highest=2):
        self.config, self.inputs = PowersConfig(highest=highest), inputs
        shape = (inputs.target.size, highest, inputs.input.size)
        self.weights = 0.3 * jax.random.normal(key, shape, jnp.float32)

    def apply(self, values):
        powers = jnp.stack([values.reshape(-1) ** (k + 1) for k in range(self.config.highest)])
        return jnp.einsum("skv,kv->s", self.weights, powers)
"""
"""Sums of powers of the readings, with a weight each."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Readings and their derivatives by mean and variance."""
    return small_readings(tmp_path_factory.mktemp("readings")).directory


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_model(data: Path, tmp_path: Path) -> None:
    """With noise that is drawn anew in each step."""
    noise = settings("data.noise={std=1.0, redraw=true, parameter='offset'}")
    command = ("hm-train", data, tmp_path / "run", *RECIPE, *noise)
    fault = Fault("fsync", "KILL", 1, file="step-000000006").variables(tmp_path)
    assert run_program(*command, variables=fault).code == -signal.SIGKILL
    assert not (tmp_path / "run" / "model.hm").exists()
    ran = run_program("hm-train", data, tmp_path / "run", "--resume")
    assert ran.code == 0, ran
    whole = run_program("hm-train", data, tmp_path / "whole", *RECIPE, *noise)
    assert whole.code == 0, whole
    assert "Last validation, det F " in whole.stdout
    for name in ("model.hm", "final.hm"):
        assert contents(tmp_path / "run")[name] == contents(tmp_path / "whole")[name]


@pytest.mark.slow
def test_runs_are_drawn_with_their_information(data: Path, tmp_path: Path) -> None:
    """Losses below 0 on axes that have them; before the first validation, too."""
    run = tmp_path / "run"
    assert invoke("hm-train", data, run, *RECIPE).code == 0
    assert invoke("hm-train", "plot", run).stdout == f"Wrote {run / 'plot.png'}.\n"
    history = read_history(run)
    for name in ("determinant", "covariance_determinant", "scale_strength"):
        assert len(history.curve(f"validation/{name}").values) == 2
        assert len(history.curve(f"fisher/{name}").values) == 4
    loss, terms, validation = figure_of([history]).axes[:3]
    assert validation.get_title() == "Validation: det F, det C, factor r of the scale"
    assert [text.get_text() for text in validation.get_legend().get_texts()] == [
        "det F",
        "det C",
        "r",
    ]
    assert (loss.get_yscale(), validation.get_yscale()) == ("log", "log")
    lines = (run / "metrics.jsonl").read_text()
    (run / "metrics.jsonl").write_text(re.sub(r'"(loss|information)": (\d)', r'"\1": -\2', lines))
    loss, terms, _ = figure_of([read_history(run)]).axes[:3]
    assert (loss.get_yscale(), terms.get_yscale()) == ("linear", "linear")
    assert loss.get_ylim()[0] < min(history.curve("loss").values) * -1
    steps = [line for line in lines.splitlines(keepends=True) if "validation" not in line]
    (run / "metrics.jsonl").write_text("".join(steps))
    assert invoke("hm-train", "plot", run).code == 0


def test_large_losses_of_the_first_steps_do_not_hide_the_others() -> None:
    """As those of IMNN's regulariser."""
    steps = array("d", range(100))
    values = array("d", [1e5 * 0.5**step - 4.0 for step in range(100)])
    history = History("run", {"loss": Curve(steps, values)})
    low, high = figure_of([history]).axes[0].get_ylim()
    assert -5 < low < -4
    assert -4 < high < 1


@pytest.mark.slow
def test_a_sweep_compares_losses(data: Path, tmp_path: Path) -> None:
    """Negative ones, too."""
    keys = tmp_path / "keys.toml"
    keys.write_text('[sweep]\nmethod = "grid"\n[keys]\n"optimiser.clip_norm" = [1.0, 2.0]\n')
    longer = settings("schedule.max_steps=60", "schedule.learning_rate=0.03", "data.noise=null")
    command = ("hm-train", "sweep", "fisher-gaussian", keys, tmp_path / "out", "--data", data)
    ran = invoke(*command, *RECIPE[2:], *longer)
    assert ran.code == 0, ran
    rows = (tmp_path / "out" / "table.csv").read_text().splitlines()
    assert [row.split(",")[1] for row in rows[1:]] == ["finished", "finished"]
    keys.write_text(keys.read_text().replace('"grid"', '"grid"\nmetric = "field"'))
    refused = invoke(*command[:4], tmp_path / "other", *command[5:])
    assert (refused.code, refused.stdout) == (2, "")
    assert "The metric of a sweep must be 'loss' for networks" in refused.complaints[-1]


@pytest.mark.slow
def test_a_network_of_a_user_is_trained(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its summaries are as many as the parameters."""
    with user_module(NETWORK, tmp_path, monkeypatch) as module:
        model = ("--model", f"{module}:Powers", "--set", "model.settings.highest=3")
        changes = settings(*(one for one in SHORT if not one.startswith("model.")))
        run = tmp_path / "run"
        ran = invoke("hm-train", data, run, "--recipe", "fisher-gaussian", *model, *changes)
        assert ran.code == 0, ran
        (*_, last) = read_lines(run / "metrics.jsonl")
        assert len(last["validation"]["information"]) == 2
        refused = invoke("hm-train", data, run, "--resume")
        assert_refused(refused, "must be resumed with the names of that code")
