"""Proposals of Optuna's tree-structured Parzen estimator (Bergstra et al., 2011).

A proposal is made by a study in memory that gets all trials before, with a seed of its own: so
it is the same after a kill as without.
"""

import json
import math
from collections.abc import Sequence

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic import JsonValue

from hypermagnetics.train.sweep.dimensions import Choices, Dimension, Range, text_of
from hypermagnetics.train.sweep.ledger import Trial
from hypermagnetics.train.sweep.plan import Plan, Values


class OptunaSearch:
    """Proposes values learned from previous trials."""

    def __init__(self, plan: Plan) -> None:
        """Prepare proposals for this plan."""
        self._plan = plan
        self._distributions = {key: _distribution(d) for key, d in plan.keys.items()}
        optuna.logging.set_verbosity(optuna.logging.WARNING)

    def __call__(self, number: int, before: Sequence[Trial]) -> Values:
        """Values of a trial; unfinished trials are ignored."""
        words = np.random.SeedSequence([self._plan.search.seed, number]).generate_state(1)
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=int(words[0])))
        study.add_trials([self._told(trial) for trial in before if trial.state != "open"])
        proposed = study.ask(self._distributions).params
        return {
            key: _from_optuna(dimension, proposed[key])
            for key, dimension in self._plan.keys.items()
        }

    def _told(self, trial: Trial) -> optuna.trial.FrozenTrial:
        failed = trial.state == "failed"
        return optuna.trial.create_trial(
            params={
                key: _to_optuna(dimension, trial.values[key])
                for key, dimension in self._plan.keys.items()
            },
            distributions=self._distributions,
            # A failure is the worst result, not none: what diverges is to be kept away from.
            value=math.inf if failed else trial.score(self._plan.search.metric),
        )


def _distribution(dimension: Dimension) -> BaseDistribution:
    if isinstance(dimension, Choices):
        return CategoricalDistribution([text_of(value) for value in dimension.values])
    low, high, log, step = dimension.low, dimension.high, dimension.log, dimension.step
    if dimension.whole:
        return IntDistribution(int(low), int(high), log=log, step=int(step or 1))
    return FloatDistribution(low, high, log=log, step=step)


def _to_optuna(dimension: Dimension, value: JsonValue) -> object:
    return value if isinstance(dimension, Range) else text_of(value)


def _from_optuna(dimension: Dimension, value: object) -> JsonValue:
    if isinstance(dimension, Choices):
        found: JsonValue = json.loads(str(value))
        return found
    assert isinstance(value, (int, float)), "ranges give numbers"
    return dimension.number(value)
