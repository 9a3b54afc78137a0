"""Loss and gradient of every way of rolling out, against trainax."""

from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from jaxtyping import Array

from hypermagnetics.dynamics.advection_1d import Advection1D
from hypermagnetics.models import ArrayInputs, ArrayModel, ArrayScales, MapFrame, StepFrame
from hypermagnetics.models.array_conv import Conv, ConvConfig
from hypermagnetics.models.array_mlp import MLP, MLPConfig
from hypermagnetics.train.devices import ArrayDeviceBatch
from hypermagnetics.train.losses import MeanAbsolute, MeanSquare, SampleRelative
from hypermagnetics.train.objective import SumOfTerms
from hypermagnetics.train.terms import (
    Physics,
    ResidualTermConfig,
    RolloutFacts,
    TrajectoryTermConfig,
)

trainax = pytest.importorskip("trainax")

PHYSICS = Advection1D(kind="advection-1d", num_points=10, waves=3, cfl=-0.75)
SAMPLES, STATES = 4, 8
CUT = {"chain": True}
TRAJECTORY: list[dict[str, Any]] = [
    {},
    {"rollout_steps": 5},
    {"rollout_steps": 5, "cut": CUT},
    {"rollout_steps": 5, "cut": {**CUT, "every": 2}},
    {"rollout_steps": 3, "level_weights": "exponential:0.5"},
    {"rollout_steps": 3, "level_weights": [0.0, 2.0, 0.5]},
    {"rollout_steps": 3, "loss": "mae"},
    {"rollout_steps": 3, "loss": {"kind": "sample-relative", "floor": 1e-6}},
    *(
        {"method": "diverted-chain", "rollout_steps": steps, "branch_steps": branch, **more}
        for steps, branch, more in (
            (1, 1, {}),
            (3, 1, {}),
            (3, 1, {"cut": {"diverted": True}}),
            (3, 1, {"cut": CUT}),
            (5, 2, {}),
            (5, 2, {"cut": {**CUT, "every": 2}}),
            (5, 3, {"cut": {**CUT, "every": 3, "diverted": True}}),
            (5, 5, {}),
            (4, 2, {"level_weights": [1.0, 0.5, 2.0]}),
        )
    ),
    *(
        {"method": "mix-chain", "rollout_steps": steps, "post_physics_steps": post, **more}
        for steps, post, more in (
            (1, 1, {}),
            (3, 2, {"cut": {**CUT, "every": 2}}),
            (2, 3, {"level_weights": "exponential:0.7"}),
        )
    ),
]
RESIDUAL: list[dict[str, Any]] = [
    {},
    {"rollout_steps": 4},
    {"rollout_steps": 4, "cut": {**CUT, "every": 2}},
    {"rollout_steps": 3, "cut": {"previous": True}},
    {"rollout_steps": 3, "cut": {"next": True, **CUT}},
]
SETTINGS = [
    *(("trajectory", settings) for settings in TRAJECTORY),
    *(("residual", settings) for settings in RESIDUAL),
]
QUICK = (1, 3, 7, 13, 14, 18, 22, 24)
"""A setting of each kind with all that it can have."""


def name(case: tuple[str, dict[str, Any]]) -> str:
    of, settings = case
    return "-".join([of, *(str(value) for value in settings.values())])


def inputs() -> ArrayInputs:
    both = ArrayScales(name="states", shape=PHYSICS.shape)
    frame = MapFrame(
        inputs=("inputs",), targets=("targets",), dim=1, core=(10,), boundary="periodic"
    )
    return ArrayInputs(input=both, target=both, map=frame, steps=StepFrame(time_step=1.0))


def networks() -> Iterator[tuple[str, ArrayModel]]:
    config = ConvConfig(channels=(3,), kernel=2, padding="same", activation="tanh")
    yield "conv", Conv(config, inputs(), jr.key(1))
    yield "mlp", MLP(MLPConfig(width=8, depth=2, activation="tanh"), inputs(), jr.key(2))


NETWORKS = dict(networks())


def states() -> np.ndarray:
    start = PHYSICS.begun(np.random.default_rng(3).uniform(size=(SAMPLES, PHYSICS.num_drawn)))
    found = [jnp.asarray(start)]
    for _ in range(STATES - 1):
        found.append(PHYSICS.next_state(found[-1]))
    return np.asarray(jnp.stack(found, axis=1))


