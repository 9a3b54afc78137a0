"""Laws of moments that move, and an outside integrator."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from hypermagnetics.dynamics import (
    AnyDynamics,
    energy,
    field_of_others,
    magnitudes,
    trajectories,
    with_moments,
)
from hypermagnetics.dynamics.damping import Damping
from hypermagnetics.dynamics.llg import LLG
from hypermagnetics.dynamics.moment_dynamics import MU_0
from hypermagnetics.dynamics.runge_kutta import MethodName, integrated
from hypermagnetics.dynamics.soft import Soft
from hypermagnetics.dynamics.trajectory import turn_per_step
from hypermagnetics.errors import SourceError
from hypermagnetics.sources import superposition
from hypermagnetics.table import SourceColumns

SPHERES = SourceColumns.of("sphere", constants={"radius": 0.4})
DISCS = SourceColumns.of("disc", constants={"radius": 0.4})
APPLIED = (0.05, 0.0, 0.2)
PRECESSION = LLG(kind="llg", damping=0.1, applied_field=APPLIED, time_step=1e-5, num_steps=10)


def tables(columns: SourceColumns, samples: int = 4, sources: int = 3) -> np.ndarray:
    """Bodies on a grid, shifted a little so that none touch, with unit moments."""
    random, dim = np.random.default_rng(1), columns.dim
    sites = np.stack(np.meshgrid(*[np.array([-1.0, 0.0, 1.0])] * dim, indexing="ij"), axis=-1)
    chosen = np.stack(
        [random.permutation(sites.reshape(-1, dim))[:sources] for _ in range(samples)]
    )
    moments = random.normal(size=chosen.shape)
    moments /= np.linalg.norm(moments, axis=-1, keepdims=True)
    positions = chosen + random.uniform(-0.09, 0.09, chosen.shape)
    return np.concatenate([moments, positions], axis=-1).astype(np.float32)


def counts(table: np.ndarray) -> np.ndarray:
    return np.full(len(table), table.shape[1])


def states_of(dynamics: AnyDynamics, columns: SourceColumns, table: np.ndarray) -> np.ndarray:
    """Stored trajectories in float64."""
    return trajectories(dynamics, columns, table, counts(table)).moments.astype(np.float64)


def with_states(table: np.ndarray, states: np.ndarray) -> Any:
    """A table for each stored state."""
    rest = np.broadcast_to(table[:, None, :, states.shape[-1] :], (*states.shape[:3], 3))
    return jnp.asarray(np.concatenate([states, rest], axis=-1))


def rate_of_llg(_: float, flat: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """The equation of the docstring of LLG, with fields of dipoles, by numpy alone."""
    m = flat.reshape(-1, 3)
    apart = positions[:, None] - positions[None]
    distance = np.linalg.norm(apart, axis=-1) + np.eye(len(m))
    unit = apart / distance[..., None]
    along = np.einsum("jk,ijk->ij", m, unit)
    each = (3 * along[..., None] * unit - m[None]) / (4 * np.pi * distance[..., None] ** 3)
    each[np.diag_indices(len(m))] = 0
    turning = np.cross(m, np.array(APPLIED) + each.sum(axis=1))
    damped = 0.1 / np.linalg.norm(m, axis=-1, keepdims=True) * np.cross(m, turning)
    found: np.ndarray = (-2.2127616e5 / (1 + 0.1**2) * (turning + damped)).ravel()
    return found


@pytest.mark.slow
def test_stored_trajectories_are_those_of_another_integrator() -> None:
    """From the stored start, by DOP853 at 1e-12: 1e-6 whole, 2e-7 a step."""
    table = tables(SPHERES)
    states = states_of(PRECESSION, SPHERES, table)
    times = 1e-5 * np.arange(11)
    for row, found in zip(table.astype(np.float64), states, strict=True):
        positions = row[:, 3:]

        def again(start: np.ndarray, times: np.ndarray, at: np.ndarray = positions) -> np.ndarray:
            solved = solve_ivp(
                rate_of_llg,
                (0, times[-1]),
                start.ravel(),
                "DOP853",
                times,
                args=(at,),
                rtol=1e-12,
                atol=1e-13,
            )
            whole: np.ndarray = solved.y.T.reshape(len(times), -1, 3)
            return whole

        assert np.abs(again(row[:, :3], times) - found).max() < 1e-6
        for before, after in zip(found[:-1:5], found[1::5], strict=True):
            assert np.abs(again(before, times[:2])[-1] - after).max() < 2e-7


@pytest.mark.slow
def test_magnitudes_stay_and_energy_falls() -> None:
    """|m| to 1e-6, and no rise of the energy by more than 1e-6 of that of the moments."""
    table = tables(SPHERES)
    states = states_of(PRECESSION, SPHERES, table)
    lengths = np.linalg.norm(states, axis=-1)
    assert np.abs(lengths / lengths[:, :1] - 1).max() < 1e-6
    with jax.enable_x64(True):
        whole = with_states(table, states)
        found = np.asarray(energy(PRECESSION, whole, 3, lambda one: field_of_others(one, 3)))
        size = MU_0 * np.abs(np.asarray(field_of_others(whole, 3))).sum(axis=(-2, -1)).max()
    assert np.diff(found, axis=1).max() < 1e-6 * size
    assert (found[:, -1] < found[:, 0] - 1e-3 * size).all()


def test_precession_alone_keeps_the_energy() -> None:
    """Without damping."""
    free = PRECESSION.model_copy(update={"damping": 0.0})
    table = tables(SPHERES)
    states = states_of(free, SPHERES, table)
    assert np.abs(states[:, -1] - states[:, 0]).max() > 0.1
    with jax.enable_x64(True):
        whole = with_states(table, states)
        found = np.asarray(energy(free, whole, 3, lambda one: field_of_others(one, 3)))
    np.testing.assert_allclose(found, found[:, :1] * np.ones(11), rtol=2e-6)


@pytest.mark.slow_cases
@pytest.mark.parametrize("dim", [2, 3])
def test_one_body_in_an_applied_field_has_a_closed_form(dim: int) -> None:
    """tan(theta / 2) falls as exp(-alpha gamma H t / (1 + alpha²))."""
    axis = (0.0,) * (dim - 1) + (2.0,)
    settings = {"damping": 0.3, "applied_field": axis, "time_step": 1e-6, "num_steps": 20}
    if dim == 2:
        dynamics: AnyDynamics = Damping(kind="damping", **settings)
    else:
        dynamics = LLG(kind="llg", **settings)
    columns = DISCS if dim == 2 else SPHERES
    start = np.zeros((1, 1, 2 * dim), np.float32)
    start[0, 0, 0], start[0, 0, dim - 1] = np.sin(2.5), np.cos(2.5)
    states = states_of(dynamics, columns, start)[0, :, 0]
    across = np.linalg.norm(states[:, :-1], axis=-1)
    found = np.arctan2(across, states[:, -1])
    rate = 0.3 * 2.2127616e5 * 2.0 / (1 + 0.3**2)
    times = 1e-6 * np.arange(21)
    wanted = 2 * np.arctan(np.tan(found[0] / 2) * np.exp(-rate * times))
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert found[-1] < 0.6


@pytest.mark.slow_cases
@pytest.mark.parametrize("columns", [SPHERES, DISCS], ids=["spheres", "discs"])
def test_the_field_of_others_is_the_exact_sum_without_the_own(columns: SourceColumns) -> None:
    """At the centre of each body, in float64."""
    dim = columns.dim
    (table,) = tables(columns, samples=1).astype(np.float64)
    with jax.enable_x64(True):
        found = np.asarray(field_of_others(jnp.asarray(table), dim))
        for i, row in enumerate(table):
            others = np.delete(table, i, axis=0)
            wanted = np.asarray(superposition(columns, others, row[None, dim : 2 * dim])[1])[0]
            np.testing.assert_allclose(found[i], wanted, rtol=1e-12, atol=1e-15)


@pytest.mark.slow
def test_soft_iterates_end_at_the_solution_of_their_linear_equations() -> None:
    """M = m_rem / (1 + chi / d) + V kappa H(m), solved at once; the residual is 1e-6 at most."""
    soft = Soft(kind="soft", susceptibility=5.0, num_steps=40, applied_field=APPLIED)
    table = tables(SPHERES, samples=2)
    states = states_of(soft, SPHERES, table)
    volume = 4 / 3 * np.pi * 0.4**3
    for row, found in zip(table.astype(np.float64), states, strict=True):
        with jax.enable_x64(True):
            of_moments = jax.jacfwd(
                lambda m, row=row: field_of_others(with_moments(jnp.asarray(row), m), 3)
            )(jnp.zeros((3, 3)))
        kappa = 3 * 5 / (3 + 5)
        matrix = np.eye(9) - volume * kappa * np.asarray(of_moments).reshape(9, 9)
        applied = volume * kappa * np.tile(APPLIED, 3)
        solved = np.linalg.solve(matrix, row[:, :3].ravel() / (1 + 5 / 3) + applied)
        np.testing.assert_allclose(found[-1].ravel(), solved, atol=1e-6)
        with jax.enable_x64(True):
            begun = soft.begun(jnp.asarray(row), 3)
            exact = jnp.asarray(found[-1])
            left = soft.residual(exact, begun, SPHERES, lambda one: field_of_others(one, 3))
        assert np.abs(np.asarray(left)).max() < 1e-6


@pytest.mark.slow
def test_soft_bodies_need_no_remanence() -> None:
    """One in an applied field has V kappa H; beside a magnet it is magnetised."""
    soft = Soft(kind="soft", susceptibility=5.0, num_steps=30, applied_field=(0.0, 0.0, 1.0))
    table = tables(SPHERES, samples=1, sources=2)
    table[..., :3] = 0
    alone = table[:, :1].copy()
    kappa, volume = 3 * 5 / (3 + 5), 4 / 3 * np.pi * 0.4**3
    found = states_of(soft, SPHERES, alone)[0, -1, 0]
    np.testing.assert_allclose(found, [0, 0, kappa * volume], rtol=1e-6, atol=1e-9)
    table[0, 0, :3] = [0.0, 1.0, 0.0]
    free = soft.model_copy(update={"applied_field": None})
    pair = states_of(free, SPHERES, table)[0, -1]
    with jax.enable_x64(True):
        others = np.asarray(field_of_others(jnp.asarray(np.c_[pair, table[0, :, 3:]]), 3))
    np.testing.assert_allclose(pair[1], kappa * volume * others[1], rtol=1e-5)
    assert np.linalg.norm(pair[1]) > 1e-4


def test_a_body_that_looks_like_none_is_refused() -> None:
    """Of no moment, exactly at the origin."""
    soft = Soft(kind="soft", susceptibility=5.0, applied_field=(0.0, 0.0, 1.0))
    with pytest.raises(SourceError, match="must differ from a row of zeros"):
        trajectories(soft, SPHERES, np.zeros((1, 1, 6), np.float32), np.array([1]))


def test_magnitudes_of_atoms_are_no_zeros() -> None:
    """In float32, of which their squares are below; with their gradient."""
    moments = jnp.asarray([[3e-23, 4e-23, 0.0], [0.0, 0.0, 0.0]], jnp.float32)
    np.testing.assert_allclose(magnitudes(moments)[:, 0], [5e-23, 0], rtol=1e-6)
    slopes = jax.grad(lambda m: jnp.sum(magnitudes(m)))(moments)
    np.testing.assert_allclose(slopes, [[0.6, 0.8, 0], [0, 0, 0]], rtol=1e-6)


def test_time_scales_with_the_moments() -> None:
    """Twice the moments and twice the applied field turn twice as fast."""
    table = tables(SPHERES)
    doubled = table.copy()
    doubled[..., :3] *= 2
    faster = PRECESSION.model_copy(
        update={"applied_field": tuple(2 * h for h in APPLIED), "time_step": 5e-6}
    )
    found = states_of(faster, SPHERES, doubled)
    np.testing.assert_allclose(found, 2 * states_of(PRECESSION, SPHERES, table), atol=2e-6)


def test_padding_feels_and_gives_nothing() -> None:
    """Rows of zeros stay so, and change no other."""
    table = tables(SPHERES)
    padded = np.concatenate([table, np.zeros_like(table[:, :1])], axis=1)
    found = trajectories(PRECESSION, SPHERES, padded, counts(table))
    wanted = trajectories(PRECESSION, SPHERES, table, counts(table))
    np.testing.assert_allclose(found.moments[:, :, :3], wanted.moments, atol=1e-7)
    assert not found.moments[:, :, 3].any()
    soft = Soft(kind="soft", susceptibility=5.0, num_steps=3)
    assert not trajectories(soft, SPHERES, padded, counts(table)).moments[:, :, 3].any()


@pytest.mark.parametrize(("method", "order"), [("heun", 2), ("rk4", 4), ("dop853", 8)])
def test_methods_have_their_order(method: MethodName, order: int) -> None:
    """The error of a rotation falls as the power of the steps."""

    def rate(state: Any) -> Any:
        return jnp.stack([-state[1], state[0]])

    def error(steps: int) -> float:
        with jax.enable_x64(True):
            found = integrated(rate, jnp.asarray([1.0, 0.0]), 4.0, steps, method)
            return float(jnp.linalg.norm(found - jnp.asarray([np.cos(4.0), np.sin(4.0)])))

    assert np.log2(error(4) / error(8)) == pytest.approx(order, abs=0.6)


def test_bodies_that_overlap_are_refused() -> None:
    """Named, with their distance."""
    table = tables(SPHERES)
    table[2, 1, 3:] = table[2, 0, 3:] + np.array([0.5, 0, 0], np.float32)
    with pytest.raises(SourceError, match=r"sources 0 and 1 of sample 2 .* 0\.5 m apart .* 0\.8 m"):
        trajectories(PRECESSION, SPHERES, table, counts(table))


def test_dipoles_at_one_place_are_refused() -> None:
    """They have no size, but no field there either."""
    dipoles = SourceColumns.of("dipole", dim=3)
    table = tables(dipoles)
    table[1, 2, 3:] = table[1, 0, 3:]
    with pytest.raises(SourceError, match="sources 0 and 2 of sample 1"):
        trajectories(PRECESSION, dipoles, table, counts(table))


def test_the_angle_of_a_step_is_that_of_the_law() -> None:
    """Of damping alone with its factor alpha, and of the field across the moment."""
    dynamics = Damping(
        kind="damping", damping=1e-3, applied_field=(0.0, 0.0, 2.0), time_step=1e-6, num_steps=1
    )
    table = np.array([[[0.5, 0.0, 0.5 * 3**0.5, 0.0, 0.0, 0.0]]])
    wanted = 2.2127616e5 * 1e-3 / (1 + 1e-6) * 2.0 * np.sin(np.pi / 6) * 1e-6
    np.testing.assert_allclose(turn_per_step(dynamics, SPHERES, table), [wanted], rtol=1e-9)


@pytest.mark.slow
def test_a_step_that_no_method_resolves_is_refused() -> None:
    """With the angle that the fastest moment turns."""
    far = PRECESSION.model_copy(update={"time_step": 3.0, "num_steps": 1})
    table = tables(SPHERES, samples=1)
    with pytest.raises(SourceError, match=r"1024 substeps; got more in sample 0 .* degrees a step"):
        trajectories(far, SPHERES, table, counts(table))
