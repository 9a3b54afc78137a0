"""Checking every file and value of a dataset, labels against sources, and states in time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from math import ceil
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hypermagnetics.cluster import Hands, InTurn, in_order
from hypermagnetics.data.dataset import Dataset
from hypermagnetics.data.file_cache import FileCache
from hypermagnetics.data.file_checks import check_directory
from hypermagnetics.data.formats import split_storage
from hypermagnetics.data.layout import ArrayName, Block, Shard
from hypermagnetics.data.manifest import (
    CHECKSUMS_NAME,
    MANIFEST_NAME,
    MOST_BYTES,
    FileEntry,
    Statistics,
)
from hypermagnetics.data.padding import refuse_bad_padding
from hypermagnetics.data.scratch import scratch_directory
from hypermagnetics.data.split import AnySplit, Split
from hypermagnetics.data.statistics import Gatherer, Sums, statistics_of
from hypermagnetics.data.stored_dataset import StoredFiles
from hypermagnetics.data.stores import is_url
from hypermagnetics.data.trajectories import MOMENTS, STATES, SUBSTEPS
from hypermagnetics.errors import DatasetError, is_passing
from hypermagnetics.log import SILENT, Listener

_IN_TURN = InTurn()
_SAMPLES_AT_ONCE = 32

Compute = Callable[[np.ndarray, np.ndarray, np.ndarray], Mapping[ArrayName, np.ndarray]]
"""Potential, field and further labels, by name, from sources, num_sources and grid."""
NextStates = Callable[[np.ndarray, Mapping[ArrayName, np.ndarray]], np.ndarray]
"""States a step later, in float64, from (states, *state) and, of moments, the sources and substeps
of the sample."""


def verify_split(split: AnySplit, listener: Listener = SILENT) -> None:
    """Check the sha256 of every file of a split, and that every value is allowed.

    Those of files in a store are checked when they come to this machine.

    Args:
        split: The split.
        listener: Receives the bytes of each file when it is done.

    Raises:
        DatasetError: With the first file whose bytes changed, or the first sample with a value
            that is not finite.
    """
    for entry in split.files():
        if split.has_file(entry.path):
            _refuse_sha256(split.sha256_of(entry.path), entry, split.directory)
        listener.advance(entry.bytes)
    for shard in split.layout.shards():
        if split.is_here(shard.number):
            _check_values(split, shard)


def find_problems(
    dataset: Dataset, listener: Listener = SILENT, hands: Hands = _IN_TURN
) -> Iterator[DatasetError]:
    """Check a whole dataset, and go on after a problem where possible.

    Args:
        dataset: The dataset, of which the manifest was read.
        listener: Receives the bytes of the files of each shard when they are done.
        hands: Where shards are checked; in this process unless given.

    Yields:
        Every problem: files without values, then shard by shard the files by size and sha256 and,
        if these are sound, the values, and last the units and statistics of the manifest.

    Raises:
        DatasetError: If the manifest is unusable, so that nothing can be compared with it, or was
            replaced meanwhile.
        OSError: If the operating system lets no more files be opened.
    """
    with _looked_at_anew(dataset, 0) as looked_at:
        for problem in _problems(looked_at, listener, hands):
            # Else the files of another dataset would be called damaged.
            dataset.files.refuse_another_manifest(dataset.sha256)
            yield problem
    dataset.files.refuse_another_manifest(dataset.sha256)


@contextmanager
def _looked_at_anew(dataset: Dataset, num_bytes: int) -> Iterator[Dataset]:
    """The dataset without the user's cache, which says nothing of the files that a store has."""
    if not isinstance(dataset.files, StoredFiles):
        yield dataset
        return
    with scratch_directory(num_bytes) as directory:
        yield dataset.through(FileCache(directory))


