"""Reference physics of states against exact solutions and other integrators."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import ndtri

from hypermagnetics.dynamics import physics_of, samples_together, state_trajectories
from hypermagnetics.dynamics.advection_1d import Advection1D
from hypermagnetics.dynamics.lorenz import Lorenz
from hypermagnetics.dynamics.state_physics import StatePhysics
from hypermagnetics.errors import RecipeError

LORENZ = Lorenz(kind="lorenz", warmup_steps=0, num_steps=4)


def uniform(physics: StatePhysics, count: int = 5) -> np.ndarray:
    """Numbers that draw some samples."""
    return np.random.default_rng(0).uniform(size=(count, physics.num_drawn))


def step(physics: StatePhysics, state: np.ndarray) -> np.ndarray:
    """A step in float64."""
    with jax.enable_x64(True):
        found: np.ndarray = np.asarray(jax.jit(physics.next_state)(state))
    return found


@pytest.mark.parametrize(("points", "waves", "cfl"), [(30, 5, -0.75), (12, 5, 0.3)])
def test_advection_shifts_its_waves(points: int, waves: int, cfl: float) -> None:
    """Against sums of sines and cosines at shifted places."""
    physics = Advection1D(kind="advection-1d", num_points=points, waves=waves, cfl=cfl)
    drawn = uniform(physics)
    states = state_trajectories(physics, drawn)
    assert states.dtype == np.float32
    assert states.shape == (5, 100, 1, points)
    place = np.arange(points) - cfl * np.arange(100)[:, None]
    phases = 2 * np.pi / points * np.arange(1, waves + 1)[:, None, None] * place
    each = np.concatenate([np.sin(phases), np.cos(phases)])
    exact = np.einsum("sk,ktp->stp", 2 * drawn - 1, each)[:, :, None]
    np.testing.assert_allclose(states, exact, rtol=0, atol=1e-6)


def test_advection_by_a_whole_point_moves_the_state() -> None:
    """And by as many points as there are it comes back."""
    physics = Advection1D(kind="advection-1d", num_points=8, waves=3, cfl=1.0)
    state = physics.begun(uniform(physics))
    after = step(physics, state)
    np.testing.assert_allclose(after, np.roll(state, 1, axis=-1), rtol=0, atol=1e-14)
    states = state_trajectories(physics, uniform(physics))
    np.testing.assert_allclose(states[:, 8], states[:, 0], rtol=0, atol=1e-6)
    with jax.enable_x64(True):
        violation = physics.residual(jnp.asarray(after), jnp.asarray(state))
        assert jnp.abs(violation).max() < 1e-14


def rate(_: float, state: np.ndarray) -> np.ndarray:
    """Lorenz's equations."""
    x, y, z = state
    return np.array([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])


def test_lorenz_takes_steps_of_the_classical_method() -> None:
    """By its formula, from normal numbers."""
    states = state_trajectories(LORENZ, uniform(LORENZ))
    assert states.shape == (5, 5, 3)
    for number, found in enumerate(states):
        state, h = ndtri(uniform(LORENZ)[number]), 0.01
        for stored in found:
            np.testing.assert_allclose(stored, state.astype(np.float32), rtol=2e-7)
            k1 = rate(0, state)
            k2 = rate(0, state + h / 2 * k1)
            k3 = rate(0, state + h / 2 * k2)
            k4 = rate(0, state + h * k3)
            state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def test_short_steps_of_lorenz_solve_its_equations() -> None:
    """Against a method of order 8 with steps of its own."""
    physics = LORENZ.model_copy(update={"time_step": 1e-3})
    states = state_trajectories(physics, uniform(physics))
    for found in states.astype(np.float64):
        times = 1e-3 * np.arange(5)
        exact = solve_ivp(rate, (0, 0.004), found[0], "DOP853", times, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(found, exact.y.T, rtol=0, atol=1e-6)


def test_steps_before_the_first_stored_state_are_steps() -> None:
    warm = LORENZ.model_copy(update={"warmup_steps": 3, "start_std": 2.0})
    cold = warm.model_copy(update={"warmup_steps": 0})
    found, wanted = (state_trajectories(one, uniform(one)) for one in (warm, cold))
    np.testing.assert_allclose(found[:, :2], wanted[:, 3:], rtol=1e-6)


def test_large_samples_are_computed_one_by_one() -> None:
    assert samples_together(LORENZ) == 32
    assert samples_together(LORENZ.model_copy(update={"num_steps": 100_000})) == 32
    large = Advection1D(kind="advection-1d", num_points=2**16, num_steps=130)
    assert samples_together(large) == 1
    assert samples_together(large.model_copy(update={"num_steps": 60})) == 4


def test_the_physics_of_a_dataset_is_in_its_recipe() -> None:
    assert physics_of({"states": LORENZ.model_dump(mode="json")}) == LORENZ
    assert physics_of({"sources": {}}) is None
    with pytest.raises(RecipeError, match=r"'states.kind' must be one of .*; got 'pendulum'"):
        physics_of({"states": {"kind": "pendulum"}})


def test_waves_above_those_of_the_points_are_refused() -> None:
    with pytest.raises(ValueError, match="be below half of num_points, 30"):
        Advection1D(kind="advection-1d", waves=15)
