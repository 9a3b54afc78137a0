"""Magnetisation of soft bodies in the field of all others.

    solve(columns, table, susceptibility, applied_field, saturation, settings, rows=None)

is the pure function for arrays of one shape, under any transformation of JAX;
`solve_magnetisation` checks its arguments, and refuses a solution that is none.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from hypermagnetics.shapes import SourceTable
from hypermagnetics.sources.geometry import by_kind
from hypermagnetics.sources.kinds import KINDS
from hypermagnetics.sources.soft.balls import Balls
from hypermagnetics.sources.soft.divided import Divided
from hypermagnetics.sources.soft.hard import field_of_hard, hard_rows
from hypermagnetics.sources.soft.material import Law, response
from hypermagnetics.sources.soft.solution import SoftSolution, uniform_bodies
from hypermagnetics.sources.soft.system import (
    Bodies,
    MethodName,
    Slopes,
    Solved,
    States,
    field_by_matrix,
    field_matrix,
    field_of,
    norm,
    scales,
    solved,
    times,
)
from hypermagnetics.table import SourceColumns

_MOST_STEPS = 50
"""The most steps of Newton's method: those that converge take less than ten."""

_HALVINGS = 12
"""The most halvings of one of them."""


class Settings(NamedTuple):
    """Settings of a solve that shape its program."""

    order: int = 8
    """Highest degree L of the multipoles of balls. With 1 each ball has one moment, which is exact
    in a uniform field only."""
    cells: tuple[int, ...] = (4, 4, 4)
    """Cells along each axis of a body that is divided, one number for each dimension."""
    law: Law = "linear"
    """Law of the material."""
    method: MethodName = "dense"
    """Elimination, or GMRES without a matrix."""
    tolerance: float = 1e-10
    """Relative residual that GMRES and Newton's method have to reach."""
    max_iterations: int = 1000
    """The most steps of GMRES for a linear system."""


class Rows(NamedTuple):
    """Rows of a source table by their use, so that no others are computed."""

    soft: tuple[Int[np.ndarray, " rows"] | Int[Array, " rows"], ...]
    """Soft rows of each body of the columns."""
    hard: Int[np.ndarray, " rows"] | Int[Array, " rows"]
    """Hard rows."""


def every_row(columns: SourceColumns, count: int) -> Rows:
    """All rows in each use, of which masks choose, as where their values are not known."""
    every = np.arange(count)
    return Rows((every,) * len(columns.bodies), every)


@partial(jax.jit, static_argnames=("columns", "settings"))
def solve(
    columns: SourceColumns,
    table: SourceTable,
    susceptibility: Float[Array, " sources"],
    applied_field: Float[Array, "sources dim"],
    saturation: Float[Array, " sources"],
    settings: Settings,
    rows: Rows | None = None,
) -> SoftSolution:
    """Solve for the magnetisation of soft bodies, without any check.

    All arrays must be of one float type; the digits that are promised need float64. Derivatives
    are those of the equations, by one more solve: of any order for the linear law, of the first
    for others.

    Args:
        columns: Columns of `table`.
        table: Source table; the moment is the remanent one. Rows of neither moment nor
            susceptibility are padding.
        susceptibility: chi of each row; 0 of a hard magnet.
        applied_field: Uniform field at each row [A/m].
        saturation: M_s of each row [A/m]; not read by the linear law.
        settings: Settings.
        rows: Rows by their use; all in each if None.

    Returns:
        The solution, whether it converged or not.
    """
    use = every_row(columns, len(table)) if rows is None else rows
    is_hard = susceptibility[use.hard] == 0
    full = SourceColumns.with_all_varying(columns.dim, *columns.bodies)
    hard = hard_rows(columns, full, table[use.hard], is_hard)
    bodies, places = _bodies(columns, table, susceptibility, settings, use)
    problem = _problem(full, table, hard, bodies, places, applied_field)
    chi = [
        _beside(susceptibility[place], like)
        for place, like in zip(places, problem.remanent, strict=True)
    ]
    limit = [
        _beside(saturation[place], like)
        for place, like in zip(places, problem.remanent, strict=True)
    ]
    material = _Material(settings.law, tuple(chi), tuple(limit))
    if bodies:
        states, fields, iterations = _magnetisation(problem, material, settings)
    else:
        states, fields, iterations = (), (), jnp.asarray(0)
    moments = jnp.zeros((len(table), columns.dim), table.dtype)
    moments = moments.at[use.hard].add(hard[:, : columns.dim])
    for body, place, state in zip(bodies, places, states, strict=True):
        of_body = jnp.where(body.is_soft[:, None], body.moments(state), 0)
        moments = moments.at[place].add(of_body)
    return SoftSolution(
        columns=columns,
        cells_columns=full,
        cells=uniform_bodies(full, hard, bodies, states),
        moments=moments,
        residual=_residual(problem, material, states, fields),
        iterations=iterations,
        hard=hard,
        bodies=bodies,
        magnetisations=states,
        fields=fields,
        applied_fields=tuple(applied_field[place] for place in places),
    )


