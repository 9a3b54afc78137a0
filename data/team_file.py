"""Team files: output of the published code of the field, one HDF5 file per configuration.

They are read with distrust: nothing is taken from a file before its sizes are known to be sound,
and values come in slices, so that memory stays bounded whatever the file says. Numbers are given
here as they are stored; `hypermagnetics.data.importing` turns them into our conventions.

References:
    James, Pollok, Peis, Baker, Frellsen, Bjørk, "Scalable physical source-to-field inference with
    hypernetworks", arXiv 2405.05981.
"""

import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast, get_args

import h5py
import numpy as np

from hypermagnetics.data.hdf5_reading import read_first
from hypermagnetics.errors import DatasetError, raise_refusal
from hypermagnetics.files import sha256_of
from hypermagnetics.input_files import FileKind, Stamp

Shape = Literal["sphere", "prism"]
Plain = bool | int | float | str

_FILE = FileKind("A team file", 1 << 50, DatasetError)
_FLAGS = ("field_eval", "grid_eval", "target_source", "quadtree")
_ATTRIBUTES = ("shape", *_FLAGS, "lim", "eps", "seed", "min_size", "max_size")
_MAX_TEXT = 200
_MAX_ROW_BYTES = 256e6
"""Most bytes of the smallest unit read: one sample of a dataset, or all shared points."""
_MU0 = 1.25663706127e-6
"""[T m/A], CODATA 2022."""
_BASES = {"m": (1.0, 1, 0), "A": (1.0, 0, 1), "T": (1 / _MU0, -1, 1)}
"""Factor, power of length, power of current."""
_PREFIXES = {"": 1.0, "k": 1e3, "c": 1e-2, "m": 1e-3, "u": 1e-6, "µ": 1e-6, "n": 1e-9}
_UNIT_FACTOR = re.compile(r"[ *·]*(/?) *([kcmuµn]?)([mAT])(?:\^|\*\*)?(-?[1-3])?(?![A-Za-z0-9])")
_PLAIN_CHARACTERS = str.maketrans("¹²³⁻\u03bc", "123-µ")
_AGAIN = "Get the file from its source again."


@dataclass(frozen=True)
class PointSet:
    """Names of the datasets of points, potential and field that become a split."""

    points: str
    potential: str
    field: str
    num_points: int
    per_sample: bool
    """Whether every sample has points of its own, as with `target_source`."""


