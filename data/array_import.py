"""Import of files of numpy, .npy, as a dataset of arrays alone.

They are inputs, targets and Jacobians, or readings and derivatives, and may be larger than the
memory. Files of one map each are checked in `map_arrays`, trajectories in `state_import`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np

from hypermagnetics.data.boundary import Boundary
from hypermagnetics.data.layout import (
    MOST_COMPONENTS,
    ArrayBlock,
    ArrayLayout,
    ArrayName,
    Compression,
    DeclaredArray,
    Shard,
    StorageFormat,
    in_shards,
)
from hypermagnetics.data.manifest import Identity, Manifest, version_of
from hypermagnetics.data.npy_file import NpyFile, read_npy, refusal
from hypermagnetics.data.npy_maps import MAP, is_map
from hypermagnetics.data.origin import Origin, Shares
from hypermagnetics.data.parameters import Parameter
from hypermagnetics.data.row_files import RowFiles, RowReader
from hypermagnetics.data.writer import DatasetWriter
from hypermagnetics.errors import DatasetError
from hypermagnetics.log import SILENT, Listener

JacobianAxes = Literal["targets,inputs", "inputs,targets"]
"""Order of the axes of a Jacobian behind that of the samples."""

_SAMPLES_PER_BLOCK = 32
_BLOCK_BYTES = 64e6
"""Largest block where its samples are not asked for."""
_MOST_BLOCK_BYTES = 256e6


@dataclass(frozen=True)
class Arrays:
    """Files that become the arrays of a dataset, checked against each other."""

    files: Mapping[ArrayName, RowFiles]
    """By the names of the arrays; the first has all the samples."""
    declared: tuple[DeclaredArray, ...]
    """The arrays, as if all samples had a row of each."""
    parameters: tuple[Parameter, ...] = ()
    boundary: Boundary | None = None
    """Boundary of the box of maps; None if nothing is said of it."""
    time_step: float | None = None
    """Time between two states, in the unit of the user; None of anything else."""

    @property
    def num_samples(self) -> int:
        """Number of samples."""
        return max(file.num_rows for file in self.files.values())

    @property
    def num_complete(self) -> int:
        """Number of samples, the first of the files, that have a row of every array."""
        return min(file.num_rows for file in self.files.values())

    @property
    def conversions(self) -> tuple[str, ...]:
        """Files and patterns that are not stored as they are, float32, with their types."""
        each = (types.conversion for files in self.files.values() for types in files.types)
        return tuple(dict.fromkeys(conversion for conversion in each if conversion is not None))


def inputs_and_targets(
    inputs: Path,
    targets: Path,
    jacobian: Path | None = None,
    axes: JacobianAxes | None = None,
    boundary: Boundary | None = None,
) -> Arrays:
    """Check files of inputs, targets, and perhaps the Jacobian of the targets.

    Args:
        inputs: (samples, *inputs).
        targets: (samples, *targets).
        jacobian: (samples, targets, inputs) or (samples, inputs, targets).
        axes: Which of the two; if None, the shape decides.
        boundary: Boundary of the box of inputs and targets that are fields, (samples, channels,
            *spatial); None to say nothing of it.

    Returns:
        The files.

    Raises:
        DatasetError: If a file is unsound, numbers of samples differ, the Jacobian does not fit, or
            a boundary is that of no fields.
    """
    m, q = read_npy(inputs), read_npy(targets)
    if m.shape[0] != q.shape[0]:
        rule = "Inputs and targets must have the same number of samples"
        raise _misfit(rule, f"{m.shape[0]} and {q.shape[0]}", (m, q), "Cut or complete a file.")
    files = {"inputs": m, "targets": q}
    declared = [
        _declared("inputs", m.shape[1:], "input"),
        _declared("targets", q.shape[1:], "target"),
    ]
    for file in (m, q) if boundary is not None else ():
        if not is_map(file.shape[1:]):
            repair = "Leave --boundary out, or give a single channel an axis of its own."
            raise refusal(
                f"A row beside --boundary must be {MAP}", list(file.shape[1:]), file.path, repair
            )
    if jacobian is None:
        if axes is not None:
            rule, repair = "Axes of a Jacobian must be of a Jacobian", "Give --jacobian too."
            raise refusal(rule, "none", "--jacobian-axes", repair)
        return Arrays(files, tuple(declared), boundary=boundary)
    j = read_npy(jacobian)
    for file, name in ((m, "inputs"), (q, "targets")):
        if len(file.shape) != 2:
            rule = f"Beside a Jacobian, {name} must have shape (samples, {name})"
            raise refusal(rule, list(file.shape), file.path, "Flatten the rows.")
    if j.shape[0] != m.shape[0]:
        rule = "The Jacobian must have as many samples as the inputs"
        raise _misfit(rule, f"{j.shape[0]} and {m.shape[0]}", (j, m), "Cut or complete a file.")
    j = replace(j, axes_exchanged=_is_swapped(j, q.shape[1], m.shape[1], axes))
    declared.append(
        DeclaredArray(
            name="jacobian",
            item_shape=(q.shape[1], m.shape[1]),
            dimensions=("target", "input"),
            components="input" if m.shape[1] <= MOST_COMPONENTS else None,
        )
    )
    return Arrays({**files, "jacobian": j}, tuple(declared))


def readings_and_derivatives(
    readings: Path, derivatives: Path | None, parameters: Sequence[Parameter] = ()
) -> Arrays:
    """Check files of simulated readings and of their derivatives with respect to parameters.

    Args:
        readings: (samples, *reading), all at the same values of the parameters.
        derivatives: (samples, *reading, parameters), of the first samples of the readings.
        parameters: The parameters, in the order of the last axis.

    Returns:
        The files.

    Raises:
        DatasetError: If a file is unsound, or does not fit the other one or the parameters.
    """
    x = read_npy(readings)
    files, declared = {"readings": x}, [_declared("readings", x.shape[1:], "reading")]
    if derivatives is None:
        if parameters:
            rule, repair = "Parameters must be those of derivatives", "Give --derivatives too."
            raise refusal(rule, "none", "--parameter", repair)
        return Arrays(files, tuple(declared))
    d = read_npy(derivatives)
    if d.shape[1:-1] != x.shape[1:]:
        shape = ", ".join(map(str, x.shape[1:]))
        rule = f"Derivatives must have shape (samples, {shape}, parameters), the parameters last"
        repair = "Move the axis of the parameters to the end; differences are divided by the step."
        raise refusal(rule, list(d.shape), derivatives, repair)
    if d.shape[0] > x.shape[0]:
        rule = "Derivatives must be of at most as many samples as there are readings"
        raise _misfit(rule, f"{d.shape[0]} and {x.shape[0]}", (d, x), "Leave some out.")
    names = [parameter.name for parameter in parameters]
    if len(names) != d.shape[-1] or len(set(names)) < len(names):
        rule = f"Each of the {d.shape[-1]} parameters of derivatives must have a name and a value"
        repair = "Give --parameter NAME=VALUE for each, in the order of the last axis."
        raise refusal(rule, ", ".join(names) or "none", derivatives, repair)
    item = _declared("derivatives", d.shape[1:], "reading")
    declared.append(
        item.model_copy(
            update={
                "dimensions": (*declared[0].dimensions, "parameter"),
                "components": "parameter" if d.shape[-1] <= MOST_COMPONENTS else None,
            }
        )
    )
    return Arrays({**files, "derivatives": d}, tuple(declared), parameters=tuple(parameters))


def import_arrays(
    arrays: Arrays,
    out: Path | str,
    *,
    shares: Shares | None = None,
    seed: int = 0,
    samples_per_block: int | None = None,
    storage_format: StorageFormat = "zarr",
    compression: Compression = "none",
    shard_bytes: float | None = None,
    listener: Listener = SILENT,
) -> Manifest:
    """Make a dataset of checked files, or complete an unfinished one.

    Samples are divided at random, by the seed, and keep the order of the files in each split; so a
    sample of one split is in no other. Those with a row of every array are divided by themselves,
    and come first. Values are rounded to float32.

    Args:
        arrays: The files.
        out: Directory of the dataset, or its URL in an object store.
        shares: Shares of the splits.
        seed: Seed of the division.
        samples_per_block: Samples of a block, the smallest part of a batch; 32 if None, or fewer of
            large ones.
        storage_format: Format of the dataset.
        compression: Compression of its files.
        shard_bytes: Target size of a shard; None for one that suits the size of the dataset.
        listener: Receives the number of samples of each block written, or found written.

    Returns:
        The manifest of the finished dataset.

    Raises:
        DatasetError: If a value is not finite, a file is another one than when it was checked, a
            split would be empty, or something else is at `out`.
    """
    shares = shares or Shares()
    samples = divided(arrays.num_complete, arrays.num_samples, shares, seed)
    with ExitStack() as stack:
        readers = {name: stack.enter_context(file.open()) for name, file in arrays.files.items()}
        blocks = {
            name: _layout(arrays, numbers, samples_per_block) for name, numbers in samples.items()
        }
        layouts = in_shards(blocks, shard_bytes)
        origin = Origin(
            files={name: reader.origin() for name, reader in readers.items()},
            shares=shares,
            seed=seed,
            parameters=arrays.parameters,
            boundary=arrays.boundary,
            time_step=arrays.time_step,
        )
        identity = _identity(arrays, origin, layouts, storage_format, compression)
        with DatasetWriter.open(out, identity, listener) as writer:
            writer.write_metadata()
            for name, layout in layouts.items():
                for shard in layout.shards():
                    if writer.has(name, shard):
                        listener.skip(shard.num_samples)
                        continue
                    with writer.shard(name, shard) as sink:
                        for block in _blocks(readers, samples[name], layout, shard):
                            sink.append(block)
                            listener.advance(block.num_samples)
            for reader in readers.values():
                reader.refuse_another()
            return writer.finish()


def divided(
    num_complete: int, num_samples: int, shares: Shares, seed: int
) -> dict[str, np.ndarray]:
    """Divide samples among splits at random.

    Args:
        num_complete: Number of samples, the first, that are divided by themselves and come first.
        num_samples: Number of all samples.
        shares: Shares of the splits.
        seed: Seed.

    Returns:
        Rising numbers of samples for each split that has a share, first those of complete ones.

    Raises:
        DatasetError: If shares do not add up to 1, or a split would get no sample.
    """
    each = shares.model_dump()
    total = sum(each.values())
    if min(each.values()) < 0 or not math.isclose(total, 1.0, abs_tol=1e-6):
        rule, repair = "Shares must be at least 0 and add up to 1", "Change one of them."
        raise refusal(rule, ", ".join(f"{x:g}" for x in each.values()), "--shares", repair)
    random = np.random.Generator(np.random.Philox(seed))
    strata = [(0, num_complete)]
    if num_complete < num_samples:
        strata.append((num_complete, num_samples))
    parts: dict[str, list[np.ndarray]] = {name: [] for name, share in each.items() if share > 0}
    for first, stop in strata:
        order = first + random.permutation(stop - first)
        ends = np.rint(np.cumsum([each[name] for name in parts]) * len(order)).astype(np.int64)
        for name, part in zip(parts, np.split(order, ends[:-1]), strict=True):
            if not len(part):
                which = " with every array" if first == 0 and len(strata) > 1 else ""
                rule = f"Each split must get a sample{which}"
                got = f"{len(order)} samples, and a share of {each[name]:g} for {name!r}"
                raise refusal(rule, got, "--shares", "Raise that share, or set it to 0.")
            parts[name].append(np.sort(part))
    return {name: np.concatenate(found) for name, found in parts.items()}


def _declared(name: ArrayName, item_shape: tuple[int, ...], axis: str) -> DeclaredArray:
    """An array whose axes are named after one word; of several, the first is that of channels."""
    several = len(item_shape) > 1
    dimensions = tuple(f"{axis}_{i}" if several else axis for i in range(len(item_shape)))
    return DeclaredArray(
        name=name,
        item_shape=item_shape,
        dimensions=dimensions,
        components=dimensions[0] if item_shape[0] <= MOST_COMPONENTS else None,
    )


def _misfit(rule: str, got: str, files: tuple[NpyFile, NpyFile], repair: str) -> DatasetError:
    return refusal(rule, got, " and ".join(str(file.path) for file in files), repair)


def _is_swapped(j: NpyFile, targets: int, inputs: int, axes: JacobianAxes | None) -> bool:
    """Whether a Jacobian has the inputs before the targets."""
    orders: dict[JacobianAxes, tuple[int, ...]] = {
        "targets,inputs": (targets, inputs),
        "inputs,targets": (inputs, targets),
    }
    fitting = [order for order, shape in orders.items() if j.shape[1:] == shape]
    if axes is not None:
        if axes not in fitting:
            rule = f"The Jacobian must have shape (samples, {axes}), {list(orders[axes])} each"
            raise refusal(rule, list(j.shape), j.path, "Name the other order, or mend the file.")
        return axes == "inputs,targets"
    if not fitting:
        rule = (
            f"The Jacobian must have shape (samples, targets, inputs), {[targets, inputs]} each, "
            "or (samples, inputs, targets)"
        )
        raise refusal(rule, list(j.shape), j.path, "Check which files belong together.")
    if len(fitting) > 1:
        rule = "The order of the axes of a Jacobian must be named where both have the same length"
        repair = "Give --jacobian-axes targets,inputs or inputs,targets."
        raise refusal(rule, list(j.shape), j.path, repair)
    return fitting == ["inputs,targets"]


def _layout(arrays: Arrays, numbers: np.ndarray, samples_per_block: int | None) -> ArrayLayout:
    counts = {
        name: int(np.count_nonzero(numbers < file.num_rows)) for name, file in arrays.files.items()
    }
    declared = tuple(
        array.model_copy(update={"num_rows": rows})
        if (rows := counts[array.name]) < len(numbers)
        else array
        for array in arrays.declared
    )
    each = 4 * sum(math.prod(array.item_shape) for array in declared)
    per_block = min(samples_per_block or _SAMPLES_PER_BLOCK, len(numbers))
    while samples_per_block is None and per_block > 1 and per_block * each > _BLOCK_BYTES:
        per_block = -(-per_block // 2)
    if per_block * each > _MOST_BLOCK_BYTES:
        rule = f"A block must take at most {_MOST_BLOCK_BYTES:.0f} bytes"
        got = f"{per_block} sample{'s' * (per_block > 1)} of {each} bytes each"
        repair = "Take fewer samples in a block." if per_block > 1 else "Cut samples into parts."
        raise refusal(rule, got, "--samples-per-block", repair)
    return ArrayLayout(
        num_samples=len(numbers),
        samples_per_block=per_block,
        samples_per_shard=per_block,
        declared=declared,
    )


def _identity(
    arrays: Arrays,
    origin: Origin,
    layouts: Mapping[str, ArrayLayout],
    storage_format: StorageFormat,
    compression: Compression,
) -> Identity:
    names = ", ".join(each.name for files in arrays.files.values() for each in files.types)
    return Identity(
        format_version=version_of(layouts.values()),
        title=f"Imported from {names}",
        bodies={},
        constants={},
        columns=(),
        column_units=(),
        seed=origin.seed,
        storage_format=storage_format,
        compression=compression,
        recipe={"imported": origin.model_dump(mode="json", exclude_none=True)},
        splits=layouts,
        software={name: version(name) for name in ("hypermagnetics", "numpy", "zarr", "h5py")},
    )


def _blocks(
    readers: Mapping[ArrayName, RowReader], numbers: np.ndarray, layout: ArrayLayout, shard: Shard
) -> Iterator[ArrayBlock]:
    for block in range(shard.first_block, shard.first_block + shard.num_blocks):
        values = {}
        for name, reader in readers.items():
            rows = layout.block_rows(name, block)
            values[name] = reader.rows(numbers[rows.start : rows.stop])
        yield ArrayBlock(len(layout.block_samples(block)), values)
