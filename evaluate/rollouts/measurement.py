"""Errors of rollouts: of a network, of the baselines beside it, and of the stored trajectories."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32, Float64

from hypermagnetics.evaluate.results.quantity_scores import ArrayQuantityScores
from hypermagnetics.evaluate.rollouts.baselines import Baseline, States
from hypermagnetics.evaluate.rollouts.laws import Violations, violations
from hypermagnetics.evaluate.rollouts.records import OverSamples, RolloutScores, StepErrors
from hypermagnetics.evaluate.rollouts.trajectories import StoredTrajectories, TrajectoryBlock
from hypermagnetics.jax_setup import own_program
from hypermagnetics.log import SILENT, Listener
from hypermagnetics.metrics import Errors, measure
from hypermagnetics.models import ArrayModel, rollout

STORED = "stored truth"
"""Name of the stored trajectories, whose laws are measured as well."""
LARGE = 0.1
"""Relative error that half of the samples have at the half-exceed step."""


class RolledOutBlock(NamedTuple):
    """Trajectories of one block of a split, those of samples in use alone."""

    block: TrajectoryBlock
    truth: States
    of_network: States
    of_baselines: dict[str, States]
    """By the name of the baseline."""


@dataclass(frozen=True)
class MeasuredRollouts:
    """Scores of one subject on a split, and its errors at all steps."""

    scores: RolloutScores
    relative: Float32[np.ndarray, "samples states"]
    """||error||₂ / ||truth||₂ of each state; NaN where the truth is zero, infinite where the
    prediction is not finite."""
    energy: Float64[np.ndarray, "samples states"] | None
    """Energy minus that at the start; see `Violations`."""


def shown_steps(num_steps: int) -> tuple[int, ...]:
    """Steps whose errors are in tables: 1, 2, 5, 10, 20, 50 and so on, and the last one."""
    found, decade = [], 1
    while decade < num_steps:
        found += [factor * decade for factor in (1, 2, 5) if factor * decade < num_steps]
        decade *= 10
    return (*found, num_steps)


def measure_rollouts(
    model: ArrayModel,
    data: StoredTrajectories,
    listener: Listener = SILENT,
    baselines: Sequence[Baseline] = (),
    *,
    with_truth: bool = False,
) -> dict[str, MeasuredRollouts]:
    """Measure a network and baselines on the trajectories of a split.

    Args:
        model: The network.
        data: The trajectories.
        listener: Receives the number of samples just predicted.
        baselines: Those that stand beside it.
        with_truth: Whether laws of the stored trajectories are measured, if there are any.

    Returns:
        Measurements by name: the network under "", the baselines, and the stored truth.
    """
    subjects: dict[str, _Sums] = {}
    for one in rolled_out_blocks(model, data, listener, baselines):
        found = {"": one.of_network, **one.of_baselines}
        if with_truth and data.moments is not None:
            found[STORED] = one.truth
        for name, states in found.items():
            subjects.setdefault(name, _Sums()).add(data, one, states)
    return {name: sums.measured(data, name == STORED) for name, sums in subjects.items()}


def rolled_out_blocks(
    model: ArrayModel,
    data: StoredTrajectories,
    listener: Listener = SILENT,
    baselines: Sequence[Baseline] = (),
    blocks: Sequence[int] | None = None,
) -> Iterator[RolledOutBlock]:
    """Yield the rollouts of blocks, of all if none are chosen; arguments as of `measure_rollouts`.

    Blocks are filled up, so that one compiled program serves all.
    """
    numbers = range(data.split.layout.num_blocks) if blocks is None else blocks
    for number in numbers:
        block = data.block(number)
        network = _of_network(model, data, block)
        yield RolledOutBlock(
            block,
            block.states[: block.count],
            network[: block.count],
            {one.name: one.states(block)[: block.count] for one in baselines},
        )
        listener.advance(block.count)


def _of_network(model: ArrayModel, data: StoredTrajectories, block: TrajectoryBlock) -> States:
    if data.moments is None:
        return np.asarray(_compiled_rollout()(model, jnp.asarray(block.start), data.num_steps))
    # A network may take more sources: rows of zeros are padding, as in its training.
    missing = model.inputs.input.shape[0] - data.moments.max_sources
    start = np.pad(block.start, [(0, 0), (0, missing), (0, 0)])
    found = np.asarray(_compiled_rollout()(model, jnp.asarray(start), data.num_steps))
    return found[:, :, : data.moments.max_sources]


@cache
def _compiled_rollout() -> Callable[[ArrayModel, jax.Array, int], jax.Array]:
    """One program for all networks, made once the platform is known."""
    return own_program(rollout)


@dataclass
class _Sums:
    """Errors of one subject, block by block."""

    errors: list[Errors] = field(default_factory=list)
    """Of states in a row, one point each: samples times states."""
    laws: list[Violations] = field(default_factory=list)

    def add(self, data: StoredTrajectories, one: RolledOutBlock, states: States) -> None:
        """Add the rollouts of a block."""
        rows = [
            values.reshape(one.block.count, -1, 1, values[0, 0].size)
            for values in (states, one.truth)
        ]
        self.errors.append(measure(*(values.reshape(-1, *values.shape[2:]) for values in rows)))
        if data.moments is not None:
            self.laws.append(violations(data.moments, one.block, states))

    def measured(self, data: StoredTrajectories, is_truth: bool) -> MeasuredRollouts:
        """The metrics of all blocks."""
        num_states = data.num_steps + 1
        parts = (
            np.concatenate([getattr(one, name) for one in self.errors]).reshape(-1, num_states)
            for name in ("relative", "squared_error", "squared_truth", "nonfinite")
        )
        relative, squared_error, squared_truth, nonfinite = parts
        of_steps = {
            step: Errors(
                relative[:, step, None],
                squared_error[:, step],
                squared_truth[:, step],
                nonfinite[:, step],
            )
            for step in shown_steps(data.num_steps)
        }
        scores = RolloutScores(
            num_steps=data.num_steps,
            errors=()
            if is_truth
            else tuple(
                StepErrors(
                    step,
                    None if data.time_step is None else step * data.time_step,
                    ArrayQuantityScores.of(errors),
                )
                for step, errors in of_steps.items()
            ),
            half_exceed_step=half_exceed_step(relative),
            magnitude_drift=_over_samples([one.magnitude_drift for one in self.laws]),
            energy_rise=_over_samples([one.energy_rise for one in self.laws]),
            residual=_over_samples([one.residual for one in self.laws]),
        )
        energies = [one.energy for one in self.laws if one.energy is not None]
        return MeasuredRollouts(scores, relative, np.concatenate(energies) if energies else None)


def half_exceed_step(relative: Float32[np.ndarray, "samples states"]) -> int | None:
    """The first step at which half of the samples have an error of more than 10 %.

    Args:
        relative: Relative errors of each sample at the start and after each step; NaN, of a truth
            of zero, is no such error.

    Returns:
        The step; None for never.
    """
    share = np.mean(relative > LARGE, axis=0)
    steps = np.flatnonzero(share >= 0.5)
    return int(steps[0]) if steps.size else None


def _over_samples(parts: Sequence[np.ndarray | None]) -> OverSamples | None:
    found = [one for one in parts if one is not None]
    if not found:
        return None
    values = np.concatenate(found)
    values = values[~np.isnan(values)]
    if not values.size:
        return OverSamples(float("nan"), float("nan"))
    return OverSamples(float(np.median(values)), float(values.max()))
