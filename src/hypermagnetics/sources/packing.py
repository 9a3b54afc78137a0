"""Random sequential addition: bodies placed one after another, without overlap."""

from collections.abc import Callable
from functools import partial, reduce
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int

from hypermagnetics.sources.distributions import Packed

CANDIDATES = 4
"""Places tried in one round for each sample."""

ROUNDING = 1e-6
"""Additional gap between bodies, as a share of the half width of the box, so that they are apart
also when all is computed in float32, which rounds at 6e-8."""

_ROUNDS = 250
"""Rounds to find a place for a body before the sample is begun anew."""

_DISTANCES_AT_ONCE = 1 << 20

_NORMALS_OF_BOXES = 17
"""Most pairs of planes between two boxes."""

_PARALLEL = 1e-9
"""Norm of the product of two edges below which they count as parallel."""

DrawRound = Callable[[slice, int], Float64[np.ndarray, "samples candidates dim"]]
"""Map from some of the samples and the number of a round to uniform numbers, `CANDIDATES` places
for each sample. The numbers of a sample must not depend on the other samples."""


class Packing(NamedTuple):
    """Positions, and the number of bodies placed in each sample, the largest first."""

    positions: Float32[np.ndarray, "samples sources dim"]
    """Positions [m]; zero for a body without a place."""
    placed: Bool[np.ndarray, "samples sources"]


class _Outlines(NamedTuple):
    """Outlines that keep their distance: boxes by their half edges, balls where these are zero."""

    radii: Float64[np.ndarray, "samples sources"]
    """Radius of the smallest circle or sphere around each [m]."""
    half_edges: Float64[np.ndarray, "samples sources edges dim"]
    """Half of each edge of a box as a vector [m]; zero of a ball."""

    def of(self, *index: Any) -> "_Outlines":
        """Some of them."""
        return _Outlines(self.radii[index], self.half_edges[index])

    @property
    def extents(self) -> Float64[np.ndarray, "*shape dim"]:
        """Half the sides of the smallest box along the axes of space around each [m]."""
        along = np.abs(self.half_edges).sum(axis=-2)
        found: np.ndarray = np.where(self._is_box[..., None], along, self.radii[..., None])
        return found

    @property
    def _is_box(self) -> Bool[np.ndarray, "*shape"]:
        found: np.ndarray = np.any(self.half_edges, axis=(-2, -1))
        return found

    @property
    def axes(self) -> Float64[np.ndarray, "*shape edges dim"]:
        """Unit vectors along the edges; of a ball those of space."""
        lengths = np.linalg.norm(self.half_edges, axis=-1, keepdims=True)
        is_edge, dim = lengths > 0, self.half_edges.shape[-1]
        axes: np.ndarray = np.where(
            is_edge, self.half_edges / np.where(is_edge, lengths, 1), np.eye(dim)
        )
        return axes

    def reach(self, direction: Float64[np.ndarray, "..."]) -> Float64[np.ndarray, "..."]:
        """Largest distance of a point of each from its centre along unit vectors [m]."""
        along = np.abs(np.einsum("...ed,...d->...e", self.half_edges, direction)).sum(axis=-1)
        found: np.ndarray = along + np.where(self._is_box, 0, self.radii)
        return found

    def outwards(self, offset: Float64[np.ndarray, "..."]) -> Float64[np.ndarray, "..."]:
        """Unit vectors from the nearest point of each box to points; zero inside it."""
        axes, halves = self.axes, np.linalg.norm(self.half_edges, axis=-1)
        along = np.einsum("...ed,...d->...e", axes, offset)
        beyond = np.einsum("...ed,...e->...d", axes, along - np.clip(along, -halves, halves))
        return _unit(beyond)


