"""Files of numpy, .npy, with one map or one trajectory each, which patterns name.

However many there are, one is open at a time, and no more of them in memory than a block has.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from hypermagnetics.data.map_pattern import MapPattern
from hypermagnetics.data.npy_file import NpyFile, read_npy_header, refusal
from hypermagnetics.data.origin import OriginMaps
from hypermagnetics.data.row_files import NamedTypes

MAP = "a map, (channels, *spatial) with 2 or 3 spatial axes, none of length 0"
"""A map in the words of messages."""

_SPATIAL_AXES = (2, 3)


@dataclass(frozen=True)
class PatternFiles:
    """Checked files of one pattern, all of one shape."""

    pattern: MapPattern
    files: tuple[NpyFile, ...]
    """In the order of the samples."""
    channel_axis: int = 0
    """Axis of the channels: 0 of maps, 1 of trajectories."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a file: (channels, *spatial) of a map, (states, channels, ...) of states."""
        return self.files[0].shape

    @property
    def num_channels(self) -> int:
        """Number of channels of each file."""
        return self.shape[self.channel_axis]

    @property
    def types(self) -> NamedTypes:
        """The pattern, with the types of the values of its files."""
        return NamedTypes(self.pattern.name, tuple(dict.fromkeys(f.dtype for f in self.files)))


@dataclass(frozen=True)
class NpyMaps:
    """Checked files of patterns, an array whose rows have the channels of all of them."""

    parts: tuple[PatternFiles, ...]

    @property
    def num_rows(self) -> int:
        """Number of maps or trajectories."""
        return len(self.parts[0].files)

    @property
    def item_shape(self) -> tuple[int, ...]:
        """Shape of a row, with the channels of all patterns."""
        first = self.parts[0]
        shape = list(first.shape)
        shape[first.channel_axis] = sum(part.num_channels for part in self.parts)
        return tuple(shape)

    @property
    def types(self) -> tuple[NamedTypes, ...]:
        """The patterns, with the types of the values of their files."""
        return tuple(part.types for part in self.parts)

    @contextmanager
    def open(self) -> Iterator["NpyMapsReader"]:
        """A reader; each file is opened when it is read."""
        yield NpyMapsReader(self)


class NpyMapsReader:
    """Reader of maps or trajectories."""

    def __init__(self, about: NpyMaps) -> None:
        """Use `NpyMaps.open`."""
        self._about = about

    def origin(self) -> tuple[OriginMaps, ...]:
        """Patterns, types and sha256 of the files; all are read, errors as of `rows`."""
        return tuple(map(_origin, self._about.parts))

    def rows(self, numbers: Sequence[int] | np.ndarray) -> np.ndarray:
        """Maps or trajectories, rounded to float32.

        Args:
            numbers: Their numbers.

        Returns:
            The rows, (rows, *item), with the channels of all patterns.

        Raises:
            DatasetError: If a value is not finite or out of the range of float32, or a file is
                another than when it was checked.
        """
        found = np.empty((len(numbers), *self._about.item_shape), np.float32)
        for row, number in zip(found, np.asarray(numbers).tolist(), strict=True):
            first = 0
            for part in self._about.parts:
                channels = np.moveaxis(row, part.channel_axis, 0)
                with part.files[number].open() as reader:
                    values = np.moveaxis(reader.whole(), part.channel_axis, 0)
                    channels[first : first + part.num_channels] = values
                first += part.num_channels
        return found

    def refuse_another(self) -> None:
        """Refuse files that were changed since they were checked.

        Raises:
            DatasetError: If one is another file.
        """
        for part in self._about.parts:
            for file in part.files:
                file.refuse_another()


def read_maps(pattern: MapPattern, words: Sequence[str]) -> PatternFiles:
    """Read the headers of the files of a pattern, and check that each holds a map of one shape.

    Args:
        pattern: The pattern.
        words: Words of the files, in the order of the samples; at least one.

    Returns:
        Their structure; no values are read.

    Raises:
        DatasetError: If a file is unsound, is no map, or has another shape than the first.
    """
    files = tuple(read_npy_header(pattern.path_of(word)) for word in words)
    first = files[0]
    for file in files:
        if not is_map(file.shape):
            rule = f"A file of a pattern must be {MAP}"
            repair = "Save each map in a file of its own, channels first."
            if len(file.shape) == 2:  # the first of three axes is taken for that of channels
                repair = "Give a single channel an axis of its own: np.save(path, array[None])."
            raise refusal(rule, list(file.shape), file.path, repair)
        if file.shape != first.shape:
            rule = f"All files of a pattern must have the shape of the first, {first.path.name}"
            got = f"{list(file.shape)} in place of {list(first.shape)}"
            raise refusal(rule, got, file.path, "Take it out, or bring all to one shape.")
    return PatternFiles(pattern, files)


def is_map(shape: Sequence[int]) -> bool:
    """Whether an array of a shape is a map."""
    return len(shape) - 1 in _SPATIAL_AXES and min(shape) > 0


def _origin(part: PatternFiles) -> OriginMaps:
    digest = hashlib.sha256()
    for file in part.files:
        with file.open() as reader:
            digest.update(f"{reader.sha256()}\n".encode())
    name, dtypes = part.types
    return OriginMaps(
        pattern=name,
        num_files=len(part.files),
        num_channels=part.num_channels,
        sha256=digest.hexdigest(),
        dtypes=tuple(dict.fromkeys(dtype.name for dtype in dtypes)),
    )
