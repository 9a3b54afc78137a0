"""Blocks and points of each step of a training.

A batch is a pure function of (seed, step, rank, world), so a training resumes from one integer.
"""

from dataclasses import dataclass
from functools import lru_cache
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
    """Shards divided among the ranks, each of which reads its own nearly in the order of files.

    Every item of an epoch is displaced by at most `distance` shards from its place in the files, so
    that a rank reads from about that many shards at a time; they fit into the page cache when the
    dataset does not. 0 is the order of files.
    """

    blocks_per_shard: int
    distance: int


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
    an order of their own in each epoch, and the epochs follow each other without a gap: step s of
    rank r reads places (s world + r) n to (s world + r + 1) n - 1 of that endless sequence. Every
    item, and so every sample, comes exactly once an epoch, and no tail is left over.

    Divided, each rank has such a sequence of its own items. Where they are one block fewer than
    those of other ranks, an empty block takes its place, so that epochs end together.
    """

    num_blocks: int
    blocks_per_batch: int
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
        return self.windows.starts(self.seed, self.blocks_per_batch, step)

    def blocks(self, step: int) -> tuple[int | None, ...]:
        """The blocks of one step, counted from 0; None for an empty one."""
        return tuple(
            None if item is None else item // self._per_block for item in self._items(step)
        )

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
    def _own(self) -> range:
        """The items of this rank under a division."""
        rank, world = self.share.rank, self.share.world
        first, stop = (part * self.num_blocks // world for part in (rank, rank + 1))
        return range(first * self._per_block, stop * self._per_block)

    @property
    def _epoch_length(self) -> int:
        """Length of an epoch in the sequence of `_places`."""
        if self.division is None:
            return self.num_blocks * self._per_block
        return -(-self.num_blocks // self.share.world) * self._per_block

    def _places(self, step: int) -> range:
        turn = step
        if self.division is None:
            turn = step * self.share.world + self.share.rank
        return range(turn * self.blocks_per_batch, (turn + 1) * self.blocks_per_batch)

    def _items(self, step: int) -> tuple[int | None, ...]:
        found: list[int | None] = []
        for place in self._places(step):
            epoch, within = divmod(place, self._epoch_length)
            if self.division is None:
                found.append(int(_shuffled(self.seed, epoch, self._epoch_length)[within]))
                continue
            own = self._own
            per_shard = self.division.blocks_per_shard * self._per_block
            order = _displaced(self.seed, epoch, own, per_shard * self.division.distance)
            found.append(int(order[within]) if within < len(own) else None)
        return tuple(found)


def _generator(seed: int, purpose: int, index: int) -> np.random.Generator:
    words = np.array([seed, purpose << 56 | index], np.uint64)
    return np.random.Generator(np.random.Philox(key=words))


@lru_cache(maxsize=4)
def _shuffled(seed: int, epoch: int, length: int) -> np.ndarray:
    return _generator(seed, _ORDER, epoch).permutation(length)


@lru_cache(maxsize=4)
def _displaced(seed: int, epoch: int, items: range, distance: int) -> np.ndarray:
    """Shuffle items so that each stays within `distance` of its place."""
    # Each item moves back by less than the distance, so it overtakes, and is overtaken by, only
    # items within it. Ranks have other items, so one stream serves all.
    numbers = np.arange(items.start, items.stop)
    uniform = _generator(seed, _DISPLACEMENT, epoch).random(items.stop)[items.start :]
    return numbers[np.argsort(numbers + distance * uniform, kind="stable")]