class _Problem(NamedTuple):
    """Equations M = f(H) + M_rem, H = H_0 + K M."""

    bodies: Bodies
    outside: States
    """H_0: applied field and that of the hard magnets."""
    remanent: States


class _Material(NamedTuple):
    law: Law
    susceptibility: States
    saturation: States

    def magnetisation(self, fields: States) -> tuple[States, Slopes]:
        """f(H) and its slope."""
        if self.law == "linear":
            return times(self.susceptibility, fields), self.susceptibility
        found = [
            response(self.law, field, chi[..., 0], limit[..., 0])
            for field, chi, limit in zip(fields, self.susceptibility, self.saturation, strict=True)
        ]
        return tuple(each.magnetisation for each in found), tuple(each.slope for each in found)


def _bodies(
    columns: SourceColumns,
    table: SourceTable,
    susceptibility: Float[Array, " sources"],
    settings: Settings,
    use: Rows,
) -> tuple[Bodies, tuple[Array | np.ndarray, ...]]:
    """Bodies of each kind that can be soft, and their rows."""
    bodies: list[Balls | Divided] = []
    places = []
    for name, place in zip(columns.bodies, use.soft, strict=True):
        kind = KINDS[name]
        if kind.is_point or not len(place):
            continue
        rows = table[place]
        (own,) = (
            each for each in by_kind(columns, rows, susceptibility[place] != 0) if each.kind is kind
        )
        dim = columns.dim
        centres = jnp.where(own.is_kind[:, None], rows[:, dim : 2 * dim], 0)
        found: Balls | Divided | None = Divided.of(own, settings.cells, centres)
        if found is None:
            radius = jnp.broadcast_to(kind.size(own.shape), (len(rows),))
            found = Balls(kind, centres, radius, own.is_kind, settings.order)
        bodies.append(found)
        places.append(place)
    return tuple(bodies), tuple(places)


def _problem(
    columns: SourceColumns,
    table: SourceTable,
    hard: Float[Array, "magnets hard_columns"],
    bodies: Bodies,
    places: tuple[Array | np.ndarray, ...],
    applied_field: Float[Array, "sources dim"],
) -> _Problem:
    of_hard = _field_of_hard(columns, hard, bodies)
    outside, remanent = [], []
    for body, place, received in zip(bodies, places, of_hard, strict=True):
        volume = jnp.where(body.is_soft, body.volume, 1)
        own = body.uniform(table[place][:, : columns.dim] / volume[:, None])
        outside.append(_masked(body.is_soft, body.uniform(applied_field[place]) + received))
        remanent.append(_masked(body.is_soft, own))
    return _Problem(bodies, tuple(outside), tuple(remanent))


def _field_of_hard(
    columns: SourceColumns, hard: Float[Array, "magnets hard_columns"], bodies: Bodies
) -> States:
    """Field of the hard magnets in the soft bodies, by one sum over all."""
    if not bodies or not len(hard):
        return tuple(jnp.zeros(()) for _ in bodies)
    is_used = jnp.concatenate([body.is_used for body in bodies])
    points = jnp.concatenate([body.points for body in bodies])
    # Points of rows that are not soft may be anywhere, also in a dipole.
    points = jnp.where(is_used[:, None], points, points[jnp.argmax(is_used)])
    found = jnp.where(is_used[:, None], field_of_hard(columns, hard, points), 0)
    ends = np.cumsum([len(body.points) for body in bodies])[:-1]
    parts = jnp.split(found, ends)
    return tuple(body.received(part) for body, part in zip(bodies, parts, strict=True))


def _masked(is_soft: Bool[Array, " bodies"], state: Array) -> Array:
    return jnp.where(jnp.expand_dims(is_soft, tuple(range(1, state.ndim))), state, 0)


def _beside(values: Float[Array, " bodies"], state: Array) -> Array:
    """A number of each body, with as many axes as its states; the last of length 1."""
    return jnp.broadcast_to(
        jnp.expand_dims(values, tuple(range(1, state.ndim))), (*state.shape[:-1], 1)
    )


