"""Blocks and points of each step of a training.

A batch is a pure function of (seed, step), so a training resumes from one integer, and processes
that train together read parts of the batch that one of them alone would read.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from hypermagnetics.data.crops import Crops

_ORDER, _POINTS, _DISPLACEMENT, _STARTS, _FIXED_STARTS = 1, 2, 3, 4, 5
"""Purposes of random streams, so that no two share their numbers."""


@dataclass(frozen=True)
class Share:
    """Rank of a process among those that train together."""

    rank: int = 0
    world: int = 1
    """Number of processes."""


@dataclass(frozen=True)
class Division:
    """Blocks divided into parts, each of which is read nearly in the order of files.

    Every item of an epoch is displaced by at most `distance` shards from its place in the files, so
    that about that many shards of a part are read at a time; they fit into the page cache when the
    dataset does not. 0 is the order of files.
    """

    blocks_per_shard: int
    distance: int
    parts: int = 1
    """Parts that a batch has equally many blocks of. With as many as processes, each process reads
    shards of its own."""


class WindowStarts(NamedTuple):
    """Windows of the samples of some blocks."""

    first: np.ndarray
    """The first state of each window, (blocks, samples, windows)."""
    length: int
    """States of each window."""


@dataclass(frozen=True)
class Windows:
    """Windows of trajectories: consecutive states of each sample, from a random one on.

    All windows of a trajectory are equally probable, the first and the last alike.
    """

    num_states: int
    """States of a trajectory."""
    length: int
    """States of a window."""
    samples_per_block: int
    per_sample: int = 1
    """Windows of each sample."""

    def starts(self, seed: int, blocks: int, step: int) -> WindowStarts:
        """Random windows of each sample of the blocks of a step.

        Args:
            seed: Seed.
            blocks: Number of blocks.
            step: The step.
        """
        return self._drawn(_generator(seed, _STARTS, step), blocks)

    def fixed_starts(self, seed: int, block: int) -> WindowStarts:
        """Random windows of each sample of a block, the same in each step.

        Args:
            seed: Seed.
            block: Number of the block.
        """
        return self._drawn(_generator(seed, _FIXED_STARTS, block), 1)

    def _drawn(self, generator: np.random.Generator, blocks: int) -> WindowStarts:
        most = self.num_states - self.length
        shape = blocks, self.samples_per_block, self.per_sample
        return WindowStarts(generator.integers(0, most, shape, endpoint=True), self.length)


@dataclass(frozen=True)
class BatchSchedule:
    """Schedule of the blocks and points read in each step.

    The items of an epoch are the blocks, or, with crops, each crop of each block. They come in
    an order of their own in each epoch, and the epochs follow each other without a gap: step s
    reads places s n to (s + 1) n - 1 of that endless sequence, and rank r of w the r-th of w equal
    parts of them. Every item, and so every sample, comes exactly once an epoch, and no tail is left
    over.

    Divided, each part has such a sequence of its own items, of which a step reads n / parts. Where
    they are one block fewer than those of other parts, an empty block takes its place, so that
    epochs end together.
    """

    num_blocks: int
    blocks_per_batch: int
    """Blocks in the batch n of a step, of all ranks together: a multiple of ranks and parts."""
    seed: int
    num_points: int
    points_per_step: int | None = None
    """Number of points of the grids, or of the crops, in each step; all if None."""
    crops: Crops | None = None
    share: Share = Share()
    division: Division | None = None
    windows: Windows | None = None
    """Windows of trajectories; None for whole samples."""

    def window_starts(self, step: int) -> WindowStarts | None:
        """The windows of one step; None for whole samples."""
        if self.windows is None:
            return None
        drawn = self.windows.starts(self.seed, self.blocks_per_batch, step)
        return drawn._replace(first=drawn.first[self._own])

    def blocks(self, step: int) -> tuple[int | None, ...]:
        """The blocks of one step, counted from 0; None for an empty one."""
        return tuple(
            None if item is None else item // self._per_block for item in self._items(step)
        )

    def of(self, share: Share) -> "BatchSchedule":
        """The part of one rank."""
        return replace(self, share=share)

    def epoch(self, step: int) -> int:
        """The epoch, counted from 0, in which a step begins."""
        return self._places(step).start // self._epoch_length

    @property
    def points_in_step(self) -> int | None:
        """Number of points of each grid that `points` has; None for all."""
        count = self.num_points if self.crops is None else self.crops.num_points
        taken = min(self.points_per_step or count, count)
        return None if taken == self.num_points and self.crops is None else taken

    def points(self, step: int) -> np.ndarray | None:
        """The points of one step, ascending: (points,), (blocks, points) with crops, None for all.

        They are drawn without replacement, the same for all blocks of the step.
        """
        count = self.num_points if self.crops is None else self.crops.num_points
        drawn = None
        if self.points_per_step is not None and self.points_per_step < count:
            generator = _generator(self.seed, _POINTS, step)
            drawn = np.sort(generator.choice(count, self.points_per_step, replace=False))
        if self.crops is None:
            return drawn
        chosen = [self.crops.points((item or 0) % self._per_block) for item in self._items(step)]
        return np.stack([points if drawn is None else points[drawn] for points in chosen])

    @property
    def _per_block(self) -> int:
        return 1 if self.crops is None else len(self.crops)

    @property
    def _own(self) -> slice:
        """The places of this rank in a batch."""
        count = self.blocks_per_batch // self.share.world
        return slice(self.share.rank * count, (self.share.rank + 1) * count)

    @property
    def _parts(self) -> int:
        return 1 if self.division is None else self.division.parts

    @property
    def _epoch_length(self) -> int:
        """Length of an epoch in the sequence of `_places`."""
        return -(-self.num_blocks // self._parts) * self._per_block

    def _places(self, step: int) -> range:
        """Places of a step in the sequence of each part."""
        count = self.blocks_per_batch // self._parts
        return range(step * count, (step + 1) * count)

    def _items(self, step: int) -> tuple[int | None, ...]:
        every = [(part, place) for part in range(self._parts) for place in self._places(step)]
        return tuple(self._item(part, place) for part, place in every[self._own])

    def _item(self, part: int, place: int) -> int | None:
        epoch, within = divmod(place, self._epoch_length)
        if self.division is None:
            return int(_shuffled(self.seed, epoch, self._epoch_length)[within])
        distance = self.division.blocks_per_shard * self._per_block * self.division.distance
        bounds = tuple(
            n * self.num_blocks // self._parts * self._per_block for n in range(self._parts + 1)
        )
        own = _displaced(self.seed, epoch, bounds, distance)[part]
        return int(own[within]) if within < len(own) else None


def _generator(seed: int, purpose: int, index: int) -> np.random.Generator:
    words = np.array([seed, purpose << 56 | index], np.uint64)
    return np.random.Generator(np.random.Philox(key=words))


@lru_cache(maxsize=4)
def _shuffled(seed: int, epoch: int, length: int) -> np.ndarray:
    return _generator(seed, _ORDER, epoch).permutation(length)


@lru_cache(maxsize=4)
def _displaced(
    seed: int, epoch: int, bounds: tuple[int, ...], distance: int
) -> tuple[np.ndarray, ...]:
    """Shuffle the items of each part so that each stays within `distance` of its place."""
    # Each item moves back by less than the distance, so it overtakes, and is overtaken by, only
    # items within it.
    numbers = np.arange(bounds[-1])
    places = numbers + distance * _generator(seed, _DISPLACEMENT, epoch).random(bounds[-1])
    parts = (slice(*ends) for ends in pairwise(bounds))
    return tuple(numbers[part][np.argsort(places[part], kind="stable")] for part in parts)
