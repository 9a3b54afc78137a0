"""Memory-mapped shards of a split."""

import threading
from collections import OrderedDict
from typing import NamedTuple

from hypermagnetics.data.layout import ArrayName, Block, SplitLayout
from hypermagnetics.data.rows import ArrayRows
from hypermagnetics.data.storage import SplitStorage

_OPEN_FILES = 400
"""Most mapped files: each stays open, and a process may open 1024 by default."""


class MappedShard(NamedTuple):
    """One mapped shard."""

    rows: dict[ArrayName, ArrayRows]
    blocks: dict[int, Block]
    """Cached views, by place in the shard: making them takes longer than finding them."""


class MappedShards:
    """Maps shards on first access, and drops the least recently used ones.

    Any thread may read. Arrays that were returned stay valid: they hold their mapping.
    """

    def __init__(self, storage: SplitStorage, layout: SplitLayout) -> None:
        """Map nothing yet."""
        self._storage, self._layout = storage, layout
        self._lock = threading.Lock()
        self._mapped: OrderedDict[int, MappedShard] = OrderedDict()
        files = len(storage.shard_paths(layout.shard(0)))
        self._at_most = max(_OPEN_FILES // files, 1)

    def rows(self, number: int) -> dict[ArrayName, ArrayRows]:
        """The rows of each array in a shard; errors as `shard`."""
        return self.shard(number).rows

    def shard(self, number: int) -> MappedShard:
        """A shard, mapped.

        Raises:
            DatasetError: If its files break the format.
        """
        with self._lock:
            if number not in self._mapped:
                rows = self._storage.map_shard(self._layout.shard(number))
                self._mapped[number] = MappedShard(rows, {})
                while len(self._mapped) > self._at_most:
                    self._mapped.popitem(last=False)
            self._mapped.move_to_end(number)
            return self._mapped[number]
