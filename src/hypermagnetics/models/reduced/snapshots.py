"""Magnetisations of soft boxes beside others, from which their modes are taken."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int64

from hypermagnetics.grids import components
from hypermagnetics.models.reduced.divided_box import Cells, DividedBox
from hypermagnetics.sources.values import dot, full_angle

_GENERATIONS = 3
"""Rounds in which boxes magnetise each other."""

_CHARGES_PER_SIDE = 2
"""Charges along each side of the face of a cell."""

_FAR = 3.0
"""Largest distance of neighbours."""

_MAGNETS_FROM = 0.3
"""Smallest distance of the dipoles that stand for hard magnets: those are not points, and a box of
them next to the soft one has the charges of a neighbour."""

_UNIFORM_FIELDS = 8
"""Susceptibilities of the answers to uniform fields along each axis."""

_UNIFORM_SIZE = 5.0
"""Norm of these answers, over that of others: they are a part of every configuration."""

_SCALES = (0.5, 2.0)
"""Sizes of neighbours over that of the box."""

_CHARGES_PER_STEP = 8
"""Charges summed in one fused loop over the cells."""


@dataclass(frozen=True)
class Surroundings:
    """The neighbours that are drawn for a box."""

    gap: float
    """Smallest distance between two bodies, in longest sides."""
    susceptibilities: tuple[float, float]
    """Least and largest chi, drawn evenly in its logarithm."""
    count: int
    """Fields of neighbours in each round."""


@dataclass(frozen=True)
class _Charges:
    """Surface charges of a divided box: M.n on the outer faces of its cells."""

    box: DividedBox

    @cached_property
    def _faces(self) -> list[tuple[int, Int64[np.ndarray, " cells"], float]]:
        """Axis, cells and sign of each face of the box."""
        ends = ((0, -1.0), (self.box.divisions - 1, 1.0))
        return [
            (axis, np.flatnonzero(self.box.indices[:, axis] == end), sign)
            for axis in range(self.box.dim)
            for end, sign in ends
        ]

    @cached_property
    def places(self) -> Float64[np.ndarray, "charges dim"]:
        """Places on the surface."""
        box, found = self.box, []
        steps = (np.arange(_CHARGES_PER_SIDE) + 0.5) / _CHARGES_PER_SIDE - 0.5
        for axis, cells, sign in self._faces:
            for along in itertools.product(steps, repeat=box.dim - 1):
                offset = np.insert(np.array(along), axis, sign / 2) * box.cell
                found.append(box.centres[cells] + offset)
        return np.concatenate(found)

    def of(
        self, magnetisation: Float64[np.ndarray, "cells dim"]
    ) -> Float64[np.ndarray, " charges"]:
        """The charges of a magnetisation, whose volume charges vanish in a soft body."""
        box, found = self.box, []
        per_face = _CHARGES_PER_SIDE ** (box.dim - 1)
        for axis, cells, sign in self._faces:
            area = box.cell_volume / box.cell[axis] / per_face
            found.append(np.tile(sign * area * magnetisation[cells, axis], per_face))
        return np.concatenate(found)


def snapshots(
    boxes: Sequence[DividedBox], surroundings: Surroundings, random: np.random.Generator
) -> list[np.ndarray]:
    """Magnetisations of each box in uniform fields, beside magnets and beside the others.

    At first each box answers to uniform fields, and to dipoles in any direction at any distance.
    Then, round after round, it answers to one neighbour of any of the boxes, of any size, rotation
    and distance, with a magnetisation of an earlier round. By superposition, what several
    neighbours do is in the span of what each of them does. The sizes of the answers to neighbours
    stay as they are, so that what is rare and small counts little.

    Args:
        boxes: The boxes.
        surroundings: Their neighbours.
        random: Random numbers.

    Returns:
        Magnetisations of each box, in its cells.
    """
    charges = [_Charges(box) for box in boxes]
    pools = [[_beside_magnets(box, surroundings, random)] for box in boxes]
    for _ in range(_GENERATIONS):
        earlier = [np.concatenate(pool) for pool in pools]
        for box, pool in zip(boxes, pools, strict=True):
            fields = [
                _field_of_neighbour(box, charges, earlier, surroundings, random)
                for _ in range(surroundings.count)
            ]
            drawn = _susceptibilities(surroundings, len(fields), random)
            pool.append(box.response(np.stack(fields), drawn))
    return [np.concatenate(pool) for pool in pools]


def places_around(
    box: DividedBox, least: float, most: float, count: int, random: np.random.Generator
) -> Float64[np.ndarray, "places dim"]:
    """Random places outside a box, evenly in the logarithm of their distance from its surface.

    Half of them lie off edges and corners, where fields vary most.

    Args:
        box: The box.
        least: Smallest distance.
        most: Largest distance.
        count: Number of places.
        random: Random numbers.
    """
    distance = np.exp(random.uniform(np.log(least), np.log(most), (count, 1)))
    surface, normal = _surface_points(box, count, random)
    at_edge = random.uniform(size=surface.shape) < 0.5
    at_edge &= random.uniform(size=(count, 1)) < 0.5
    surface = np.where(at_edge, np.copysign(np.array(box.sides) / 2, surface), surface)
    direction = random.normal(size=surface.shape)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    # Into the half space outside the face.
    across = np.sum(direction * normal, axis=1, keepdims=True)
    direction += (np.abs(across) - across) * normal
    places: np.ndarray = surface + distance * direction
    return places[box.gap(places) >= least]


def _surface_points(
    box: DividedBox, count: int, random: np.random.Generator
) -> tuple[Float64[np.ndarray, "points dim"], Float64[np.ndarray, "points dim"]]:
    """Even random points on the surface, and the outward normals there."""
    sides = np.array(box.sides)
    # The same draws as by `random.choice`, which takes five times as long for one point.
    up_to = np.cumsum(1 / sides)
    axis = np.searchsorted(up_to / up_to[-1], random.random(count), side="right")
    sign, rows = 2.0 * random.integers(0, 2, count) - 1, np.arange(count)
    points, normal = random.uniform(-0.5, 0.5, (count, box.dim)) * sides, np.zeros((count, box.dim))
    points[rows, axis], normal[rows, axis] = sign * sides[axis] / 2, sign
    return points, normal


def _beside_magnets(
    box: DividedBox, surroundings: Surroundings, random: np.random.Generator
) -> Cells:
    """The uniform magnetisations, and answers to uniform fields and to dipoles."""
    fields = []
    for place in places_around(box, _MAGNETS_FROM, _FAR, surroundings.count, random):
        offset, moment = box.centres - place, random.normal(size=box.dim)
        square = np.sum(offset**2, axis=1, keepdims=True)
        along = box.dim * (offset @ moment)[:, None] * offset / square - moment
        fields.append(along / square ** (box.dim / 2))
    field = np.stack(fields)
    answers = box.response(field, _susceptibilities(surroundings, len(field), random))
    steps = np.geomspace(*surroundings.susceptibilities, _UNIFORM_FIELDS)
    in_uniform = box.response(
        np.repeat(box.uniform, len(steps), axis=0), np.tile(steps, len(box.uniform))
    )
    found = np.concatenate([in_uniform, box.uniform, answers])
    sizes = np.where(np.arange(len(found)) < len(in_uniform), _UNIFORM_SIZE, 1.0)
    scaled: np.ndarray = found * (sizes / box.norms(found))[:, None, None]
    return scaled


def _field_of_neighbour(
    box: DividedBox,
    charges: Sequence[_Charges],
    magnetisations: Sequence[np.ndarray],
    surroundings: Surroundings,
    random: np.random.Generator,
) -> Float64[np.ndarray, "cells dim"]:
    """Field of a random neighbour, drawn again until it keeps the gap."""
    while True:
        number = int(random.integers(len(charges)))
        other, scale = charges[number], math.exp(random.uniform(*np.log(_SCALES)))
        turned = _rotation(box.dim, random)
        gap = math.exp(random.uniform(np.log(surroundings.gap), np.log(_FAR)))
        near = places_around(box, gap, gap * (1 + 1e-9), 1, random)
        touching, _ = _surface_points(other.box, 1, random)
        if not len(near):
            continue
        centre = near[0] - scale * (turned @ touching[0])
        # Most neighbours are refused by the cells of this box, of which there are few.
        if scale * other.box.gap((box.centres - centre) @ turned / scale).min() < surroundings.gap:
            continue
        places = centre + scale * other.places @ turned.T
        if box.gap(places).min() < surroundings.gap:
            continue
        chosen = magnetisations[number][int(random.integers(len(magnetisations[number])))]
        values = other.of(chosen / other.box.norms(chosen[None])[0])
        # Rounded here: JAX would run a program for each array.
        rounded = (array.astype(np.float32) for array in (box.centres, places, values))
        field = _of_charges(*map(jnp.asarray, rounded))
        return scale ** (box.dim - 1) * np.asarray(field, np.float64)


@jax.jit
def _of_charges(
    points: Float[Array, "points dim"],
    places: Float[Array, "charges dim"],
    charges: Float[Array, " charges"],
) -> Float[Array, "points dim"]:
    """Field of point charges; single precision is enough to choose modes."""
    dim, where = points.shape[1], components(points)
    missing = -len(charges) % _CHARGES_PER_STEP
    steps = (-1, _CHARGES_PER_STEP)
    charges = jnp.pad(charges, (0, missing)).reshape(steps)
    places = jnp.pad(places, ((0, missing), (0, 0)), mode="edge").reshape(*steps, dim)

    def add(total: tuple[Array, ...], step: tuple[Array, Array]) -> tuple[tuple[Array, ...], None]:
        for charge, place in zip(*step, strict=True):
            offset = [axis - place[i] for i, axis in enumerate(where)]
            square = dot(offset, offset)
            weight = charge / (square if dim == 2 else square * jnp.sqrt(square))
            total = tuple(
                so_far + weight * part for so_far, part in zip(total, offset, strict=True)
            )
        return total, None

    none = (jnp.zeros_like(where[0]),) * dim
    total, _ = jax.lax.scan(add, none, (charges, places))
    return jnp.stack(total, axis=-1) / full_angle(dim)


def _susceptibilities(
    surroundings: Surroundings, count: int, random: np.random.Generator
) -> Float64[np.ndarray, " count"]:
    least, most = np.log(surroundings.susceptibilities)
    found: np.ndarray = np.exp(random.uniform(least, most, count))
    return found


def _rotation(dim: int, random: np.random.Generator) -> Float64[np.ndarray, "dim dim"]:
    """A rotation, evenly drawn."""
    basis, upper = np.linalg.qr(random.normal(size=(dim, dim)))
    basis = basis * np.sign(np.diag(upper))
    if np.linalg.det(basis) < 0:
        basis[:, 0] *= -1
    return basis
