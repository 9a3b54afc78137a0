"""Memory-mapped shards of all splits of a process."""

import itertools
import resource
import threading
import weakref
from collections import OrderedDict
from dataclasses import dataclass, field

from hypermagnetics.data.dataset_files import DatasetFiles
from hypermagnetics.data.layout import AnyBlock, AnyLayout, ArrayName
from hypermagnetics.data.rows import ArrayRows
from hypermagnetics.data.storage import SplitStorage

_MOST_FILES = 400
"""Most mapped files of a process."""
_SHARE = 0.5
"""Most mapped files of a process, as a share of all that it may open; Python keeps each open."""

_LOCK = threading.Lock()
_USES = itertools.count()


@dataclass
class MappedShard:
    """One mapped shard."""

    rows: dict[ArrayName, ArrayRows]
    blocks: dict[int, AnyBlock] = field(default_factory=dict)
    """Cached views, by place in the shard: making them takes longer than finding them."""
    last_use: int = 0
    """Number of the last use, counted over all shards of the process."""


class MappedShards:
    """Maps shards on first access, and drops the least recently used ones of the process.

    Any thread may read. Arrays that were returned stay valid: they hold their mapping.
    """

    def __init__(self, storage: SplitStorage, layout: AnyLayout, files: DatasetFiles) -> None:
        """Map nothing yet."""
        self._storage, self._layout, self._files = storage, layout, files
        self._mapped: OrderedDict[int, MappedShard] = OrderedDict()
        self._files_each = len(storage.shard_paths(layout.shard(0)))
        with _LOCK:
            _ALL.add(self)

    def rows(self, number: int) -> dict[ArrayName, ArrayRows]:
        """The rows of each array in a shard; errors as `shard`."""
        return self.shard(number).rows

    def shard(self, number: int) -> MappedShard:
        """A shard, mapped.

        Raises:
            DatasetError: If its files break the format, or are others than before.
        """
        with _LOCK:
            found = self._mapped.get(number)
            if found is None:
                _make_room(self._files_each)
                found = MappedShard(
                    self._storage.map_shard(self._layout.shard(number), self._files)
                )
                self._mapped[number] = found
            self._mapped.move_to_end(number)
            found.last_use = next(_USES)
            return found

    @property
    def num_files(self) -> int:
        """Number of mapped files."""
        return len(self._mapped) * self._files_each

    @property
    def oldest_use(self) -> int:
        """Last use of the shard that was not used for longest; there must be one."""
        return next(iter(self._mapped.values())).last_use

    def drop_oldest(self) -> None:
        """Drop the shard that was not used for longest."""
        self._mapped.popitem(last=False)


_ALL: "weakref.WeakSet[MappedShards]" = weakref.WeakSet()
"""Those of all splits of the process."""


def _make_room(wanted: int) -> None:
    """Drop shards until some more files may be mapped."""
    most = _most_files()
    while mapped := [shards for shards in _ALL if shards.num_files]:
        if sum(shards.num_files for shards in mapped) + wanted <= most:
            return
        min(mapped, key=lambda shards: shards.oldest_use).drop_oldest()


def _most_files() -> int:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_FILES if limit == resource.RLIM_INFINITY else min(_MOST_FILES, int(limit * _SHARE))
