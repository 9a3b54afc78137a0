"""What is proposed: every combination once, or what Optuna learns from the trials before."""

import math
from collections.abc import Sequence
from pathlib import Path

from sweep_plans import GRID, OPTUNA, plan_of

from hypermagnetics.data import Dataset
from hypermagnetics.train.sweep.ledger import Trial
from hypermagnetics.train.sweep.plan import Plan
from hypermagnetics.train.sweep.search import search_of

KEYS = """[keys]
schedule.learning_rate = {low = 1e-5, high = 1.0, log = true}
schedule.warmup_fraction = {low = 0.0, high = 0.9, step = 0.3}
model.width = {low = 4, high = 64, int = true}
optimiser.clip_norm = ["null", 1.0, 2.0]
"""


def trial(number: int, values: object, loss: float | None) -> Trial:
    """A trial that has ended, failed without a loss."""
    state = "failed" if loss is None else "finished"
    return Trial.model_validate({"number": number, "values": values, "state": state, "loss": loss})


def loss_of(number: int, values: dict[str, object]) -> float | None:
    """Best at a learning rate of 0.01; large ones fail."""
    rate = float(str(values["schedule.learning_rate"]))
    return None if rate > 0.1 else abs(math.log(rate / 0.01)) + 0.01 * (number % 3)


def all_proposals(plan: Plan, count: int, before: Sequence[Trial] = ()) -> list[Trial]:
    """The trials of one process after another that went so far."""
    trials, propose = list(before), search_of(plan)
    for number in range(len(trials), count):
        values = dict(propose(number, trials))
        trials.append(trial(number, values, loss_of(number, values)))
    return trials


def test_a_grid_has_every_combination_once(tmp_path: Path, tiny: Dataset) -> None:
    """The last key changes fastest."""
    plan = plan_of(f"{GRID}[keys]\nseed = [3, 1]\nmodel.width = [8, 4]", tmp_path, tiny)
    propose = search_of(plan)
    found = [tuple(propose(number, ()).values()) for number in range(plan.num_trials)]
    assert found == [(3, 8), (3, 4), (1, 8), (1, 4)]


def test_optuna_proposes_the_same_again_and_after_a_kill(tmp_path: Path, tiny: Dataset) -> None:
    plan = plan_of(OPTUNA + KEYS, tmp_path, tiny)
    whole = all_proposals(plan, 16)
    assert all_proposals(plan, 16) == whole
    assert all_proposals(plan, 16, whole[:12]) == whole
    assert len({str(found.values) for found in whole}) == 16
    other = plan_of(OPTUNA + "seed = 1\n" + KEYS, tmp_path, tiny)
    assert all_proposals(other, 1)[0].values != whole[0].values


def test_optuna_stays_in_the_ranges_and_learns(tmp_path: Path, tiny: Dataset) -> None:
    """Two of the five decades lie within a factor of ten of the best: chance would find 16 of 40.

    A fifth of the range fails, which must drive proposals away and not be forgotten.
    """
    plan = plan_of(OPTUNA + KEYS, tmp_path, tiny)
    trials = all_proposals(plan, 60)
    for found in trials:
        assert all(plan.keys[key].holds(value) for key, value in found.values.items())
        plan.recipe_of(found.values)
    steps = {round(float(str(found.values["schedule.warmup_fraction"])), 9) for found in trials}
    assert steps <= {0.0, 0.3, 0.6, 0.9}
    late = [found.loss for found in trials[20:]]
    assert sum(loss is not None and loss < math.log(10) for loss in late) >= 24
