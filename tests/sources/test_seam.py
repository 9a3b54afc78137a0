"""Where the closed form of a box gives way to its multipole series, nothing shows."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from charge_integrals import box_values
from magnets import BOXES, directions, each, error_of, half_sides, part, random_rows, rows_of

from hypermagnetics.sources import SourceColumns
from hypermagnetics.sources.kinds.box_field import FAR, Octant, far_from
from hypermagnetics.sources.kinds.cuboid import closed_form as closed_cuboid
from hypermagnetics.sources.kinds.multipole import multipole
from hypermagnetics.sources.kinds.rectangle import closed_form as closed_rectangle
from hypermagnetics.sources.values import Rounding

_CLOSED = {2: closed_rectangle, 3: closed_cuboid}
_JUMP = 1e-13
_EVERY_BOX = pytest.mark.parametrize("kind", BOXES.values(), ids=BOXES)

Components = tuple[jax.Array, ...]


def closed(moment: Components, point: Components, half: Components) -> Components:
    """Potential and components of the field by the closed form."""
    beyond = [(x > a).astype(x.dtype) for x, a in zip(point, half, strict=True)]
    rounding = Rounding(*(jnp.finfo(point[0].dtype).eps * jnp.ones(2, point[0].dtype)))
    values = _CLOSED[len(point)](moment, Octant(point, half, beyond, rounding))
    return (values.potential, *values.field)


def series(moment: Components, point: Components, half: Components) -> Components:
    """The same by the series."""
    values = multipole(moment, point, tuple(2 * side for side in half))
    return (values.potential, *values.field)


Box = tuple[Components, Components, Components]
"""Moment, point and half sides."""


@partial(jax.jit, static_argnums=0)
def derivative(
    form: Callable[..., Components], where: Box, step: Box
) -> tuple[Components, Components]:
    """Values of a form, and how they change along a step."""
    return jax.jvp(form, where, step)


def values_of(form: Callable[..., Components], where: Box) -> np.ndarray:
    """Potential and field, (1 + dim, count); without compiling again."""
    return np.stack(derivative(form, where, where)[0])


def scaled(vector: Components, factor: float) -> Components:
    """A vector times a number."""
    return tuple(factor * component for component in vector)


def boxes(dim: int, count: int = 300) -> Box:
    """Moments, directions and half sides, as closed forms want them.

    The longest side comes first, half the diagonal is 1, and no coordinate is negative.
    """
    random = np.random.default_rng(51)
    half = np.sort(4 ** random.uniform(-0.5, 0.5, (count, dim)))[:, ::-1]
    half /= np.linalg.norm(half, axis=-1, keepdims=True)
    moments, towards = random.normal(size=(count, dim)), np.abs(directions(random, count, dim))
    return tuple(tuple(jnp.asarray(vectors.T)) for vectors in (moments, towards, half))


def natural_scale(values: np.ndarray, distance: float) -> np.ndarray:
    """Magnitude of the potential and of each component of the field, by the length of H."""
    length = np.linalg.norm(values[1:], axis=0)
    return np.stack([length * distance] + [length] * (len(values) - 1))


@pytest.mark.slow
@_EVERY_BOX
def test_closed_form_and_series_agree_where_they_meet(kind: SourceColumns) -> None:
    """Also a factor of two before and after."""
    moment, towards, half = boxes(kind.dim)
    for distance in (FAR / 2, FAR, 2 * FAR):
        where = (moment, scaled(towards, distance), half)
        near, far = (values_of(form, where) for form in (closed, series))
        scale = natural_scale(far, distance)
        assert (np.abs(near - far) / scale).max() < _JUMP


@pytest.mark.slow
@_EVERY_BOX
def test_in_single_precision_the_series_begins_where_its_error_is_rounding(
    kind: SourceColumns,
) -> None:
    moment, towards, half = boxes(kind.dim)
    distance = far_from(jnp.dtype("float32"))
    assert distance < FAR == far_from(jnp.dtype("float64"))
    where = (moment, scaled(towards, distance), half)
    near, far = (values_of(form, where) for form in (closed, series))
    jump = np.abs(near - far) / natural_scale(far, distance)
    assert jump.max() < np.finfo(np.float32).eps / 4


@pytest.mark.slow
@_EVERY_BOX
def test_derivatives_of_closed_form_and_series_agree_where_they_meet(kind: SourceColumns) -> None:
    """When moment, point or sides change by a part of themselves."""
    moment, towards, half = boxes(kind.dim)
    where = (moment, scaled(towards, FAR), half)
    random = np.random.default_rng(52)
    for changed in range(3):
        step = tuple(
            tuple(x * float(random.normal() * (i == changed)) for x in vector)
            for i, vector in enumerate(where)
        )
        (_, near), (values, far) = (derivative(form, where, step) for form in (closed, series))
        scale = natural_scale(np.stack(values), FAR)
        assert (np.abs(np.stack(near) - np.stack(far)) / scale).max() < _JUMP


@pytest.mark.slow
@_EVERY_BOX
def test_gradients_of_closed_forms_in_single_precision_have_its_digits(kind: SourceColumns) -> None:
    """In reverse mode, from the box to beyond the seam: no product of lengths is too large."""
    moment, towards, half = boxes(kind.dim)
    distance = np.geomspace(2, 2 * far_from(jnp.dtype(jnp.float32)), len(half[0]))
    where = (moment, tuple(distance * x for x in towards), half)
    single = jax.tree.map(lambda array: array.astype(jnp.float32), where)
    exact = jax.tree.map(lambda array: array.astype(jnp.float64), single)

    @jax.jit
    def gradient(moment: Components, point: Components, half: Components) -> Components:
        return jax.grad(lambda point: closed(moment, point, half)[0].sum())(point)

    error = error_of(-np.stack(gradient(*single), -1), values_of(closed, exact)[1:].T)
    assert np.median(error) < 1e-6
    assert error.max() < 1e-4


@_EVERY_BOX
def test_values_are_right_through_the_seam(kind: SourceColumns) -> None:
    """Against integration over the volume, which knows of no seam."""
    random = np.random.default_rng(53)
    rows = random_rows(kind, random, 4)
    rows = rows_of(kind, moment=part(kind, rows, "moment"), dimension=part(kind, rows, "dimension"))
    distance = FAR * np.array([0.3, 0.7, 1 - 1e-9, 1 + 1e-9, 1.4, 3])
    towards = directions(random, 4, 6, kind.dim)
    half_diagonal = np.linalg.norm(half_sides(kind, rows), axis=-1)
    points = towards * distance[:, None] * half_diagonal[:, None, None]
    potential, field = each(kind, rows[:, None], points)
    for row, at, phi, h in zip(rows, points, potential, field, strict=True):
        for point, got_phi, got_h in zip(at, phi, h, strict=True):
            truth, vector = box_values(
                part(kind, row, "moment"), point, part(kind, row, "dimension")
            )
            assert abs(got_phi - truth) < _JUMP * np.linalg.norm(vector) * np.linalg.norm(point)
            assert error_of(got_h, vector) < _JUMP


@pytest.mark.slow
@_EVERY_BOX
def test_the_error_of_the_series_is_of_fourth_order(kind: SourceColumns) -> None:
    moment, towards, half = boxes(kind.dim)
    distances = np.array([8.0, 16.0, 32.0, 64.0])
    errors = []
    for distance in distances:
        where = (moment, scaled(towards, distance), half)
        exact, found = (values_of(form, where) for form in (closed, series))
        errors.append(np.sqrt(np.mean(((found - exact) / natural_scale(exact, distance)) ** 2)))
    order = -np.polyfit(np.log(distances), np.log(errors), 1)[0]
    assert order == pytest.approx(4, abs=0.2)
