"""Import of a team file as a dataset: the same labels, in SI units and our conventions."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Literal, cast

import numpy as np
from pydantic import JsonValue

from hypermagnetics.data.layout import (
    Block,
    Compression,
    SampleSize,
    Shard,
    SplitLayout,
    StorageFormat,
    in_shards,
)
from hypermagnetics.data.manifest import Identity, Manifest
from hypermagnetics.data.team_file import TeamFile, TeamReader, refusal, si_unit
from hypermagnetics.data.writer import DatasetWriter
from hypermagnetics.files import name_in_text
from hypermagnetics.log import SILENT, Listener

MomentKind = Literal["moment", "magnetisation"]
LengthUnit = Literal["m", "cm", "mm", "um", "nm"]
FieldUnit = Literal["A/m", "kA/m", "T", "mT"]

BODIES = {
    "sphere": {2: ("disc", 1), 3: ("sphere", 3)},
    "prism": {2: ("rectangle", 2), 3: ("cuboid", 4)},
}
"""Our names and codes of the spheres and prisms of a team file, in 2 and 3 dimensions."""

_UNTURNED = {2: {"angle": 0.0}, 3: {f"rotation_{part}": float(part == "w") for part in "wxyz"}}
"""Rotation of prisms in 2 and 3 dimensions, which all lie along the axes."""
_LENGTHS = frozenset(("r0", "size", "r", "grid"))
_READ_BYTES, _SAMPLES_PER_GRID = 64e6, 256  # at once; unless a block would take more


@dataclass(frozen=True)
class Units:
    """Units that a team file does not state itself.

    The published code knows no units, so its numbers are coherent: once lengths and fields (H and
    magnetisation) have units, phi is in field * length and a moment in field * length^dim, unless
    set otherwise: `potential` as "mA", `m` as "A m^2" for moments or "kA/m" for magnetisations.
    Tesla are those of mu0 H and mu0 M; inside a body B = mu0 (H + M) is another field.
    """

    length: LengthUnit | None = None
    field: FieldUnit | None = None
    potential: str | None = None
    m: str | None = None


@dataclass(frozen=True)
class _Convention:
    """Conversion of the numbers of a team file to our conventions."""

    team: TeamFile
    m_is: MomentKind
    units: dict[str, str]
    """Unit of each dataset."""
    constants: dict[str, float] = field(default_factory=dict)
    """Sizes [m] and rotation that all sources share."""

    @property
    def size_names(self) -> tuple[str, ...]:
        sides = tuple(f"dimension_{axis}" for axis in "xyz"[: self.team.dim])
        return ("radius",) if self.team.shape == "sphere" else sides

    @property
    def columns(self) -> tuple[str, ...]:
        axes = "xyz"[: self.team.dim]
        vectors = [f"{name}_{axis}" for name in ("moment", "position") for axis in axes]
        return (*vectors, *(name for name in self.size_names if name not in self.constants))

    def values(self, reader: TeamReader, name: str, rows: range | None = None) -> np.ndarray:
        """Values of a dataset in SI units, as float64."""
        return reader.rows(name, rows) * si_unit(self.units[name])[0]

    def rounded(self, values: np.ndarray, name: str, rows: range | None = None) -> np.ndarray:
        """Round values to float32, and refuse those out of its range."""
        with np.errstate(over="ignore"):  # the next lines name the value
            single = values.astype(np.float32)
        for index in np.argwhere(~np.isfinite(single))[:1]:
            where = f"row {int(index[0]) + (rows.start if rows else 0)}, {self.team.path}"
            rule = f"{name!r} must be in the range of float32 in SI units"
            raise refusal(rule, values[tuple(index)], where, "Check its unit.")
        return single

    def sizes(self, reader: TeamReader, rows: range) -> np.ndarray:
        """Radii or full sides (samples, sources, sizes) [m], as float64."""
        found = self.values(reader, "size", rows)
        wrong = ~(self.rounded(found, "size", rows) > 0)
        if self.team.shape == "sphere":
            wrong |= found != found[..., :1]
        for index in np.argwhere(wrong)[:1]:
            rule = "'size' must be greater than 0, and for a sphere the same on each axis"
            where = f"sample {rows.start + int(index[0])}, {self.team.path}"
            repair = "If the rest of the file was never filled, cut the samples off there."
            raise refusal(rule, found[tuple(index)], where, repair)
        return found[..., :1] if self.team.shape == "sphere" else 2 * found

    def sources(self, reader: TeamReader, rows: range) -> np.ndarray:
        """Source tables (samples, sources, columns), as float32."""
        moment, sizes = self.values(reader, "m", rows), self.sizes(reader, rows)
        if self.m_is == "magnetisation":
            volume = sizes.prod(-1, keepdims=True)
            if self.team.shape == "sphere":
                volume = np.pi * sizes**2 if self.team.dim == 2 else 4 / 3 * np.pi * sizes**3
            moment = moment * volume
        kept = [i for i, name in enumerate(self.size_names) if name not in self.constants]
        parts = [moment, self.values(reader, "r0", rows), sizes[..., kept]]
        return self.rounded(np.concatenate(parts, -1), "sources", rows)


def missing_units(team: TeamFile) -> tuple[str, ...]:
    """Units that a team file does not state.

    Args:
        team: The file, from `read_team_file`.

    Returns:
        Names of the fields of `Units` that must be given to import it.
    """
    silent = set(team.datasets) - set(team.units)
    missing = {"length": silent & _LENGTHS, "field": silent - _LENGTHS}
    return tuple(name for name, datasets in missing.items() if datasets)


def import_team_file(
    team: TeamFile,
    out: Path | str,
    *,
    units: Units | None = None,
    m_is: MomentKind | None = None,
    storage_format: StorageFormat = "zarr",
    compression: Compression = "none",
    shard_bytes: float | None = None,
    listener: Listener = SILENT,
) -> Manifest:
    """Make a dataset of a team file, or complete an unfinished one.

    Args:
        team: The team file, from `read_team_file`.
        out: Directory of the dataset, or its URL in an object store.
        units: Units that the file does not state.
        m_is: Meaning of `m`; if None, its unit decides, or else the shape: a magnetisation of
            prisms.
        storage_format: Format of the dataset.
        compression: Compression of its files.
        shard_bytes: Target size of a shard; None for one that suits the size of the dataset.
        listener: Receives the number of samples of each block written, or found written.

    Returns:
        The manifest of the finished dataset.

    Raises:
        DatasetError: If the file or its units are not sound, the file is another one than when it
            was read, or something else is at `out`.
    """
    with team.open() as reader:
        convention = _convention(team, reader, units or Units(), m_is)
        blocks = {split: _layout(convention, split) for split in team.splits}
        splits = in_shards(blocks, shard_bytes)
        identity = _identity(convention, reader.sha256(), splits, storage_format, compression)
        with DatasetWriter.open(out, identity, listener) as writer:
            writer.write_metadata()
            for split, shard in ((name, one) for name in splits for one in splits[name].shards()):
                if writer.has(split, shard):
                    listener.skip(shard.num_samples)
                    continue
                with writer.shard(split, shard) as sink:
                    for block in _blocks(convention, reader, split, splits[split], shard):
                        sink.append(block)
                        listener.advance(len(block.potential))
            reader.refuse_another()
            return writer.finish()


def _convention(
    team: TeamFile, reader: TeamReader, given: Units, m_is: MomentKind | None
) -> _Convention:
    """The convention of a team file, from its units and all its sizes."""
    if m_is is None:
        unit = team.units.get("m", given.m)
        by_volume = team.shape == "prism" if unit is None else si_unit(unit)[1] == (-1, 1)
        m_is = "magnetisation" if by_volume else "moment"
    units = {name: _unit(team, given, m_is, name) for name in team.datasets}
    convention = _Convention(team, m_is, units)
    cuts = _strides(range(team.num_samples), 4 * team.num_sources * team.dim)
    parts = (convention.sizes(reader, rows) for rows in cuts)
    ends = np.array([(part.min((0, 1)), part.max((0, 1))) for part in parts])
    ranges = zip(convention.size_names, ends[:, 0].min(0), ends[:, 1].max(0), strict=True)
    constants = {name: float(low) for name, low, high in ranges if low == high}
    unturned = _UNTURNED[team.dim] if team.shape == "prism" else {}
    return replace(convention, constants=constants | unturned)


def _unit(team: TeamFile, given: Units, m_is: MomentKind, name: str) -> str:
    """The unit of a dataset: stated, set by the caller, or coherent with length and field."""
    label = "field" if name.startswith("field") else "potential"
    kind = {"m": m_is, **dict.fromkeys(_LENGTHS, "length")}.get(name, label)
    powers = {"length": (1, 0), "moment": (team.dim - 1, 1), "potential": (0, 1)}
    wanted = powers.get(kind, (-1, 1))
    own = {"length": given.length, "field": given.field, m_is: given.m}.get(kind, given.potential)
    stated, length = team.units.get(name), given.length or team.units.get("r0")
    found = stated or own
    if found is None and kind != "length" and given.field and length:
        found = given.field + f" {length}" * (wanted[0] + 1)
    if found is None:
        rule = f"The unit of {name!r} must be stated by the file or by the caller (Units)"
        raise refusal(rule, "neither", team.path, "Give the units of length and of field.")
    if si_unit(found)[1] != wanted or (stated and own and si_unit(stated) != si_unit(own)):
        rule = (
            f"The unit of {name!r} must be that of a {kind}, the same in the file and in Units "
            "(--length-unit, --field-unit)"
        )
        found_in = {"in the file": stated, "in Units": own}
        got = " and ".join(f"{unit!r} {place}" for place, unit in found_in.items() if unit)
        raise refusal(rule, got or repr(found), team.path, "Mend one of them.")
    return found


def _strides(rows: range, bytes_each: int, whole: int = 1) -> Iterator[range]:
    """Cut samples into ranges to be read at once, each a multiple of `whole`."""
    step = max(int(_READ_BYTES // bytes_each) // whole, 1) * whole
    return (rows[first : first + step] for first in range(0, len(rows), step))


def _sample_size(convention: _Convention, split: str) -> SampleSize:
    team, part = convention.team, convention.team.splits[split]
    return SampleSize(part.num_points, team.dim, team.num_sources, len(convention.columns))


def _bytes_each(convention: _Convention, split: str) -> int:
    """Bytes of one sample, with its grid if that is its own."""
    size, part = _sample_size(convention, split), convention.team.splits[split]
    return size.bytes + (size.grid_bytes if part.per_sample else 0)


def _layout(convention: _Convention, split: str) -> SplitLayout:
    team, part = convention.team, convention.team.splits[split]
    per_grid = 1 if part.per_sample else min(_SAMPLES_PER_GRID, team.num_samples)
    size, each = _sample_size(convention, split), _bytes_each(convention, split)
    while per_grid > 1 and per_grid * each > _READ_BYTES:
        per_grid = -(-per_grid // 2)
    return SplitLayout(
        num_samples=team.num_samples,
        samples_per_grid=per_grid,
        shared_grid=not part.per_sample,
        samples_per_shard=per_grid,
        **size._asdict(),
    )


def _identity(
    convention: _Convention,
    sha256: str,
    splits: dict[str, SplitLayout],
    storage_format: StorageFormat,
    compression: Compression,
) -> Identity:
    team = convention.team
    body, code = BODIES[team.shape][team.dim]
    moment = "A m" if team.dim == 2 else "A m^2"
    units = (moment if name.startswith("moment") else "m" for name in convention.columns)
    file = name_in_text(team.path.name)
    origin = {"file": file, "sha256": sha256, "m_is": convention.m_is}
    imported = {**origin, "units": convention.units, "attributes": team.attributes}
    return Identity(
        title=f"Imported from {team.path.name}",
        bodies={body: code},
        constants=convention.constants,
        columns=convention.columns,
        column_units=tuple(units),
        seed=seed if type(seed := team.attributes.get("seed")) is int else 0,
        storage_format=storage_format,
        compression=compression,
        recipe={"imported": cast(JsonValue, imported)},
        splits=splits,
        software={name: version(name) for name in ("hypermagnetics", "numpy", "zarr", "h5py")},
    )


def _blocks(
    convention: _Convention, reader: TeamReader, split: str, layout: SplitLayout, shard: Shard
) -> Iterator[Block]:
    """The blocks of a shard in order; samples with points of their own are read many at once."""
    part, per_grid = convention.team.splits[split], layout.samples_per_grid

    def read(name: str, rows: range | None = None) -> np.ndarray:
        return convention.rounded(convention.values(reader, name, rows), name, rows)

    shared = np.empty(0) if part.per_sample else read(part.points)
    samples = range(shard.first_sample, shard.first_sample + shard.num_samples)
    for rows in _strides(samples, _bytes_each(convention, split), per_grid):
        sources = convention.sources(reader, rows)
        potential, field_values = read(part.potential, rows), read(part.field, rows)
        grids = read(part.points, rows) if part.per_sample else shared[None]
        for first in range(0, len(rows), per_grid):
            at = slice(first, min(first + per_grid, len(rows)))
            yield Block(
                sources=sources[at],
                num_sources=np.full(at.stop - first, layout.max_sources, np.int32),
                grid=grids[first if part.per_sample else 0],
                potential=potential[at],
                field=field_values[at],
            )