def _problems(dataset: Dataset, listener: Listener, hands: Hands) -> Iterator[DatasetError]:
    manifest = dataset.manifest
    dataset.refuse_other_names()
    yield from _problem(partial(_check_list, dataset))
    unsound = set()
    for entry in manifest.files:
        if entry.num_samples == 0:
            found = list(_problem(partial(check_file, dataset, entry)))
            yield from found
            unsound |= {entry.split} if found else set()
            listener.advance(entry.bytes)
    if manifest.columns[:1] == ("moment_x",):  # a table of ours, whose units are known
        yield from _problem(lambda: dataset.columns)
    usable = []
    for name in dataset.splits:
        try:
            dataset.any_split(name)
            usable.append(name)
        except (DatasetError, OSError) as error:
            if name not in unsound:
                yield _as_problem(error)
    work: Callable[[tuple[int, _Piece]], tuple[int, _Checked]]
    if isinstance(hands, InTurn):  # it is open here
        work = partial(_numbered, partial(_check_piece, dataset, tuple(usable)))
    else:
        is_stored = isinstance(dataset.files, StoredFiles)
        place = dataset.place if is_stored else str(dataset.directory.absolute())
        work = partial(_numbered, partial(_check_there, place, dataset.sha256, tuple(usable)))
    sums: dict[str, list[dict[ArrayName, Sums]]] = {name: [] for name in usable}
    for checked in in_order(hands.results(work, enumerate(_pieces(dataset)))):
        yield from checked.problems
        listener.advance(checked.num_bytes)
        if checked.sums is not None:
            sums[checked.split].append(checked.sums)
    for name, parts in sums.items():
        split = dataset.any_split(name)
        if len(parts) == split.layout.num_shards:
            yield from _problem(partial(_check_statistics, split, parts))


class _Piece(NamedTuple):
    """A shard to be checked."""

    split: str
    number: int
    entries: range
    """Places of its files in the manifest."""


class _Checked(NamedTuple):
    """A shard that was checked."""

    split: str
    problems: tuple[DatasetError, ...]
    num_bytes: int
    sums: dict[ArrayName, Sums] | None
    """Sums over its values; None if one of them, or a file, is not sound."""


def _pieces(dataset: Dataset) -> Iterator[_Piece]:
    """All shards in the order of the manifest, which was compared with the splits."""
    first = 0
    for name, place in dataset.places().items():
        storage = split_storage(dataset.manifest.storage_format, place)
        first += len(storage.metadata_paths())
        for shard in place.layout.shards():
            end = first + len(storage.shard_paths(shard))
            yield _Piece(name, shard.number, range(first, end))
            first = end


def _numbered(
    check: Callable[[_Piece], _Checked], piece: tuple[int, _Piece]
) -> tuple[int, _Checked]:
    number, one = piece
    return number, check(one)


def _check_there(place: str, sha256: str, usable: tuple[str, ...], piece: _Piece) -> _Checked:
    """Check a shard in a process that has not opened the dataset yet."""
    return _check_piece(_opened(place, sha256), usable, piece)


@lru_cache(1)
def _opened(place: str, sha256: str) -> Dataset:
    dataset = Dataset.open(place) if is_url(place) else Dataset.unchecked(place)
    dataset.refuse_unless(sha256)
    return dataset


def _check_piece(dataset: Dataset, usable: tuple[str, ...], piece: _Piece) -> _Checked:
    """Check the files of a shard, and if they are sound, its values."""
    entries = dataset.manifest.files[piece.entries.start : piece.entries.stop]
    with _looked_at_anew(dataset, sum(entry.bytes for entry in entries)) as looked_at:
        return _checked(looked_at, usable, piece, entries)


def _checked(
    dataset: Dataset, usable: tuple[str, ...], piece: _Piece, entries: tuple[FileEntry, ...]
) -> _Checked:
    problems: list[DatasetError] = []
    for entry in entries:
        problems += _problem(partial(check_file, dataset, entry))
    found: list[dict[ArrayName, Sums]] = []
    if not problems and piece.split in usable:
        split = dataset.any_split(piece.split)
        shard = split.layout.shard(piece.number)
        problems += _problem(partial(_check_shard, split, shard, found))
    size = sum(entry.bytes for entry in entries)
    return _Checked(piece.split, tuple(problems), size, found[0] if found else None)


class Recomputation(NamedTuple):
    """Comparison of recomputed labels or states with the stored ones."""

    num_samples: int
    worst: float
    """Largest difference, in units of the larger of |value| and of labels the median |value|, of
    states the root mean square, of the sample."""


def num_recomputed(split: AnySplit, fraction: float) -> int:
    """Number of samples in a fraction of a split, at least one."""
    return min(max(ceil(fraction * len(split)), 1), len(split))


