"""Magnets for tests: every body in its every dimension, at random, each evaluated alone."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hypermagnetics.sources import BodyName, SourceColumns, superposition
from hypermagnetics.table import SHAPES

_BODIES: tuple[tuple[BodyName, int], ...] = (
    ("dipole", 2),
    ("disc", 2),
    ("rectangle", 2),
    ("dipole", 3),
    ("sphere", 3),
    ("cuboid", 3),
)
KINDS = {
    f"{body} in {dim}D": SourceColumns.of(body, dim=dim, varying=SHAPES[body])
    for body, dim in _BODIES
}
"""The columns of each kind of magnet, with nothing left constant."""

BUT_SLOW_CUBOIDS = [
    pytest.param(kind, id=name, marks=[pytest.mark.slow] * ("cuboid" in kind.bodies))
    for name, kind in KINDS.items()
]
"""Each kind, for tests in which that of cuboids compiles for many seconds."""

RECTANGLE, CUBOID = KINDS["rectangle in 2D"], KINDS["cuboid in 3D"]
DIPOLES = {name: kind for name, kind in KINDS.items() if kind.bodies == ("dipole",)}
BOXES = {"rectangle": RECTANGLE, "cuboid": CUBOID}
EXTENDED = {name: kind for name, kind in KINDS.items() if name not in DIPOLES}

FEW = 1024
"""Points of one gradient, at most."""

_PAIRS = 1 << 12
"""Sources and points are paired and evaluated so many at a time: one compilation serves all."""


def rows_of(kind: SourceColumns, **parts: np.ndarray | float | list) -> np.ndarray:
    """Rows of a source table by the names of columns, or of vectors; zeros, unturned if left out.

    What the kind has no column for is passed over.
    """
    found: dict[str, np.ndarray | float] = dict.fromkeys(kind.names, 0.0)
    found |= {"rotation_w": 1.0} if kind.has("rotation_w") else {}
    for name, part in parts.items():
        if kind.has(name):
            found[name] = part
        axes = [column for column in kind.names if column.startswith(f"{name}_")]
        found |= {column: np.asarray(part)[..., i] for i, column in enumerate(axes)}
    return np.stack(np.broadcast_arrays(*found.values()), -1).astype(np.float64)


def part(kind: SourceColumns, rows: np.ndarray, name: str) -> np.ndarray:
    """A column of rows by its name, or the columns of a vector."""
    if kind.has(name):
        return rows[..., kind.index(name)]
    return rows[..., [i for i, column in enumerate(kind.names) if column.startswith(f"{name}_")]]


def random_rows(
    kind: SourceColumns, random: np.random.Generator, count: int, ratio: float = 4
) -> np.ndarray:
    """Magnets of any moment, position, size and rotation; sides differ by up to `ratio`."""
    return rows_of(
        kind,
        moment=random.normal(size=(count, kind.dim)),
        position=random.normal(size=(count, kind.dim)),
        radius=random.uniform(0.5, 1.5, count),
        dimension=ratio ** random.uniform(-0.5, 0.5, (count, kind.dim)),
        angle=random.uniform(-np.pi, np.pi, count),
        rotation=directions(random, count, 4),
    )


def directions(random: np.random.Generator, *shape: int) -> np.ndarray:
    """Unit vectors, uniform over the circle or the sphere; the last of `shape` is `dim`."""
    vectors = random.normal(size=shape)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def frames(kind: SourceColumns, rows: np.ndarray) -> np.ndarray:
    """Matrices that turn the frame of each magnet into space; their columns are its edges."""
    if kind.has("rotation_w"):
        w, x, y, z = np.moveaxis(part(kind, rows, "rotation"), -1, 0)
        flat = np.stack([w, -z, y, z, w, -x, -y, x, w], -1)
        turn = flat.reshape(*rows.shape[:-1], 3, 3)  # w + v x: applied twice it turns by 2 v
        vector = np.stack([x, y, z], -1)
        return turn @ turn + vector[..., :, None] * vector[..., None, :]
    if kind.has("angle"):
        cosine, sine = np.cos(part(kind, rows, "angle")), np.sin(part(kind, rows, "angle"))
        return np.stack([cosine, -sine, sine, cosine], -1).reshape(*rows.shape[:-1], 2, 2)
    return np.broadcast_to(np.eye(kind.dim), (*rows.shape[:-1], kind.dim, kind.dim))


def placed(kind: SourceColumns, rows: np.ndarray, local: np.ndarray) -> np.ndarray:
    """Points given in the frame of each magnet, (magnets, points, dim), put into space."""
    turned = np.einsum("sij,spj->spi", frames(kind, rows), local)
    return turned + part(kind, rows, "position")[:, None]


def half_sides(kind: SourceColumns, rows: np.ndarray) -> np.ndarray:
    """Half the extent along each axis of the magnet; 1 for a dipole, which has none."""
    if kind.has("dimension_x"):
        return part(kind, rows, "dimension") / 2
    radius = part(kind, rows, "radius") if kind.has("radius") else np.ones(rows.shape[:-1])
    return np.repeat(radius[..., None], kind.dim, -1)


def sizes(kind: SourceColumns, rows: np.ndarray) -> np.ndarray:
    """The longest side, or the diameter; 2 for a dipole, which has none."""
    return 2 * half_sides(kind, rows).max(-1)


def volumes(kind: SourceColumns, rows: np.ndarray) -> np.ndarray:
    """Volume of each magnet, in two dimensions its area."""
    sides = np.prod(2 * half_sides(kind, rows), -1)
    return sides * np.pi / (2 * kind.dim) if kind.has("radius") else sides


def around(
    kind: SourceColumns, rows: np.ndarray, random: np.random.Generator, reach: np.ndarray
) -> np.ndarray:
    """Points in random directions around each magnet, in its frame.

    They are `reach` sizes (magnets, points) away from the surface; from the position of a dipole.
    """
    direction = directions(random, *reach.shape, kind.dim)
    half = half_sides(kind, rows)[:, None]
    surface = half * direction
    if kind.has("dimension_x"):
        surface = half * direction / np.abs(direction).max(-1, keepdims=True)
    elif not kind.has("radius"):
        surface = np.zeros_like(direction)
    return surface + direction * (reach * sizes(kind, rows)[:, None])[..., None]


def within(
    kind: SourceColumns, rows: np.ndarray, random: np.random.Generator, count: int
) -> np.ndarray:
    """Points inside each magnet, in its frame, up to 0.95 of the way to the surface."""
    shape = (len(rows), count, kind.dim)
    if kind.has("radius"):
        inside = directions(random, *shape) * random.uniform(0, 0.95, (*shape[:2], 1))
    else:
        inside = random.uniform(-0.95, 0.95, shape)
    return inside * half_sides(kind, rows)[:, None]


@partial(jax.jit, static_argnames="kind")
def _pairs(kind: SourceColumns, rows: jax.Array, points: jax.Array) -> tuple:
    return jax.vmap(lambda row, point: superposition(kind, row[None], point[None]))(rows, points)


def each(
    kind: SourceColumns, rows: np.ndarray, points: np.ndarray, dtype: str = "float64"
) -> tuple[np.ndarray, np.ndarray]:
    """Potential and field of magnets alone; all but the last axes broadcast as in numpy."""
    shape = np.broadcast_shapes(rows.shape[:-1], points.shape[:-1])
    count = int(np.prod(shape))
    places = np.minimum(np.arange(count + -count % _PAIRS), count - 1).reshape(-1, _PAIRS)
    rows = np.broadcast_to(rows, (*shape, rows.shape[-1])).reshape(count, -1).astype(dtype)
    points = np.broadcast_to(points, (*shape, kind.dim)).reshape(count, -1).astype(dtype)
    chunks = [_pairs(kind, jnp.asarray(rows[at]), jnp.asarray(points[at])) for at in places]
    potential, field = (np.concatenate(values)[:count] for values in zip(*chunks, strict=True))
    assert potential.dtype == field.dtype == dtype
    return potential.reshape(shape), field.reshape(*shape, kind.dim)


@partial(jax.jit, static_argnames="kind")
def _gradient(
    kind: SourceColumns,
    row: jax.Array,
    points: jax.Array,
    weights: jax.Array,
    num_sources: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    def loss(row: jax.Array, points: jax.Array) -> jax.Array:
        potential, field = superposition(kind, row[None], points, num_sources)
        return (weights[:, 0] * potential).sum() + (weights[:, 1:] * field).sum()

    return jax.grad(loss, argnums=(0, 1))(row, points)


def gradient(
    kind: SourceColumns,
    row: np.ndarray,
    points: np.ndarray,
    weights: np.ndarray,
    num_sources: int = 1,
) -> tuple[np.ndarray, np.ndarray]:
    """`jax.grad` of a weighted sum of potentials and fields of one magnet.

    It is taken with respect to the magnet and to the points, in their float type. Points are filled
    up with the first of them, without weight, as compiling takes seconds.
    """
    count, dtype = len(points), points.dtype
    places = np.where(np.arange(FEW) < count, np.arange(FEW), 0)
    weights = np.where(np.arange(FEW)[:, None] < count, weights[places], 0)
    given = (jnp.asarray(array, dtype) for array in (row, points[places], weights))
    of_row, of_points = _gradient(kind, *given, jnp.asarray(num_sources))
    assert of_row.dtype == of_points.dtype == dtype
    return np.asarray(of_row), np.asarray(of_points)[:count]


@partial(jax.jit, static_argnames="kind")
def _slopes(
    kind: SourceColumns, row: jax.Array, points: jax.Array, along: jax.Array
) -> tuple[jax.Array, jax.Array]:
    return jax.jvp(lambda points: superposition(kind, row[None], points), (points,), (along,))[1]


def jacobians(kind: SourceColumns, rows: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Derivatives of potential and field with respect to the points of each magnet.

    (magnets, points, 1 + dim, dim), forwards along each axis: that of a cuboid compiles in a
    seventh of the time of `gradient`, which has tests of its own.
    """
    places = np.minimum(np.arange(FEW), points.shape[1] - 1)
    found = np.empty((*points.shape[:2], 1 + kind.dim, kind.dim))
    for each_found, row, where in zip(found, rows, points[:, places], strict=True):
        for axis, unit in enumerate(np.eye(kind.dim)):
            along = np.broadcast_to(unit, where.shape)
            of_potential, of_field = _slopes(kind, *map(jnp.asarray, (row, where, along)))
            each_found[:, 0, axis] = of_potential[: points.shape[1]]
            each_found[:, 1:, axis] = of_field[: points.shape[1]]
    return found


def error_of(values: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """|values - truth| / |truth|, vectors by their norm over the last axis."""
    error = np.asarray(values, np.float64) - truth
    return np.linalg.norm(error, axis=-1) / np.linalg.norm(truth, axis=-1)


def potential_scale(kind: SourceColumns, rows: np.ndarray, points: np.ndarray) -> np.ndarray:
    """What phi is of the order of: the root of its squares over moments along each axis.

    The potential itself is zero on a whole surface, where no rounding is small beside it.
    """
    norm = np.linalg.norm(part(kind, rows, "moment"), axis=-1)
    total = np.zeros(np.broadcast_shapes(rows.shape[:-1], points.shape[:-1]))
    for axis in np.eye(kind.dim):
        along = rows.copy()
        along[..., : kind.dim] = norm[..., None] * axis
        total += each(kind, along, points)[0] ** 2
    return np.sqrt(total)