def _magnetisation(
    problem: _Problem, material: _Material, settings: Settings
) -> tuple[States, States, Int[Array, ""]]:
    """M and H of all bodies, with derivatives.

    One step of Newton's method from a field H* that is a constant: from 0 for the linear law, which
    it solves; from the solution for others, where its derivatives are those of the solution.
    """
    start, iterations = jax.tree.map(jnp.zeros_like, problem.outside), jnp.asarray(0)
    fixed, *numbers = jax.lax.stop_gradient((problem, material.susceptibility, material.saturation))
    dense = settings.method == "dense"
    matrix = field_matrix(fixed.bodies, problem.outside) if dense else None
    if material.law != "linear":
        start, iterations = _newton(fixed, _Material(material.law, *numbers), settings, matrix)
    found = _step(problem, material, settings, start, matrix)
    return found.states, _fields(problem, found.states, matrix), iterations + found.iterations


def _step(
    problem: _Problem,
    material: _Material,
    settings: Settings,
    fields: States,
    matrix: Float[Array, "size size"] | None,
) -> Solved:
    """M of the law's tangent at fields H*: (1 - D K) M = f(H*) + M_rem + D (H_0 - H*)."""
    made, slopes = material.magnetisation(fields)
    change = times(slopes, _difference(problem.outside, fields))
    right = _sum(_sum(made, problem.remanent), change)
    return solved(
        problem.bodies,
        slopes,
        right,
        matrix,
        settings.tolerance,
        settings.max_iterations,
    )


def _fields(
    problem: _Problem, states: States, matrix: Float[Array, "size size"] | None = None
) -> States:
    """H = H_0 + K M."""
    if matrix is None:
        return _sum(problem.outside, field_of(problem.bodies, states))
    return _sum(problem.outside, field_by_matrix(matrix, problem.bodies, states))


def _newton(
    problem: _Problem,
    material: _Material,
    settings: Settings,
    matrix: Float[Array, "size size"] | None,
) -> tuple[States, Int[Array, ""]]:
    """The field inside by Newton's method for H = H_0 + K (f(H) + M_rem), from H = 0.

    From there on the steps of one body fall short, as f bends down, and do not run into saturation;
    where one goes too far all the same, it is halved.
    """
    zero = jax.tree.map(jnp.zeros_like, problem.outside)
    size = norm(_fields(problem, problem.remanent, matrix))

    def error_of(fields: States) -> Array:
        """|H - H_0 - K M| relative to the field without induced magnetisation."""
        made = _sum(material.magnetisation(fields)[0], problem.remanent)
        error = norm(_difference(_fields(problem, made, matrix), fields))
        return error / jnp.where(size > 0, size, 1)

    def goes_on(so_far: tuple[States, Array, Array, Array]) -> Array:
        _, error, _, steps = so_far
        return (error > settings.tolerance) & (steps < _MOST_STEPS)

    def step(so_far: tuple[States, Array, Array, Array]) -> tuple[States, Array, Array, Array]:
        fields, error, count, steps = so_far
        found = _step(problem, material, settings, fields, matrix)
        aim = _fields(problem, found.states, matrix)

        def moved(share: Array) -> States:
            change = _difference(aim, fields)
            return _sum(fields, tuple(share * part for part in change))

        def too_far(trial: tuple[Array, Array]) -> Array:
            share, reached = trial
            return ~(reached < error) & (share > 0.5**_HALVINGS)

        def halved(trial: tuple[Array, Array]) -> tuple[Array, Array]:
            return trial[0] / 2, error_of(moved(trial[0] / 2))

        whole = jnp.ones((), error.dtype)
        share, reached = jax.lax.while_loop(too_far, halved, (whole, error_of(moved(whole))))
        return moved(share), reached, count + found.iterations, steps + 1

    begin = (zero, error_of(zero), jnp.asarray(0), jnp.asarray(0))
    fields, _, count, _ = jax.lax.while_loop(goes_on, step, begin)
    return fields, count


def _residual(
    problem: _Problem, material: _Material, states: States, fields: States
) -> Float[Array, ""]:
    """|M - f(H) - M_rem| over |M|, in the scale of the system; 0 where M is."""
    if not states:
        return jnp.zeros(())
    made, slopes = material.magnetisation(fields)
    factors = scales(slopes, problem.bodies[0].dim)
    rest = _difference(states, _sum(made, problem.remanent))
    size = norm(states)
    error = norm(tuple(factor * part for factor, part in zip(factors, rest, strict=True)))
    return jax.lax.stop_gradient(jnp.where(size > 0, error / jnp.where(size > 0, size, 1), error))


def _sum(first: States, second: States) -> States:
    return tuple(a + b for a, b in zip(first, second, strict=True))


def _difference(first: States, second: States) -> States:
    return tuple(a - b for a, b in zip(first, second, strict=True))
