"""Random sequential addition: bodies placed one after another, without overlap."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

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

DrawRound = Callable[[slice, int], Float64[np.ndarray, "samples candidates dim"]]
"""Map from some of the samples and the number of a round to uniform numbers, `CANDIDATES` places
for each sample. The numbers of a sample must not depend on the other samples."""


class Packing(NamedTuple):
    """Positions, and the number of bodies placed in each sample, the largest first."""

    positions: Float32[np.ndarray, "samples sources dim"]
    """Positions [m]; zero for a body without a place."""
    placed: Bool[np.ndarray, "samples sources"]


def pack(
    radii: Float64[np.ndarray, "samples sources"],
    num_sources: Int[np.ndarray, " samples"],
    dim: int,
    packed: Packed,
    draw: DrawRound,
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

    Returns:
        Positions; a sample in which a body found no place is left incomplete.
    """
    num_samples, max_sources = radii.shape
    step = max(_DISTANCES_AT_ONCE // (CANDIDATES * max_sources), 1)
    is_body = np.arange(max_sources) < num_sources[:, None]
    # Rows that are no body come last.
    order = np.argsort(np.where(is_body, -radii, np.inf), axis=1, kind="stable")
    sorted_radii = np.take_along_axis(radii, order, axis=1)
    places, counts = np.zeros((*radii.shape, dim)), np.zeros(num_samples, np.int64)
    for first in range(0, num_samples, step):
        part = slice(first, first + step)
        counts[part] = _place(
            places[part], sorted_radii[part], num_sources[part], packed, partial(draw, part)
        )
    rank = np.argsort(order, axis=1)
    positions = np.take_along_axis(places, rank[:, :, None], axis=1)
    return Packing(positions.astype(np.float32), rank < counts[:, None])


def _place(
    places: np.ndarray,
    radii: np.ndarray,
    num_sources: np.ndarray,
    packed: Packed,
    draw: Callable[[int], np.ndarray],
) -> np.ndarray:
    """Fill in places in the order of `radii`, and return the number of placed bodies per sample."""
    placed, in_vain, begun = np.zeros((3, len(radii)), np.int64)
    number = 0
    while (active := np.flatnonzero((placed < num_sources) & (begun < packed.attempts))).size:
        current = placed[active]
        most = int(current.max())
        radius = radii[active, current]
        candidates = _candidates(draw(number)[active], radius, packed)
        free = _are_free(
            candidates, radius, places[active, :most], radii[active, :most], current, packed
        )
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


def _candidates(uniform: np.ndarray, radius: np.ndarray, packed: Packed) -> np.ndarray:
    """Candidate places of bodies inside the box, rounded to float32."""
    reach = packed.half_width * (1 - ROUNDING) - radius
    places = reach[:, None, None] * (2 * uniform - 1)
    rounded: np.ndarray = places.astype(np.float32).astype(np.float64)
    return rounded


def _are_free(
    candidates: np.ndarray,
    radius: np.ndarray,
    places: np.ndarray,
    radii: np.ndarray,
    counts: np.ndarray,
    packed: Packed,
) -> np.ndarray:
    """Whether a body at each candidate keeps clear of the bodies already placed."""
    apart = radii + radius[:, None] + packed.min_gap + ROUNDING * packed.half_width
    apart[np.arange(apart.shape[1]) >= counts[:, None]] = 0  # no body there yet
    squared = np.zeros((*candidates.shape[:2], places.shape[1]))
    for axis in range(places.shape[2]):
        squared += (candidates[:, :, None, axis] - places[:, None, :, axis]) ** 2
    free: np.ndarray = (squared >= (apart**2)[:, None]).all(axis=2)
    return free
