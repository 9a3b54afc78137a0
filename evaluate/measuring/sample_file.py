"""Per-sample values in a Zarr file, for further analysis and comparisons of runs.

One group for each dataset, split and subject, `samples.zarr/<dataset>/<split>/<subject>`, of arrays
over the samples: xarray.open_zarr reads one as a labelled dataset.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import zarr
from jaxtyping import Float, Int

from hypermagnetics.errors import HypermagneticsError, raise_refusal
from hypermagnetics.evaluate.measuring.measurement import Measurement
from hypermagnetics.files import (
    put_in_place,
    remove_tree,
    restore,
    sync_directories,
    sync_directory,
    sync_file,
)
from hypermagnetics.input_files import FileKind
from hypermagnetics.metrics import Errors, row_quantiles
from hypermagnetics.run_files import SAMPLES_NAME

_MARK: dict[str, Any] = {"made_by": "hm-eval"}
"""Attribute of the root group that marks a file of hm-eval, which it may replace."""

_WHOLE: dict[str, Any] = {"every_chunk": True}
"""Attribute of the root group of a file without absent chunks; earlier ones lack those of zeros."""

_METADATA = FileKind("The metadata of per-sample values", 1 << 16, HypermagneticsError, 1 << 10)
_TYPES = ("int32", "int64", "float32", "float64")

_MEANINGS = {
    "median_relative_error": "median over the points of |error| / |truth|",
    "p90_relative_error": "90 % quantile over the points of |error| / |truth|",
    "relative_l2": "|error|_2 / |truth|_2 over the points",
    "squared_error": "sum over the points of |error|^2",
    "squared_truth": "sum over the points of |truth|^2",
    "nonfinite_points": "points of which the prediction is not finite",
}


@dataclass(frozen=True)
class SampleErrors:
    """The errors of each sample in one quantity."""

    median_relative_error: Float[np.ndarray, " samples"]
    p90_relative_error: Float[np.ndarray, " samples"]
    relative_l2: Float[np.ndarray, " samples"]
    squared_error: Float[np.ndarray, " samples"]
    squared_truth: Float[np.ndarray, " samples"]
    nonfinite_points: Int[np.ndarray, " samples"]


@dataclass(frozen=True)
class SampleTable:
    """Per-sample values of one subject on a split."""

    num_sources: Int[np.ndarray, " samples"]
    potential: SampleErrors
    field: SampleErrors


def sample_table(measurement: Measurement) -> SampleTable:
    """The per-sample values of a subject."""
    both = (measurement.potential, measurement.field)
    return SampleTable(measurement.num_sources, *map(_sample_errors, both))


def _sample_errors(errors: Errors) -> SampleErrors:
    median, p90 = row_quantiles(errors.relative, (0.5, 0.9)).T
    return SampleErrors(
        median,
        p90,
        errors.sample_relative_l2(),
        errors.squared_error,
        errors.squared_truth,
        errors.nonfinite,
    )


class SampleFile:
    """The file of per-sample values, open for writing."""

    def __init__(self, root: zarr.Group, directory: Path) -> None:
        """Use `SampleFile.open`."""
        self._root, self._directory = root, directory

    @classmethod
    @contextmanager
    def open(
        cls, directory: Path, before_exchange: Callable[[], None] = lambda: None
    ) -> Iterator["SampleFile"]:
        """Write a file in a directory; an existing one stays until the new one is complete.

        Args:
            directory: Made if absent.
            before_exchange: Called once the new values are safe on disk, before they take their
                place.

        Yields:
            The file. It takes its name when the block ends without an error.
        """
        path, part = directory / SAMPLES_NAME, directory / f"{SAMPLES_NAME}.part"
        directory.mkdir(parents=True, exist_ok=True)
        remove_tree(part)
        restore(path)
        try:
            file = cls(
                zarr.open_group(part, mode="w", zarr_format=3, attributes=_MARK | _WHOLE), part
            )
            yield file
            file._sync()
            before_exchange()
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        put_in_place(part, path)
        sync_directory(directory)

    def _sync(self) -> None:
        """Make the values so far survive a power cut."""
        for path in self._directory.rglob("*"):
            if path.is_file():
                sync_file(path)
        sync_directories(self._directory)

    def add(self, dataset: str, split: str, subject: str, table: SampleTable) -> None:
        """Write the values of one subject on one split."""
        group = self._root.create_group(
            _place(dataset, split, subject),
            # At once, as zarr would rename a changed zarr.json over the one that is there.
            attributes={"dataset": dataset, "split": split, "subject": subject},
        )
        _write(group, "num_sources", table.num_sources, {})
        for quantity, unit, errors in (
            ("potential", "A", table.potential),
            ("field", "A/m", table.field),
        ):
            for name in _names():
                attributes = {"long_name": f"{_MEANINGS[name]}, {quantity}"}
                if name.startswith("squared"):
                    attributes["units"] = f"({unit})^2"
                _write(group, f"{quantity}_{name}", getattr(errors, name), attributes)


def is_sample_file(path: Path) -> bool:
    """Whether a directory is a file of per-sample values of hm-eval."""
    try:
        return _MARK.items() <= dict(zarr.open_group(path, mode="r", zarr_format=3).attrs).items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise_refusal(error, path)
        return False


def read_sample_table(
    path: Path, dataset: str, split: str, subject: str, num_samples: int
) -> SampleTable:
    """Read the values of one subject on one split.

    Args:
        path: The file.
        dataset: Name of the dataset.
        split: Name of the split.
        subject: Name of the subject.
        num_samples: Number of samples, by which the arrays are judged before they are read.

    Returns:
        The values.

    Raises:
        HypermagneticsError: If they are missing, or not of this form.
    """
    name = _place(dataset, split, subject)
    try:
        is_whole = _WHOLE.items() <= _metadata(path).get("attributes", {}).items()
        # No sample is without a source, so these were never left out as zeros.
        num_sources = _values(path / name / "num_sources", num_samples, may_lack=False)
        table = SampleTable(
            num_sources,
            *(
                SampleErrors(
                    *(
                        _values(path / name / f"{quantity}_{key}", num_samples, not is_whole)
                        for key in _names()
                    )
                )
                for quantity in ("potential", "field")
            ),
        )
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise_refusal(error, path)
        raise HypermagneticsError(
            f"A comparison must find the per-sample values of {subject!r} beside results.json; got "
            f"{type(error).__name__}: {error} ({path}, {name}). Run hm-eval again."
        ) from error
    return table


def _metadata(directory: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(_METADATA.read(directory / "zarr.json"))
    except RecursionError as error:
        raise ValueError("metadata nested without end") from error
    return found


def _values(directory: Path, num_samples: int, may_lack: bool) -> np.ndarray:
    """The values of an array, which is one plain chunk; zeros if it may lack, and does."""
    found = _metadata(directory)
    wanted = {
        "shape": [num_samples],
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [num_samples]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
    }
    for key, value in wanted.items():
        if found.get(key) != value:
            raise ValueError(f"{directory.name} with {key} {str(found.get(key))[:80]}, not {value}")
    if found.get("data_type") not in _TYPES:
        raise ValueError(f"{directory.name} of type {str(found.get('data_type'))[:80]}")
    dtype = np.dtype(found["data_type"]).newbyteorder("<")
    num_bytes = num_samples * dtype.itemsize
    chunk = FileKind(f"The chunk of {directory.name}", num_bytes, HypermagneticsError)
    try:
        content = chunk.read(directory / "c" / "0")
    except FileNotFoundError as error:
        if may_lack:
            return np.zeros(num_samples, dtype)
        raise ValueError(f"no chunk of {directory.name}") from error
    if len(content) != num_bytes:
        raise ValueError(f"{len(content)} bytes of {directory.name}, not {num_bytes}")
    return np.frombuffer(content, dtype)


def _place(dataset: str, split: str, subject: str) -> str:
    return "/".join(map(group_name, (dataset, split, subject)))


def group_name(name: str) -> str:
    """Quote a name as one part of a path in the file; different names stay different.

    Examples:
        >>> group_name("runs/first"), group_name("..")
        ('runs%2Ffirst', '%2E%2E')
    """
    quoted = quote(name, safe=" ")
    return quoted.replace(".", "%2E") if not quoted.strip(".") else quoted


def _names() -> tuple[str, ...]:
    return tuple(entry.name for entry in fields(SampleErrors))


def _write(group: zarr.Group, name: str, values: np.ndarray, attributes: dict[str, str]) -> None:
    array = group.create_array(
        name,
        shape=values.shape,
        dtype=values.dtype,
        chunks=values.shape,
        dimension_names=("sample",),
        compressors=None,
        attributes={**attributes},
        config={"write_empty_chunks": True},  # a chunk that is lost must not read as zeros
    )
    array[:] = values