@dataclass(frozen=True)
class TeamFile:
    """Checked structure of a team file; `open` gives a reader of the values."""

    path: Path
    stamp: Stamp
    """That of the file which was checked; no other one is read."""
    shape: Shape
    dim: int
    num_samples: int
    num_sources: int
    splits: dict[str, PointSet]
    """Point sets by the names of the splits: `points`, and `grid` if there is one."""
    attributes: dict[str, Plain]
    """Settings of its generation, as far as the file states them."""
    units: dict[str, str]
    """Units that datasets state, by the names of the datasets."""

    @contextmanager
    def open(self) -> Iterator["TeamReader"]:
        """Open the file to read values.

        Raises:
            DatasetError: If it is another one than when it was checked.
        """
        _refuse_another(self)
        with _opened(self.path) as file:
            _refuse_another(self, file)
            yield TeamReader(file, self)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of all datasets to be read."""
        parts = self.splits.values()
        labels = (name for part in parts for name in (part.points, part.potential, part.field))
        return ("m", "r0", "size", *labels)

    @property
    def total_samples(self) -> int:
        """Number of samples of all splits."""
        return self.num_samples * len(self.splits)


class TeamReader:
    """An open team file."""

    def __init__(self, file: h5py.File, team: TeamFile) -> None:
        """Use `TeamFile.open`."""
        self._file, self._team, self._path = file, team, team.path
        self._shared = {part.points for part in team.splits.values() if not part.per_sample}

    def sha256(self) -> str:
        """Hexadecimal sha256 of the file."""
        found = sha256_of(self._path)
        self.refuse_another()
        return found

    def refuse_another(self) -> None:
        """Refuse a file that was changed, or exchanged for another one, since it was checked.

        Raises:
            DatasetError: If it is another one.
        """
        _refuse_another(self._team, self._file)

    def rows(self, name: str, rows: range | None = None) -> np.ndarray:
        """Values of a dataset as float64, in the unit of the file.

        Args:
            name: The dataset.
            rows: Range of samples; None for all points of a dataset that all samples share.

        Returns:
            The values.

        Raises:
            DatasetError: If one is not a finite number, or cannot be read, or the file is another.
        """
        where = slice(None) if rows is None else slice(rows.start, rows.stop)
        with _damage_told(self._path):
            values: np.ndarray = self._file[name][where].astype(np.float64)
        self.refuse_another()
        for index in np.argwhere(~np.isfinite(values))[:1]:
            row, value = int(index[0]) + (rows.start if rows else 0), values[tuple(index)]
            place = f"{'point' if name in self._shared else 'sample'} {row}, {self._path}"
            repair = "Compute it again, or take the sample out of the file."
            raise refusal(f"{name!r} must be finite", value, place, repair)
        return values


def read_team_file(path: Path) -> TeamFile:
    """Read the description of a team file, and check its datasets against it.

    Args:
        path: The file.

    Returns:
        Its description; no values are read.

    Raises:
        DatasetError: If it is no team file: not HDF5, or such that the HDF5 library hangs, without
            a dataset or an attribute that it must have, of shapes that disagree, with values that
            are no plain numbers in the file itself, or too large to be read sample by sample.
    """
    try:
        raw = _FILE.open(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        rule, repair = "A team file must be an existing file", "Check the path."
        raise refusal(rule, "no file", path, repair) from error
    with raw, _damage_told(path):
        stamp = Stamp.of(os.fstat(raw.fileno()))
        read_first([raw])
    with _opened(path) as file, _damage_told(path):
        team = _description(file, path, stamp)
        _refuse_another(team, file)
        return team


def _description(file: h5py.File, path: Path, stamp: Stamp) -> TeamFile:
    found = {name: _attribute(file, name, path) for name in _ATTRIBUTES}
    attributes = {name: value for name, value in found.items() if value is not None}
    shape = _shape(attributes, path)
    m = _dataset(file, "m", path)
    if len(m.shape) != 3 or m.shape[2] not in (2, 3):
        rule = "'m' must have shape (samples, sources, 2 or 3)"
        raise refusal(rule, list(m.shape), path)
    radii = [(*m.shape[:2], 1)] if shape == "sphere" else []
    _refuse_shape(file, "r0", [m.shape], path)
    _refuse_shape(file, "size", [m.shape, *radii], path)
    target_source = attributes.get("target_source")
    splits = {"points": _point_set(file, "", m.shape, path, target_source)}
    if _has_grid(file, attributes):
        splits["grid"] = _point_set(file, "_grid", m.shape, path, False)
    samples, sources, dim = (int(length) for length in m.shape)
    team = TeamFile(path, stamp, shape, dim, samples, sources, splits, attributes, {})
    for name in team.datasets:
        _refuse_outside(file[name], name, team)
    stated = {name: _stated_unit(file[name], name, path) for name in team.datasets}
    return replace(team, units={name: unit for name, unit in stated.items() if unit})


def si_unit(unit: str) -> tuple[float, tuple[int, int]]:
    """Factor to the SI unit, and its powers of length and current; (nan, (0, 0)) if invalid.

    A slash stands before the one unit that it divides by: A/m mm is A m^-1 mm.
    """
    factor, length, current, end = 1.0, 0, 0, 0
    text = unit.strip().translate(_PLAIN_CHARACTERS)
    while end < len(text):
        found = _UNIT_FACTOR.match(text, end)
        if found is None:
            return math.nan, (0, 0)
        slash, prefix, base, digits = found.groups()
        power = int(digits or 1) * (-1 if slash else 1)
        size, of_length, of_current = _BASES[base]
        factor *= (_PREFIXES[prefix] * size) ** power
        length, current, end = length + of_length * power, current + of_current * power, found.end()
    return factor, (length, current)


def refusal(rule: str, got: object, where: object, repair: str = _AGAIN) -> DatasetError:
    """The error of an unsound file, in the form of all error messages."""
    return DatasetError(f"{rule}; got {got} ({where}). {repair}")


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    with _damage_told(path):
        file = h5py.File(path, "r")
    with file:
        yield file


def _refuse_another(team: TeamFile, file: h5py.File | None = None) -> None:
    """Refuse a team file whose bytes have changed, or whose name another file has by now."""
    named: Stamp | None = None
    with suppress(FileNotFoundError, NotADirectoryError):
        named = Stamp.of(team.path.stat())
    opened = Stamp.of(os.fstat(file.id.get_vfd_handle())) if file else named
    if (named, opened) != (team.stamp, team.stamp):
        rule = "A team file must stay the same while it is read"
        got = "no file any more" if named is None else "another file"
        repair = "Give the same command again, and leave a file that is in use alone."
        raise refusal(rule, got, team.path, repair)


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, DatasetError):
            raise
        raise_refusal(error, path)
        reason = " ".join(str(error).split())[:_MAX_TEXT]
        raise refusal("A team file must be a whole HDF5 file", reason, path) from error


def _shape(attributes: dict[str, Plain], path: Path) -> Shape:
    shape = attributes.get("shape")
    if shape in get_args(Shape):
        if attributes.get("field_eval", True):
            return cast(Shape, shape)
        rule, repair = "A team file must hold the field", "Make it anew with field_eval=True."
        raise refusal(rule, "field_eval False", path, repair)
    rule = "The attribute 'shape' must be 'sphere' or 'prism'"
    raise refusal(rule, repr(shape), path, "Set it to the kind of the sources.")


def _has_grid(file: h5py.File, attributes: dict[str, Plain]) -> bool:
    """Whether there are values on a grid; with `grid_eval` false, those in the file are NaN."""
    names = ("grid", "msp_grid", "potential_grid", "field_grid")
    return bool(attributes.get("grid_eval", any(name in file for name in names)))


def _point_set(
    file: h5py.File, suffix: str, sources: tuple[int, ...], path: Path, own_points: Plain | None
) -> PointSet:
    """The datasets of a split by suffix; if `own_points` is None, the shape of `points` decides."""
    points, field = suffix[1:] or "r", f"field{suffix}"
    lengths = _dataset(file, points, path).shape
    per_sample = len(lengths) == 3 if own_points is None else bool(own_points)
    num_points = int(lengths[-2]) if len(lengths) > 1 else 1
    samples, dim = sources[0], sources[-1]
    _refuse_shape(file, points, [(samples,) * per_sample + (num_points, dim)], path)
    names = [name for name in (f"msp{suffix}", f"potential{suffix}") if name in file]
    if len(names) > 1:
        rule, repair = "The potential must be one dataset", "Take one of them out of the file."
        raise refusal(rule, " and ".join(names), path, repair)
    potential = names[0] if names else f"msp{suffix}"
    _refuse_shape(file, potential, [(samples, num_points)], path)
    _refuse_shape(file, field, [(samples, num_points, dim)], path)
    return PointSet(points, potential, field, num_points, per_sample)


def _refuse_shape(file: h5py.File, name: str, wanted: list[tuple[int, ...]], path: Path) -> None:
    found = _dataset(file, name, path).shape
    if found not in wanted:
        shapes = " or ".join(str(list(shape)) for shape in wanted)
        raise refusal(f"{name!r} must have shape {shapes} beside the others", list(found), path)
    whole = name == "grid" or (name == "r" and len(found) == 2)
    if 8 * math.prod(found[0 if whole else 1 :]) > _MAX_ROW_BYTES:
        rule = f"{name!r} must have at most {_MAX_ROW_BYTES / 8:.0f} values a sample"
        raise refusal(rule, list(found), path, "Give fewer points or sources.")


def _dataset(file: h5py.File, name: str, path: Path) -> h5py.Dataset:
    """A dataset that is safe to read: real numbers, all of them in this file."""
    # The link is looked at before the object: following an external one would open another file.
    link = file.get(name, getlink=True)
    dataset = file[name] if type(link) is h5py.HardLink else None
    if not isinstance(dataset, h5py.Dataset):
        found = "nothing" if link is None else type(link).__name__
        raise refusal(f"A team file must hold the dataset {name!r} itself", found, path)
    if not dataset.shape or 0 in dataset.shape:
        raise refusal(f"{name!r} must have values along axes", f"shape {dataset.shape}", path)
    if dataset.dtype.kind != "f" or dataset.dtype.itemsize not in (4, 8):
        raise refusal(f"{name!r} must be float32 or float64", dataset.dtype, path)
    # Chunks could be compressed, and then take any memory when they are read.
    plain = dataset.chunks is None and not dataset.is_virtual and dataset.external is None
    is_small = dataset.id.get_create_plist().get_layout() == h5py.h5d.COMPACT
    if not plain or not (is_small or dataset.id.get_offset() is not None):
        raise _other_storage(name, path)
    return dataset


def _refuse_outside(dataset: h5py.Dataset, name: str, team: TeamFile) -> None:
    """Refuse a dataset whose values lie beyond the end of the file."""
    num_bytes, start = math.prod(dataset.shape) * dataset.dtype.itemsize, dataset.id.get_offset()
    if start is not None and start + num_bytes > team.stamp.bytes:
        raise _other_storage(name, team.path)


def _other_storage(name: str, path: Path) -> DatasetError:
    rule = f"{name!r} must lie whole and contiguous in its own file"
    got = "chunked, virtual, external, cut-off or unwritten storage"
    return refusal(rule, got, path, "Rewrite it with `h5repack -l CONTI -f NONE`.")


def _attribute(holder: h5py.File | h5py.Dataset, name: str, path: Path) -> Plain | None:
    """A plain number, truth value or short text; None if absent."""
    if name not in holder.attrs:
        return None
    kept = holder.attrs.get_id(name)
    # Before anything is read: a scalar of a plain type.
    value = holder.attrs[name] if kept.shape == () and kept.dtype.itemsize <= _MAX_TEXT else kept
    value = value.decode(errors="replace") if isinstance(value, bytes) else value
    value = value.item() if isinstance(value, np.generic) else value
    finite = not isinstance(value, float) or math.isfinite(value)
    is_flag = name not in _FLAGS or value in (False, True)
    if isinstance(value, Plain) and finite and is_flag and len(str(value)) <= _MAX_TEXT:
        return bool(value) if name in _FLAGS else value
    kind = "true or false" if name in _FLAGS else "a finite number or a short text"
    got = f"{kept.dtype} of shape {kept.shape}"
    repair = "Take the attribute out of the file, or write such a value."
    raise refusal(f"The attribute {name!r} must be {kind}", got, path, repair)


def _stated_unit(dataset: h5py.Dataset, name: str, path: Path) -> str | None:
    found = {_attribute(dataset, key, path) for key in ("units", "unit")} - {None}
    if len(found) > 1 or not all(isinstance(unit, str) for unit in found):
        rule = f"The unit of {name!r} must be stated once, as a text"
        raise refusal(rule, sorted(map(str, found)), path, "Mend the attribute 'units'.")
    return str(found.pop()) if found else None
