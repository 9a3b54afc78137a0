"""Arrays of a split by their role for a network, whatever they are called, and batches of them.

They are inputs, targets and Jacobians, or readings and their derivatives by parameters.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from hypermagnetics.data.layout import AnyBlock, AnyLayout, ArrayName, SplitLayout
from hypermagnetics.data.manifest import Statistics
from hypermagnetics.data.schedule import WindowStarts
from hypermagnetics.data.split import AnySplit
from hypermagnetics.data.trajectories import MOMENTS, STATES
from hypermagnetics.errors import DatasetError

Role = Literal["inputs", "targets", "jacobian", "derivatives", "states", "sources"]
"""Role of an array for a network: read by it, given by it, the derivatives of the latter by the
former, or the derivatives of what it reads by parameters; states of a trajectory, or the sources
whose moments these are."""


class Viewed(NamedTuple):
    """An array in one of the roles."""

    name: ArrayName
    shape: tuple[int, ...]
    """Shape of a sample; a Jacobian has the axes of the targets, then those of the inputs."""
    unit: str
    channel_axis: int | None
    """Axis of a sample along which statistics are apart."""
    statistics: Statistics


@dataclass(frozen=True)
class ArrayBatch:
    """Several blocks of a view in arrays with a leading axis of blocks, padded to the same size.

    A block with fewer samples is filled up with zeros. Arrays have shape (blocks, samples, *shape),
    all else (blocks,).
    """

    arrays: Mapping[Role, np.ndarray]
    num_samples: np.ndarray
    num_complete: np.ndarray
    """Number of samples of each block, the first, that have a row of every array."""
    numbers: np.ndarray
    """Number of each block in its split; 0 of an empty one."""


def names_of_trajectories(split: AnySplit) -> dict[Role, ArrayName]:
    """Names of the arrays of a split that are trajectories, and the sources of moments.

    Raises:
        DatasetError: If it has none.
    """
    known = split.layout.array_names
    if MOMENTS in known:
        return {"states": MOMENTS, "sources": "sources"}
    if STATES in known:
        return {"states": STATES}
    raise DatasetError(
        f"The dataset must have trajectories, {MOMENTS!r} or {STATES!r}; got {', '.join(known)} "
        f"(split {split.name!r} of {split.directory}). Generate one such as precession or "
        "advection-1d, or import states with hm-data import-arrays --states."
    )


class ArrayView:
    """The samples of a split as the arrays that a network reads, gives and is differentiated by.

    Of a split of sources, the inputs are the columns that vary, in which it has one source.
    """

    def __init__(
        self,
        split: AnySplit,
        names: Mapping[Role, ArrayName],
        columns: Sequence[str] | None = None,
    ) -> None:
        """Look at a split.

        Args:
            split: The split.
            names: Names of the arrays by role: inputs and targets, perhaps with a Jacobian, or
                inputs and their derivatives; or states of trajectories, perhaps with the sources.
            columns: Columns of the sources that are the inputs, those of the training split; if
                None, the ones that vary in this split.

        Raises:
            DatasetError: If there is no such array or column, it is not of all samples, no column
                varies, or the Jacobian does not fit the others.
        """
        self.split, self._names = split, dict(names)
        self.columns: tuple[str, ...] = ()
        """Columns of the sources that are the inputs; none of other arrays."""
        self._columns: np.ndarray | None = None
        if names.get("inputs") == "sources":
            _refuse_several_sources(split)
            self.columns = _varying_columns(split) if columns is None else tuple(columns)
            self._columns = _indices(split, self.columns)
        self.viewed: dict[Role, Viewed] = {role: self._look(role) for role in names}
        _refuse_another_jacobian(self)
        _refuse_other_derivatives(self)

    @property
    def name(self) -> str:
        """Name of the split."""
        return self.split.name

    @property
    def directory(self) -> Path:
        """Directory of the dataset."""
        return self.split.directory

    @property
    def layout(self) -> AnyLayout:
        """Layout of the split."""
        return self.split.layout

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.split)

    def num_complete(self, block: int) -> int:
        """Number of samples of a block, the first, that have a row of every array."""
        rows = [self.layout.block_rows(one.name, block) for one in self.viewed.values()]
        return min(map(len, rows))

    def will_need(self, blocks: Sequence[int]) -> None:
        """Tell the operating system that blocks will be read soon, so that it reads ahead."""
        self.split.will_need(blocks)

    def fetch_ahead(self, blocks: Sequence[int]) -> bool:
        """Begin to fetch shards that are in a store; see `Split.fetch_ahead`."""
        return self.split.fetch_ahead(blocks)

    def stop_fetching(self) -> None:
        """Give up shards that are under way; see `Split.stop_fetching`."""
        self.split.stop_fetching()

    def read(self, blocks: Sequence[int]) -> list[dict[Role, np.ndarray]]:
        """The arrays of several blocks; views of the mapped files where they are stored so."""
        return [self._arrays(block) for block in self.split.read(blocks)]

    def _arrays(self, block: AnyBlock) -> dict[Role, np.ndarray]:
        found = {role: block.values(name) for role, name in self._names.items()}
        if self._columns is not None:
            found["inputs"] = found["inputs"][:, 0, self._columns]
        return found

    def _look(self, role: Role) -> Viewed:
        name, layout = self._names[role], self.split.layout
        place = f"split {self.name!r} of {self.directory}"
        if name not in layout.array_names:
            raise DatasetError(
                f"The dataset must have the array {name!r} for the {role} of a network; got "
                f"{', '.join(layout.array_names)} ({place}). Name another one, data.input or "
                "data.target, or import arrays with hm-data import-arrays."
            )
        spec, found = layout.array(name), self.split.statistics(name)
        if (
            isinstance(layout, SplitLayout)
            and not layout.shared_grid
            and "point" in spec.dimensions
        ):
            raise DatasetError(
                f"The {role} of a network must be at the same points in every sample; got {name!r} "
                f"at other points in each block ({place}). Take a dataset on a regular grid, or at "
                "the points of a file or a list."
            )
        is_complete = spec.shape[0] == layout.num_samples or role == "derivatives"
        if spec.per != "sample" or not is_complete:
            raise DatasetError(
                f"The {role} of a network must have a row for every sample; got {name!r} of shape "
                f"{list(spec.shape)} for {layout.num_samples} samples ({place}). Name another one."
            )
        axis = None if spec.component_axis is None else spec.component_axis - 1
        if role == "inputs" and self._columns is not None:
            return Viewed(name, (len(self._columns),), "", 0, _picked(found, self._columns))
        if not spec.shape[1:]:
            raise DatasetError(
                f"The {role} of a network must have an axis beside that of the samples; got "
                f"{name!r} of shape {list(spec.shape)} ({place}). Name another one."
            )
        return Viewed(name, spec.shape[1:], spec.unit, axis, found)


def read_array_batch(
    view: ArrayView,
    blocks: Sequence[int | None],
    points: np.ndarray | None = None,
    windows: WindowStarts | None = None,
) -> ArrayBatch:
    """Gather blocks of a view.

    Args:
        view: The view.
        blocks: Numbers of the blocks, in order; None for an empty one.
        points: Points of the maps, (blocks, points): indices of the axes of space in a row, which
            are all behind that of the channels. If None, the arrays as they are.
        windows: Windows of the states, of trajectories; the whole ones if None. Each is a sample of
            the batch, those of one trajectory one after another.

    Returns:
        The batch. One whole block is a view of the mapped files; anything else is copied once.
        With points, arrays have shape (blocks, samples, channels, points).
    """
    layout, numbers = view.layout, [block for block in blocks if block is not None]
    read, size = iter(view.read(numbers)), layout.samples_per_block
    found = [None if block is None else next(read) for block in blocks]
    counts = [0 if block is None else len(layout.block_samples(block)) for block in blocks]
    complete = [0 if block is None else view.num_complete(block) for block in blocks]
    per_sample = 1 if windows is None else windows.first.shape[2]
    counts, complete = ([per_sample * count for count in each] for each in (counts, complete))
    arrays: dict[Role, np.ndarray] = {}
    for role, viewed in view.viewed.items():
        parts = [None if one is None else one[role] for one in found]
        shape = viewed.shape
        if points is not None:
            shape = (shape[0], points.shape[1])
            parts = [_at_points(part, row) for part, row in zip(parts, points, strict=True)]
        if windows is not None:
            if role == "states":
                shape = (size * per_sample, windows.length, *shape[1:])
                arrays[role] = _gathered_windows(parts, windows, shape)
                continue
            if per_sample > 1:
                parts = [None if one is None else one.repeat(per_sample, axis=0) for one in parts]
        arrays[role] = _gathered(parts, (size * per_sample, *shape))
    whole = [block or 0 for block in blocks]
    return ArrayBatch(arrays, *(np.array(each, np.int32) for each in (counts, complete, whole)))


def _at_points(part: np.ndarray | None, points: np.ndarray) -> np.ndarray | None:
    """Values of maps at some points, the axes of space in a row."""
    if part is None:
        return None
    rows = part.reshape(*part.shape[:2], math.prod(part.shape[2:]))
    found: np.ndarray = np.take(rows, points, axis=2)
    return found


def _gathered_windows(
    parts: Sequence[np.ndarray | None], windows: WindowStarts, shape: tuple[int, ...]
) -> np.ndarray:
    """Windows of trajectories, copied once, of their own states alone."""
    gathered = np.zeros((len(parts), *shape), np.float32)
    for target, part, first in zip(gathered, parts, windows.first, strict=True):
        # The last block may have fewer samples than there are starts.
        pairs = () if part is None else zip(part, first, strict=False)
        each = (one[at : at + windows.length] for one, starts in pairs for at in starts)
        for window, values in zip(target, each, strict=False):
            window[:] = values
    return gathered


def _gathered(parts: list[np.ndarray | None], shape: tuple[int, ...]) -> np.ndarray:
    if len(parts) == 1 and parts[0] is not None and parts[0].shape == shape:
        return parts[0][None]
    gathered = np.empty((len(parts), *shape), np.float32)
    for target, part in zip(gathered, parts, strict=True):
        count = 0 if part is None else len(part)
        if part is not None:
            target[:count] = part
        target[count:] = 0
    return gathered


def names_of(
    split: AnySplit, given_input: ArrayName | None, given_target: ArrayName | None
) -> dict[Role, ArrayName]:
    """Names of the arrays of a split that are inputs, targets and Jacobian.

    Args:
        split: The split.
        given_input: Name of the inputs; if None, `inputs`, or `sources` of a split of sources.
        given_target: Name of the targets; if None, `targets`, or `potential`.

    Returns:
        The names. A Jacobian is there if it is that of these two.
    """
    of_sources = isinstance(split.layout, SplitLayout)
    first = given_input or ("sources" if of_sources else "inputs")
    second = given_target or ("potential" if of_sources else "targets")
    names: dict[Role, ArrayName] = {"inputs": first, "targets": second}
    known = split.layout.array_names
    if (first, second) == ("inputs", "targets") and "jacobian" in known:
        names["jacobian"] = "jacobian"
    if first == "sources" and "derivatives" in known:
        target = split.layout.array(second).shape[1:] if second in known else ()
        # Those of the potential have no axis of space.
        if split.layout.array("derivatives").shape[1:-1] == target:
            names["jacobian"] = "derivatives"
    return names


def names_of_readings(split: AnySplit, given: ArrayName | None) -> dict[Role, ArrayName]:
    """Names of the arrays of a split that are readings and their derivatives by parameters.

    Args:
        split: The split.
        given: Name of the readings; if None, `readings`, or of a split of sources the quantity
            whose derivatives are stored.

    Returns:
        The names.
    """
    layout, derivatives = split.layout, "derivatives"
    found: ArrayName = "readings"
    if isinstance(layout, SplitLayout):
        # Those of the potential have no axis of space.
        has_axis = derivatives in layout.array_names and len(layout.array(derivatives).shape) == 4
        found = "field" if has_axis else "potential"
    return {"inputs": given or found, "derivatives": derivatives}


def _refuse_several_sources(split: AnySplit) -> None:
    layout = split.layout
    assert isinstance(layout, SplitLayout), "only it has sources"
    if layout.max_sources != 1:
        raise DatasetError(
            "A network from arrays to arrays must read samples of one source each, as their order "
            f"means nothing; got up to {layout.max_sources} (split {split.name!r} of "
            f"{split.directory}). Take a model of sources, such as 'hyper_layer'."
        )


def _varying_columns(split: AnySplit) -> tuple[str, ...]:
    found = split.statistics("sources")
    ranges = zip(split.column_names, found.min, found.max, strict=True)
    varying = tuple(name for name, low, high in ranges if low < high)
    if not varying:
        raise DatasetError(
            "The inputs of a network must vary; got sources that are all the same (split "
            f"{split.name!r} of {split.directory}). Train on a split of several samples."
        )
    return varying


def _indices(split: AnySplit, columns: Sequence[str]) -> np.ndarray:
    known = split.column_names
    missing = [name for name in columns if name not in known]
    if missing:
        raise DatasetError(
            f"The dataset must have the columns that the network reads, {', '.join(columns)}; got "
            f"{', '.join(known)} (split {split.name!r} of {split.directory}). Take one of the same "
            "bodies."
        )
    return np.array([known.index(name) for name in columns])


def _picked(found: Statistics, columns: np.ndarray) -> Statistics:
    values = {
        key: tuple(getattr(found, key)[column] for column in columns)
        for key in Statistics.model_fields
    }
    return Statistics(**values)


def _refuse_another_jacobian(view: ArrayView) -> None:
    if "jacobian" not in view.viewed:
        return
    viewed = view.viewed
    wanted = (*viewed["targets"].shape, *viewed["inputs"].shape)
    if viewed["jacobian"].shape != wanted:
        raise DatasetError(
            f"The derivatives of {viewed['targets'].name} by {viewed['inputs'].name} must have "
            f"shape {list(wanted)} each; got {viewed['jacobian'].name!r} of "
            f"{list(viewed['jacobian'].shape)} (split {view.name!r} of {view.directory}). "
            "Differentiate by all columns that vary, and by no others."
        )


def _refuse_other_derivatives(view: ArrayView) -> None:
    if "derivatives" not in view.viewed:
        return
    readings, found = view.viewed["inputs"], view.viewed["derivatives"]
    if found.shape[:-1] != readings.shape:
        axes = ", ".join(map(str, readings.shape))
        raise DatasetError(
            f"Derivatives of {readings.name} by parameters must have shape [{axes}, parameters] "
            f"each; got {found.name!r} of {list(found.shape)} (split {view.name!r} of "
            f"{view.directory}). Name the array that they are of, data.input."
        )
