"""Description of a dataset, as text and tables for a terminal."""

import json
from collections.abc import Iterator, Sequence

import numpy as np

from hypermagnetics.data.boundary import boundary_of
from hypermagnetics.data.card import split_header, split_rows
from hypermagnetics.data.dataset import Dataset
from hypermagnetics.data.layout import ArraySpec, DeclaredArray
from hypermagnetics.data.manifest import ArrayEntry, Manifest
from hypermagnetics.data.parameters import parameters_of
from hypermagnetics.data.split import AnySplit, ArraySplit
from hypermagnetics.data.trajectories import time_step_of
from hypermagnetics.errors import printable
from hypermagnetics.log import in_bytes

_POINTS_SHOWN = 5


def describe(dataset: Dataset) -> str:
    """Content, size, units, statistics, recipe and health of a dataset.

    Args:
        dataset: An opened dataset.

    Returns:
        Lines of text.
    """
    manifest = dataset.manifest
    size = sum(entry.bytes for entry in manifest.files)
    values = sum(split.layout.num_bytes for split in manifest.splits.values())
    versions = ", ".join(f"{name} {version}" for name, version in manifest.software.items())
    lines = [
        manifest.title,
        f"{manifest.storage_format}, compression {manifest.compression}, format version "
        f"{manifest.format_version}, seed {manifest.seed}",
        *_content(dataset),
        f"{len(manifest.files)} files, {in_bytes(size)} ({in_bytes(values)} of values)",
        "",
        *_table(
            [name.removesuffix(" each") for name in split_header(manifest)], split_rows(manifest)
        ),
    ]
    for name, split in manifest.splits.items():
        lines += ["", f"statistics of {name}:"]
        header = ["array", "component", "unit", "mean", "std", "median |x|", "min", "max"]
        rows = [
            row
            for array, entry in split.arrays.items()
            for row in _statistics(manifest, split.layout.array(array), entry)
        ]
        lines += _table(header, rows)
    lines += [
        "",
        "recipe: " + json.dumps(manifest.recipe),
        f"made by: {versions}",
        f"labels: {_origin(manifest)}",
        "health: complete, and all files have the sizes they must have. hm-data verify compares "
        "every byte.",
    ]
    return printable("\n".join(lines))


def first_samples(split: AnySplit, columns: Sequence[str], count: int) -> str:
    """The first samples of a split as tables: their sources, and values at the first points.

    Args:
        split: The split; of arrays alone, the first values of each array are shown.
        columns: Names of the columns of its sources.
        count: Number of samples.

    Returns:
        Lines of text.
    """
    if isinstance(split, ArraySplit):
        return "\n".join(_first_rows(split, count)).rstrip()
    axes = ("x", "y", "z")[: split.layout.dim]
    header = [*(f"{axis} [m]" for axis in axes), "phi [A]", *(f"H_{axis} [A/m]" for axis in axes)]
    lines = []
    for number in range(min(count, len(split))):
        sample = split[number]
        lines += [f"{split.name}, sample {number}: {len(sample.sources)} sources"]
        lines += _table(columns, [[f"{x:.6g}" for x in row] for row in sample.sources])
        points = slice(0, _POINTS_SHOWN)
        values = np.column_stack(
            [sample.grid[points], sample.potential[points], sample.field[points]]
        )
        lines += _table(header, [[f"{x:.6g}" for x in row] for row in values])
        more = len(sample.grid) - _POINTS_SHOWN
        lines += [f"... and {more} points more" if more > 0 else "", ""]
    return "\n".join(lines).rstrip()


def _first_rows(split: ArraySplit, count: int) -> Iterator[str]:
    arrays = [spec for spec in split.layout.arrays() if spec.per == "sample"]
    for number in range(min(count, len(split))):
        yield f"{split.name}, sample {number}:"
        rows = []
        for spec in arrays:
            if number >= spec.shape[0]:
                continue
            values = split.entries(spec.name, range(number, number + 1)).ravel()
            shown = " ".join(f"{x:.6g}" for x in values[:_POINTS_SHOWN])
            more = f" ... and {len(values) - _POINTS_SHOWN} more" if len(values) > 5 else ""
            shape = " x ".join(map(str, spec.shape[1:]))
            rows.append([spec.name, shape, spec.unit, shown + more])
        yield from _table(["array", "shape", "unit", "values"], rows)
        yield ""


def _content(dataset: Dataset) -> Iterator[str]:
    manifest = dataset.manifest
    if not manifest.array_layouts:
        bodies = ", ".join(manifest.bodies)
        shared = "".join(f", {name} {value:g}" for name, value in manifest.constants.items())
        yield f"sources: {bodies}{shared}"
        yield f"columns: {', '.join(_with_units(manifest))}"
    layouts = (split.layout for split in manifest.splits.values())
    declared = {array.name: array for layout in layouts for array in layout.declared}
    if declared:
        shapes = (f"{array.name} ({_rows_of(array)})" for array in declared.values())
        yield f"{'arrays' if manifest.array_layouts else 'further arrays'}: {', '.join(shapes)}"
    if parameters := parameters_of(manifest):
        yield f"parameters: {', '.join(f'{one.name} {one.value:g}' for one in parameters)}"
    if (time_step := time_step_of(dataset)) is not None:
        yield f"time step: {time_step:g}"
    if (boundary := boundary_of(dataset)) != "open":
        yield f"boundary: {boundary}"


def _rows_of(array: DeclaredArray) -> str:
    """Shape and number of the rows of an array, as in "3 for each sample"."""
    shape = " x ".join(map(str, array.item_shape)) or "one"
    which = f"each {array.per}" if array.num_rows is None else f"each of the first {array.per}s"
    return f"{shape} for {which}"


def _origin(manifest: Manifest) -> str:
    if "imported" in manifest.recipe:
        return "imported"
    device = manifest.label_device
    return f"computed on {device.in_words if device else 'an unknown device'}"


def _with_units(manifest: Manifest) -> Iterator[str]:
    for name, unit in zip(manifest.columns, manifest.column_units, strict=True):
        yield f"{name} [{unit}]" if unit not in ("", "1") else name


def _statistics(manifest: Manifest, spec: ArraySpec, entry: ArrayEntry) -> Iterator[list[str]]:
    found, array = entry.statistics, spec.name
    names: Sequence[str] = ("",)
    units: Sequence[str] = (entry.unit,) * len(found.mean)
    if array == "sources":
        names, units = manifest.columns, manifest.column_units
    elif array in ("grid", "field"):
        names = ("x", "y", "z")[: len(found.mean)]
    elif spec.component_axis is not None:
        axis = spec.dimensions[spec.component_axis]
        names = tuple(f"{axis} {number}" for number in range(len(found.mean)))
    for i, (name, unit) in enumerate(zip(names, units, strict=True)):
        numbers = (found.mean, found.std, found.median_abs, found.min, found.max)
        yield [array, name, unit, *(f"{values[i]:.4g}" for values in numbers)]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest entry; numbers to the right."""
    cells = [list(header), *map(list, rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = []
    for row in cells:
        entries = [
            cell.ljust(width) if _is_word(column, rows) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  " + "  ".join(entries).rstrip())
    return lines


def _is_word(column: int, rows: Sequence[Sequence[str]]) -> bool:
    return any(row[column][:1].isalpha() for row in rows)