def recompute_labels(
    split: Split,
    compute: Compute,
    fraction: float,
    tolerance: float,
    generator: np.random.Generator,
    listener: Listener = SILENT,
) -> Recomputation:
    """Compute the labels of a random fraction of the samples from the stored sources and grid.

    Args:
        split: The split.
        compute: Potential (samples, points), field (samples, points, dim) and further labels
            (samples, points, ...) of sources.
        fraction: Fraction of the samples; at least one is chosen.
        tolerance: Allowed difference, in units of the larger of |value| and the median |value|
            of the sample.
        generator: Chooses the samples.
        listener: Receives the number of samples just done.

    Returns:
        The comparison.

    Raises:
        DatasetError: With the first sample whose labels differ by more.
    """
    count = num_recomputed(split, fraction)
    chosen = np.sort(generator.choice(len(split), count, replace=False))
    worst = 0.0
    for block in np.unique(chosen // split.layout.samples_per_grid).tolist():
        samples = chosen[chosen // split.layout.samples_per_grid == block]
        for first in range(0, len(samples), _SAMPLES_AT_ONCE):
            part = samples[first : first + _SAMPLES_AT_ONCE]
            worst = max(worst, _compare(split, part, compute, tolerance))
            listener.advance(len(part))
    return Recomputation(count, worst)


def recompute_states(
    split: AnySplit,
    next_states: NextStates,
    fraction: float,
    tolerance: float,
    generator: np.random.Generator,
    listener: Listener = SILENT,
) -> Recomputation:
    """Compute every state of a random fraction of the samples from the stored one before it.

    Args:
        split: The split, which has the array `states`, or `moments` beside sources.
        next_states: States a step later.
        fraction: Fraction of the samples; at least one is chosen.
        tolerance: Allowed difference, in units of the larger of |value| and the root mean square
            of the sample, of states of their channel.
        generator: Chooses the samples.
        listener: Receives the number of samples just done.

    Returns:
        The comparison.

    Raises:
        DatasetError: With the first state that differs by more.
    """
    count = num_recomputed(split, fraction)
    name = MOMENTS if MOMENTS in split.layout.array_names else STATES
    worst = 0.0
    for sample in np.sort(generator.choice(len(split), count, replace=False)).tolist():
        one = range(sample, sample + 1)
        states = split.entries(name, one)[0].astype(np.float64)
        further = ("sources", SUBSTEPS) if name == MOMENTS else ()
        beside = {array: split.entries(array, one)[0] for array in further}
        found = next_states(states[:-1], beside)
        # In units of the root mean square of moments, or of a channel or component of states.
        others = tuple(i for i in range(states.ndim) if i != 1 or name == MOMENTS)
        scale = np.sqrt(np.mean(states**2, axis=others, keepdims=True))
        scale = np.maximum(np.abs(states[1:]), scale)
        difference = np.abs(found - states[1:])
        with np.errstate(invalid="ignore", divide="ignore"):
            relative = np.where(difference == 0, 0.0, difference / scale)
        place = np.unravel_index(int(np.argmax(relative)), relative.shape)
        if not relative[place] <= tolerance:
            index = [int(one) for one in place[1:]]
            raise DatasetError(
                f"The {name} must follow from the stored ones before them to {tolerance:g}; got "
                f"{states[1:][place]} where {found[place]} belongs (split {split.name!r}, sample "
                f"{sample}, state {int(place[0]) + 1}, index {index}, {split.directory}; rule V4). "
                f"The {name} are wrong at their source; make the dataset anew."
            )
        worst = max(worst, float(relative[place]))
        listener.advance(1)
    return Recomputation(count, worst)


def _compare(split: Split, samples: np.ndarray, compute: Compute, tolerance: float) -> float:
    """The largest difference of the labels of some samples of one block."""
    size = min(_SAMPLES_AT_ONCE, split.layout.samples_per_grid)
    # Always as many, so that one compiled function serves all.
    stored = split[np.pad(samples, (0, size - len(samples)), mode="edge")]
    found = compute(stored.sources, stored.num_sources, stored.grids[0])
    worst = 0.0
    padded = np.pad(samples, (0, size - len(samples)), mode="edge")
    for name, new in found.items():
        old = split.entries(name, padded)
        vectors = (len(old), split.layout.num_points, -1)
        old64, new64 = (np.asarray(a, np.float64).reshape(vectors) for a in (old, new))
        length = np.linalg.norm(old64, axis=-1)
        scale = np.maximum(length, np.median(length, axis=1, keepdims=True))
        difference = np.linalg.norm(new64 - old64, axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            relative = np.where(difference == 0, 0.0, difference / scale)
        place = divmod(int(np.argmax(relative)), relative.shape[1])
        if not relative[place] <= tolerance:
            raise DatasetError(
                f"The {name} must follow from the stored sources and grid to {tolerance:g}; got "
                f"{old64[place].tolist()} where {new64[place].tolist()} belongs (split "
                f"{split.name!r}, sample {samples[min(place[0], len(samples) - 1)]}, point "
                f"{place[1]}, {split.directory}; rule V4). The labels are wrong at their source, "
                "or were rounded otherwise; do not train on them before that is clear."
            )
        worst = max(worst, float(relative[place]))
    return worst


def _check_list(dataset: Dataset) -> None:
    """Refuse a list of checksums that is not that of the manifest, and linked directories."""
    lines = [f"{entry.sha256}  {entry.path}\n" for entry in dataset.manifest.files]
    expected = "".join([*lines, f"{dataset.sha256}  {MANIFEST_NAME}\n"]).encode()
    if isinstance(dataset.files, StoredFiles):
        is_same = dataset.files.read(CHECKSUMS_NAME, MOST_BYTES) == expected
    else:
        check_directory(dataset.directory, dataset.manifest, dataset.sha256)
        path = dataset.directory / CHECKSUMS_NAME
        is_same = path.stat().st_size == len(expected) and path.read_bytes() == expected
    if not is_same:
        raise DatasetError(
            f"{CHECKSUMS_NAME} must list the sha256 of every file as {MANIFEST_NAME} has it; got "
            f"another list ({dataset.place}; rule D6). Get the file from the dataset's source "
            "again."
        )


def check_file(dataset: Dataset, entry: FileEntry) -> None:
    """Check the presence, size and sha256 of a file.

    Raises:
        DatasetError: If one of them is not that of the manifest.
    """
    dataset.files.check(entry)
    _refuse_sha256(dataset.files.sha256_of(entry.path), entry, dataset.directory.resolve())


def _refuse_sha256(found: str, entry: FileEntry, directory: Path) -> None:
    if found != entry.sha256:
        raise DatasetError(
            f"{entry.path} must have sha256 {entry.sha256[:12]}...; got {found[:12]}... "
            f"({directory}; rule D5). The file changed after it was written; copy it from the "
            "dataset's source again."
        )


def _check_shard(split: AnySplit, shard: Shard, found: list[dict[ArrayName, Sums]]) -> None:
    """Check the values of a shard, and add its sums if all are sound."""
    found.append(_check_values(split, shard))


def _check_values(split: AnySplit, shard: Shard) -> dict[ArrayName, Sums]:
    layout, gatherer = split.layout, Gatherer(split.layout.declared_specs)
    for index in range(shard.first_block, shard.first_block + shard.num_blocks):
        block = split.block(index)
        if isinstance(block, Block):
            refuse_bad_padding(block, f"split {split.name!r}, block {index}, {split.directory}")
        for spec in layout.arrays():
            values = block.values(spec.name)
            if not (finite := np.isfinite(values)).all():
                place = int(np.argwhere(~finite)[0][0])
                is_block = spec.per == "block"
                what = "point" if is_block else "sample"
                number = place if is_block else index * layout.samples_per_block + place
                raise DatasetError(
                    f"{spec.name} must be finite; got {values[~finite][0]} (split {split.name!r}, "
                    f"block {index}, {what} {number}, {split.directory}; rule V1). The dataset is "
                    "wrong at its source; make it anew."
                )
        gatherer.add(block)
    return gatherer.sums()


def _check_statistics(split: AnySplit, parts: Sequence[Mapping[ArrayName, Sums]]) -> None:
    """Refuse statistics of the manifest that are not those of the stored values."""
    for name in split.layout.array_names:
        said = split.statistics(name)
        found = statistics_of([part[name] for part in parts if name in part])
        # Rounding of sums differs between processors, least and greatest do not.
        size = np.maximum(np.abs(found.min), np.abs(found.max))
        allowed = 1e-4 * np.array(found.std) + 1e-6 * size
        for key in Statistics.model_fields:
            ours, theirs = np.array(getattr(found, key)), np.array(getattr(said, key))
            wrong = np.abs(ours - theirs) > (0.0 if key in ("min", "max") else allowed)
            for component in np.flatnonzero(wrong)[:1].tolist():
                raise DatasetError(
                    f"The statistics of a manifest must be those of the stored values; got {key} "
                    f"{theirs[component]:.6g} where {ours[component]:.6g} belongs (split "
                    f"{split.name!r}, {name}, component {component}, {split.directory}; rule V5). "
                    "Write the dataset anew with hm-data convert."
                )


def _problem(check: Callable[[], object]) -> Iterator[DatasetError]:
    try:
        check()
    except (DatasetError, OSError) as error:
        yield _as_problem(error)


def _as_problem(error: DatasetError | OSError) -> DatasetError:
    if isinstance(error, DatasetError):
        return error
    if is_passing(error):
        raise error
    return DatasetError(
        f"A file of a dataset must be readable; got {error.strerror or error} ({error.filename}; "
        "rule D3). Mend the disk, or copy it from the dataset's source again."
    )