def own_term(of: str, settings: dict[str, Any]) -> SumOfTerms:
    schema = TrajectoryTermConfig if of == "trajectory" else ResidualTermConfig
    config = schema.model_validate({"of": of, **settings}, strict=False)
    physics = Physics(PHYSICS.next_state, PHYSICS.residual)
    facts = RolloutFacts(StepFrame(time_step=1.0), 1.0, STATES - 1, lambda _: physics)
    loss = (config.loss or MeanSquare()).on_samples(1)  # type: ignore[union-attr]
    return SumOfTerms({"rollout": config.term(loss, facts, "rollout")})


def their_setting(of: str, settings: dict[str, Any]) -> Any:
    schema = TrajectoryTermConfig if of == "trajectory" else ResidualTermConfig
    config = schema.model_validate({"of": of, **settings}, strict=False)
    match config.loss:
        case MeanAbsolute():
            loss = trainax.loss.MAELoss()
        case SampleRelative():
            loss = trainax.loss.Normalized_MSELoss()
        case _:
            loss = trainax.loss.MSELoss()
    shared = {
        "time_level_loss": loss,
        "cut_bptt": config.cut.chain,
        "cut_bptt_every": config.cut.every,
        "time_level_weights": jnp.asarray(config.weights),
    }
    steps, kinds = config.rollout_steps, trainax.configuration
    if isinstance(config, ResidualTermConfig):
        cut = {"cut_prev": config.cut.previous, "cut_next": config.cut.next}
        return kinds.Residuum(steps, **cut, **shared)
    match config.method:
        case "supervised":
            return kinds.Supervised(steps, **shared)
        case "diverted-chain":
            cut = {"cut_div_chain": config.cut.diverted}
            return kinds.DivertedChain(steps, config.branch_steps, **cut, **shared)
        case "mix-chain":
            return kinds.MixChainPostPhysics(steps, config.post_physics_steps, **shared)


def both_gradients(case: tuple[str, dict[str, Any]], network: str, dtype: Any) -> tuple[Any, Any]:
    """Loss and gradient, ours and theirs."""
    term, setting = own_term(*case), their_setting(*case)
    model = jax.tree.map(lambda leaf: leaf.astype(dtype), NETWORKS[network])
    trajectories = jnp.asarray(states(), dtype)
    count = jnp.asarray([SAMPLES])
    batch = ArrayDeviceBatch({"states": trajectories[None]}, count, count, jnp.zeros_like(count))

    @eqx.filter_jit
    @eqx.filter_value_and_grad
    def own(model: ArrayModel) -> Array:
        return term(model, batch).total

    @eqx.filter_jit
    @eqx.filter_value_and_grad
    def theirs(model: ArrayModel) -> Array:
        found: Array = setting(
            model, trajectories, ref_stepper=PHYSICS.next_state, residuum_fn=PHYSICS.residual
        )
        return found

    return own(model), theirs(model)


def assert_equal(found: Any, wanted: Any, tolerance: float) -> None:
    np.testing.assert_allclose(found[0], wanted[0], rtol=tolerance)
    ours, theirs = (
        np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(gradient)])
        for _, gradient in (found, wanted)
    )
    assert np.linalg.norm(ours - theirs) <= tolerance * np.linalg.norm(theirs)


@pytest.mark.slow
@pytest.mark.parametrize("case", [SETTINGS[i] for i in QUICK], ids=name)
def test_a_setting_of_each_kind(case: tuple[str, dict[str, Any]]) -> None:
    """Loss and gradient equal theirs, by a network with a hidden layer, in float64."""
    with jax.enable_x64(True):
        assert_equal(*both_gradients(case, "conv", jnp.float64), 1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("case", SETTINGS, ids=name)
def test_every_setting(case: tuple[str, dict[str, Any]], network: str) -> None:
    """Loss and gradient equal theirs, in float64 and in float32."""
    with jax.enable_x64(True):
        assert_equal(*both_gradients(case, network, jnp.float64), 1e-10)
    assert_equal(*both_gradients(case, network, jnp.float32), 1e-6)


def test_there_are_twenty_five_settings() -> None:
    """Two networks each."""
    assert len(SETTINGS) == 25
    assert len(NETWORKS) == 2
