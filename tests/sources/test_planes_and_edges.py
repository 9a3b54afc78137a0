"""Derivatives of boxes where a coordinate is 0, or on an edge, but for rounding."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from magnets import BOXES, directions, frames, half_sides, placed, rows_of

from hypermagnetics.sources import SourceColumns, superposition

_EVERY_BOX = [
    pytest.param(kind, id=name, marks=[pytest.mark.slow] * (name == "cuboid"))
    for name, kind in BOXES.items()
]
"""Each kind of box; derivatives of a cuboid compile for many seconds."""


@partial(jax.jit, static_argnums=0)
def slopes(
    kind: SourceColumns, row: jax.Array, point: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Field, gradient of the potential, and derivatives of the field by point and by row.

    For one point alone: that is how XLA computes a coordinate in several places.
    """

    def field(row: jax.Array, point: jax.Array) -> jax.Array:
        return superposition(kind, row[None], point[None])[1][0]

    def potential(point: jax.Array) -> jax.Array:
        return superposition(kind, row[None], point[None])[0][0]

    of_row, of_point = jax.jacfwd(field, argnums=(0, 1))(row, point)
    return field(row, point), jax.grad(potential)(point), of_point, of_row


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", _EVERY_BOX)
def test_derivatives_on_mid_planes_and_axes_of_turned_boxes(
    kind: SourceColumns, dtype: str
) -> None:
    """As beside them, and by the laws of Laplace and of translation."""
    random, eps = np.random.default_rng(62), float(np.finfo(dtype).eps)
    for degrees in range(0, 360, 15):
        angle = np.deg2rad(degrees)
        quaternion = [np.cos(angle / 2), 0, 0, np.sin(angle / 2)]
        if degrees % 30:
            quaternion = directions(random, 4)
        row = rows_of(
            kind,
            moment=random.normal(size=kind.dim),
            dimension=np.array([1.0, 0.7, 0.6])[: kind.dim],
            angle=angle,
            rotation=quaternion,
        )
        local = np.array([1.5, 0.0, 0.4])[: kind.dim][random.permutation(kind.dim)]
        step = 1e-3 * (local == 0)
        at, before, after = placed(kind, row[None], local + np.outer([0, -1, 1], step)[None])[0]
        given = jnp.asarray(row, dtype)
        found, *beside = (
            [np.asarray(x) for x in slopes(kind, given, jnp.asarray(p, dtype))]
            for p in (at, before, after)
        )
        field, gradient, of_point, of_row = found
        size = np.linalg.norm(of_point)
        bound = 100 * eps * size
        assert np.abs(gradient + field).max() < 100 * eps * np.linalg.norm(field)
        assert abs(np.trace(of_point)) < bound
        assert np.abs(of_point - of_point.T).max() < bound
        assert np.abs(of_row[:, kind.dim : 2 * kind.dim] + of_point).max() < bound
        for i, scale in ((2, size), (3, np.linalg.norm(of_row))):
            mean = (beside[0][i].astype(np.float64) + beside[1][i]) / 2
            assert np.abs(found[i] - mean).max() < (1e-5 + 100 * eps) * scale


@partial(jax.jit, static_argnums=0)
def field_of_slopes(kind: SourceColumns, row: jax.Array, point: jax.Array) -> jax.Array:
    """-grad phi, forwards along each axis."""

    def potential(point: jax.Array) -> jax.Array:
        return superposition(kind, row[None], point[None])[0][0]

    axes = jnp.eye(kind.dim, dtype=point.dtype)
    return jnp.stack([-jax.jvp(potential, (point,), (axis,))[1] for axis in axes])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", _EVERY_BOX)
def test_the_slope_of_the_potential_is_the_field_on_planes_of_turned_boxes(
    kind: SourceColumns, dtype: str
) -> None:
    """In a program in which a quarter of them were wrong, by up to 1.4 times the field."""
    value = jax.jit(lambda row, point: superposition(kind, row[None], point[None])[1][0])
    for degrees in range(0, 360, 5):
        angle = np.deg2rad(degrees)
        row = rows_of(
            kind,
            moment=np.array([1.0, 0.3, 0.5])[: kind.dim],
            dimension=np.array([1.0, 0.7, 0.6])[: kind.dim],
            angle=angle,
            rotation=[np.cos(angle / 2), 0, 0, np.sin(angle / 2)],
        )
        local = np.array([[1.5, 0.0, 0.4], [0.0, 2.0, 0.4]])[:, : kind.dim]
        given = jnp.asarray(row, dtype)
        for point in placed(kind, row[None], local[None])[0]:
            at = jnp.asarray(point, dtype)
            field, slopes_there = np.asarray(value(given, at)), field_of_slopes(kind, given, at)
            assert np.linalg.norm(slopes_there - field) < 1e-5 * np.linalg.norm(field)


@pytest.mark.slow
@pytest.mark.parametrize("kind", _EVERY_BOX)
def test_second_derivatives_on_the_extension_of_an_edge(kind: SourceColumns) -> None:
    """Beyond the end of an edge nothing diverges: they are the limit of differences."""

    @jax.jit
    def first(row: jax.Array, point: jax.Array, along: jax.Array) -> jax.Array:
        return jax.jvp(
            lambda point: superposition(kind, row[None], point[None])[1][0], (point,), (along,)
        )[1]

    @jax.jit
    def second(row: jax.Array, point: jax.Array, along: jax.Array) -> jax.Array:
        return jax.jvp(lambda point: first(row, point, along), (point,), (along,))[1]

    row = rows_of(
        kind,
        moment=np.array([0.3, 0.5, 1.0])[: kind.dim],
        dimension=np.array([1.0, 0.7, 0.6])[: kind.dim],
    )
    half, step = half_sides(kind, row[None])[0], 1e-4
    assert np.allclose(frames(kind, row[None]), np.eye(kind.dim))
    for beyond in np.eye(kind.dim):
        point = half * (1 + 2 * beyond)
        for along in np.eye(kind.dim):
            found = second(*map(jnp.asarray, (row, point, along)))
            ends = (
                first(*map(jnp.asarray, (row, point + s * step * along, along))) for s in (1, -1)
            )
            after, before = map(np.asarray, ends)
            difference = (after - before) / (2 * step)
            assert np.linalg.norm(found - difference) < 1e-4 * np.linalg.norm(difference)