def pack(
    radii: Float64[np.ndarray, "samples sources"],
    num_sources: Int[np.ndarray, " samples"],
    dim: int,
    packed: Packed,
    draw: DrawRound,
    half_edges: Float64[np.ndarray, "samples sources edges dim"] | None = None,
) -> Packing:
    """Place the bodies of samples in a box so that none overlaps another.

    Largest first, each at the first of its random candidates that is free. The positions are
    rounded to float32 before they are compared. The time of a sample grows with the square of the
    number of its bodies.

    Args:
        radii: Radius of the smallest circle or sphere around each body [m].
        num_sources: Number of bodies of each sample.
        dim: Space dimension.
        packed: Box, gap, and when to give up.
        draw: Makes the random numbers.
        half_edges: Half of each edge of each body as a vector [m], 0 of balls; needed where bodies
            themselves keep their distance.

    Returns:
        Positions; a sample in which a body found no place is left incomplete.
    """
    num_samples, max_sources = radii.shape
    each = CANDIDATES * max_sources * (1 if packed.shape == "ball" else _NORMALS_OF_BOXES)
    step = max(_DISTANCES_AT_ONCE // each, 1)
    is_body = np.arange(max_sources) < num_sources[:, None]
    # Rows that are no body come last.
    order = np.argsort(np.where(is_body, -radii, np.inf), axis=1, kind="stable")
    edges = np.zeros((*radii.shape, dim, dim)) if half_edges is None else half_edges
    outlines = _Outlines(radii, edges).of(np.arange(num_samples)[:, None], order)
    places, counts = np.zeros((*radii.shape, dim)), np.zeros(num_samples, np.int64)
    for first in range(0, num_samples, step):
        part = slice(first, first + step)
        counts[part] = _place(
            places[part], outlines.of(part), num_sources[part], packed, partial(draw, part)
        )
    rank = np.argsort(order, axis=1)
    positions = np.take_along_axis(places, rank[:, :, None], axis=1)
    return Packing(positions.astype(np.float32), rank < counts[:, None])


def _place(
    places: np.ndarray,
    outlines: _Outlines,
    num_sources: np.ndarray,
    packed: Packed,
    draw: Callable[[int], np.ndarray],
) -> np.ndarray:
    """Fill in places in the order of the outlines, and return the number placed per sample."""
    placed, in_vain, begun = np.zeros((3, len(places)), np.int64)
    number = 0
    while (active := np.flatnonzero((placed < num_sources) & (begun < packed.attempts))).size:
        current = placed[active]
        most = int(current.max())
        own, others = outlines.of(active, current), outlines.of(active, slice(most))
        candidates = _candidates(draw(number)[active], own, packed)
        free = _are_free(candidates, own, places[active, :most], others, current, packed)
        found, first = free.any(axis=1), free.argmax(axis=1)
        done = active[found]
        places[done, current[found]] = candidates[found, first[found]]
        placed[done] += 1
        in_vain[active] += 1
        in_vain[done] = 0
        stuck = active[in_vain[active] == _ROUNDS]
        begun[stuck] += 1
        again = stuck[begun[stuck] < packed.attempts]
        placed[again] = in_vain[again] = 0
        number += 1
    return placed


def _candidates(uniform: np.ndarray, own: _Outlines, packed: Packed) -> np.ndarray:
    """Candidate places of bodies inside the box, rounded to float32; outside if it is too small."""
    reach = packed.half_width * (1 - ROUNDING) - own.extents
    places = reach[:, None] * (2 * uniform - 1)
    rounded: np.ndarray = places.astype(np.float32).astype(np.float64)
    return rounded


def _are_free(
    candidates: np.ndarray,
    own: _Outlines,
    places: np.ndarray,
    others: _Outlines,
    counts: np.ndarray,
    packed: Packed,
) -> np.ndarray:
    """Whether a body at each candidate is in the box and clear of the bodies already placed."""
    needed = packed.min_gap + ROUNDING * packed.half_width
    is_there = np.arange(others.radii.shape[1]) < counts[:, None]
    if packed.shape == "ball":
        apart = others.radii + own.radii[:, None] + needed
        apart[~is_there] = 0
        squared = np.zeros((*candidates.shape[:2], places.shape[1]))
        for axis in range(places.shape[2]):
            squared += (candidates[:, :, None, axis] - places[:, None, :, axis]) ** 2
        free: np.ndarray = (squared >= (apart**2)[:, None]).all(axis=2)
        return free
    offset = places[:, None] - candidates[:, :, None]
    one = own.of(slice(None), None, None)
    gap = _gaps(one, others.of(slice(None), None), offset)
    is_clear: np.ndarray = np.all((gap >= needed) | ~is_there[:, None], axis=2)
    fits: np.ndarray = np.all(own.extents < packed.half_width * (1 - ROUNDING), axis=-1)
    is_free: np.ndarray = is_clear & fits[:, None]
    return is_free


def _gaps(
    own: _Outlines, others: _Outlines, offset: Float64[np.ndarray, "*shape dim"]
) -> Float64[np.ndarray, "*shape"]:
    """Gaps between bodies, or less: the largest distance of two parallel planes that part them.

    The normals are those of all faces, of the planes along an edge of each, and the directions from
    the nearest point of one to the centre of the other, by which the gap of a ball is exact.
    """
    normals = [*np.moveaxis(own.axes, -2, 0), *np.moveaxis(others.axes, -2, 0)]
    if offset.shape[-1] == 3:
        count = len(normals) // 2
        edges = product(normals[:count], normals[count:])
        normals += [_unit(np.cross(first, second), _PARALLEL) for first, second in edges]
    normals += [own.outwards(offset), others.outwards(-offset)]
    gaps = (
        np.abs((normal * offset).sum(axis=-1)) - own.reach(normal) - others.reach(normal)
        for normal in normals
    )
    found: np.ndarray = reduce(np.maximum, gaps)
    return found


def _unit(vectors: np.ndarray, least: float = 0.0) -> np.ndarray:
    """Vectors over their norms; zero, which parts nothing, where these are not above the least."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: np.ndarray = np.where(norms > least, vectors / np.where(norms > 0, norms, 1), 0)
    return unit
