"""Layout of a split: its blocks, shards and arrays."""

import abc
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeVar

import numpy as np
from pydantic import Discriminator, Field, Tag, model_serializer, model_validator

from hypermagnetics.config import Config, refusal

ArrayName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
"""Name of an array of a split."""
StorageFormat = Literal["zarr", "hdf5"]
Compression = Literal["none", "zstd"]
Per = Literal["sample", "block"]
"""Whether an array has a row for each sample, or one for each block."""
SOURCE_ARRAYS: tuple[ArrayName, ...] = ("sources", "num_sources", "grid", "potential", "field")
"""Arrays of every split of sources."""
DECLARED_BY_PROGRAMS: tuple[ArrayName, ...] = (
    *("inputs", "targets", "jacobian"),
    *("readings", "derivatives"),
    *("moments", "substeps", "states"),
)
"""Arrays that the programs declare."""
MOST_COMPONENTS = 64
"""Most components of a declared array with statistics of their own."""

_MAX_BLOCK_BYTES = 1 << 30
"""Most bytes of a block, which is read whole, for the memory of a small machine."""

_Count = Annotated[int, Field(ge=1, le=2**40)]
_Size = Annotated[int, Field(ge=1, le=2**24)]


class ArraySpec(NamedTuple):
    """One array of a split, as a whole."""

    name: ArrayName
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    dimensions: tuple[str, ...]
    unit: str
    rows_per_block: int
    """Number of entries along the first axis in one full block."""
    per: Per = "sample"
    component_axis: int | None = None
    """Axis along which the statistics are apart; None if all values are of one kind."""

    @property
    def num_components(self) -> int:
        """Number of components in the statistics."""
        return 1 if self.component_axis is None else self.shape[self.component_axis]

    @property
    def row_bytes(self) -> int:
        """Bytes of one entry of the first axis."""
        return int(np.prod(self.shape[1:], dtype=object)) * self.dtype.itemsize


class SampleSize(NamedTuple):
    """Sizes that decide the bytes of a sample and of its grid."""

    num_points: int
    dim: int
    max_sources: int
    source_size: int

    @property
    def bytes(self) -> int:
        """Bytes of one sample, without its grid."""
        sources = self.max_sources * self.source_size + 1
        return 4 * (self.num_points * (1 + self.dim) + sources)

    @property
    def grid_bytes(self) -> int:
        """Bytes of one grid."""
        return 4 * self.num_points * self.dim

    def block_bytes(self, num_samples: int) -> int:
        """Bytes of a block of some samples, with its grid."""
        return num_samples * self.bytes + self.grid_bytes


class Shard(NamedTuple):
    """Consecutive samples that are written together."""

    number: int
    first_sample: int
    num_samples: int
    first_block: int
    num_blocks: int


@dataclass(frozen=True)
class Block:
    """Consecutive samples that share one grid, as numpy arrays.

    `potential` (samples, points) [A], `field` (samples, points, dim) [A/m], `grid` (points, dim)
    [m], `sources` (samples, max_sources, source_size), `num_sources` (samples,).
    """

    sources: np.ndarray
    num_sources: np.ndarray
    grid: np.ndarray
    potential: np.ndarray
    field: np.ndarray
    declared: Mapping[ArrayName, np.ndarray] = dataclasses.field(default_factory=dict)
    """Declared arrays of the split, by name; see `ArrayBlock`."""

    @property
    def num_samples(self) -> int:
        """Number of samples."""
        return len(self.num_sources)

    def values(self, name: ArrayName) -> np.ndarray:
        """The part of an array in this block: of its samples, or its one row."""
        if name in SOURCE_ARRAYS:
            of_sources: np.ndarray = getattr(self, name)
            return of_sources
        return self.declared[name]


@dataclass(frozen=True)
class ArrayBlock:
    """Consecutive samples of a split of arrays alone.

    An array with a row for each sample has shape (samples, *item), or fewer rows if only the first
    samples of the split have one; one with a row for each block has shape `item`.
    """

    num_samples: int
    declared: Mapping[ArrayName, np.ndarray]

    def values(self, name: ArrayName) -> np.ndarray:
        """The part of an array in this block."""
        return self.declared[name]


AnyBlock = Block | ArrayBlock


class DeclaredArray(Config):
    """An array beyond those of sources, as its layout declares it."""

    name: ArrayName
    per: Per = "sample"
    """Whether each sample has a row, or each block."""
    dtype: Literal["float32"] = "float32"
    """Type of the values."""
    item_shape: Annotated[tuple[_Size, ...], Field(max_length=8)]
    """Shape of a row."""
    dimensions: Annotated[tuple[ArrayName, ...], Field(max_length=8)]
    """Names of the axes of a row."""
    unit: Annotated[str, Field(max_length=40)] = ""
    """Unit of the values; empty if it is not known."""
    components: ArrayName | None = None
    """Axis along which the statistics are apart, of at most 64 components; null if all values of a
    row are of one kind."""
    num_rows: _Count | None = None
    """Number of samples, the first of the split, that have a row; null if all have."""

    @model_validator(mode="after")
    def _is_consistent(self) -> "DeclaredArray":
        if self.name in SOURCE_ARRAYS:
            rule = f"be none of {', '.join(SOURCE_ARRAYS)}, which are arrays of sources"
            raise refusal("name", rule, self.name)
        if len(set(self.dimensions)) != len(self.item_shape):
            rule = f"be {len(self.item_shape)} different names, one for each axis of item_shape"
            raise refusal("dimensions", rule, list(self.dimensions))
        if self.components is not None and self._num_components not in range(1, _MORE):
            rule = f"be one of the dimensions, of at most {MOST_COMPONENTS} components"
            raise refusal("components", rule, self.components)
        if self.per == "block" and self.num_rows is not None:
            raise refusal("num_rows", "be null for an array of blocks", self.num_rows)
        return self

    @property
    def _num_components(self) -> int:
        if self.components not in self.dimensions:
            return 0
        return self.item_shape[self.dimensions.index(self.components)]

    def spec(self, num_samples: int, num_blocks: int, samples_per_block: int) -> ArraySpec:
        """The whole array, in a split of that many samples and blocks."""
        axis = None
        if self.components is not None:
            axis = 1 + self.dimensions.index(self.components)
        if self.per == "block":
            rows, first, per_block = num_blocks, "each_block", 1
        else:
            rows, per_block = self.num_rows or num_samples, samples_per_block
            # A dimension has one length in a split, for readers of Zarr and netCDF.
            first = "sample" if rows == num_samples else f"sample_with_{self.name}"
        return ArraySpec(
            self.name,
            np.dtype(self.dtype).newbyteorder("<"),
            (rows, *self.item_shape),
            (first, *self.dimensions),
            self.unit,
            per_block,
            self.per,
            axis,
        )


_MORE = MOST_COMPONENTS + 1


class GridShape(Config):
    """The points of a regular grid: those of the box, and a halo of further ones around it.

    Points are stored flat, the last coordinate fastest. Values in the halo follow from the same
    physics as all others.
    """

    points_per_side: Annotated[int, Field(ge=2, le=2**16)]
    """Points along each axis, the halo included."""
    halo: Annotated[int, Field(ge=0, le=2**16)]
    """Points of the halo at each end of each axis."""

    @model_validator(mode="after")
    def _has_an_interior(self) -> "GridShape":
        if 2 * self.halo >= self.points_per_side:
            rule = f"leave points between the halos, 2 halo < {self.points_per_side}"
            raise refusal("halo", rule, self.halo)
        return self

    @property
    def resolution(self) -> int:
        """Points per side of the interior, which is the grid without its halo."""
        return self.points_per_side - 2 * self.halo


class Layout(Config):
    """Sizes of one split, which determine every array shape and file name."""

    if TYPE_CHECKING:  # keys of the layouts, in the order of their manifests

        @property
        @abc.abstractmethod
        def num_samples(self) -> int:
            """Number of samples."""

        @property
        @abc.abstractmethod
        def samples_per_block(self) -> int:
            """Samples of a block; the last block may have fewer."""

        @property
        @abc.abstractmethod
        def samples_per_shard(self) -> int:
            """Samples of a shard; the last shard may have fewer."""

        @property
        @abc.abstractmethod
        def declared(self) -> tuple[DeclaredArray, ...]:
            """Arrays beyond those of sources."""

    @property
    def num_blocks(self) -> int:
        """Number of blocks."""
        return -(-self.num_samples // self.samples_per_block)

    @property
    def blocks_per_shard(self) -> int:
        """Number of blocks in a full shard."""
        return self.samples_per_shard // self.samples_per_block

    @property
    def num_shards(self) -> int:
        """Number of shards."""
        return -(-self.num_samples // self.samples_per_shard)

    def shard(self, number: int) -> Shard:
        """The samples and blocks of one shard."""
        first = number * self.samples_per_shard
        samples = min(self.samples_per_shard, self.num_samples - first)
        return Shard(
            number,
            first,
            samples,
            number * self.blocks_per_shard,
            -(-samples // self.samples_per_block),
        )

    def shards(self) -> Iterator[Shard]:
        """All shards in order."""
        return (self.shard(number) for number in range(self.num_shards))

    def shard_of_block(self, block: int) -> tuple[int, int]:
        """The shard that holds a block, and the place of the block in it."""
        return divmod(block, self.blocks_per_shard)

    def block_samples(self, block: int) -> range:
        """The samples of one block."""
        first = block * self.samples_per_block
        return range(first, min(first + self.samples_per_block, self.num_samples))

    def array(self, name: ArrayName) -> ArraySpec:
        """Type, shape, dimension names and unit of one array."""
        found = next(array for array in self.declared if array.name == name)
        return found.spec(self.num_samples, self.num_blocks, self.samples_per_block)

    @property
    def array_names(self) -> tuple[ArrayName, ...]:
        """Names of all arrays of the split."""
        return tuple(array.name for array in self.declared)

    def arrays(self) -> tuple[ArraySpec, ...]:
        """All arrays of the split."""
        return tuple(self.array(name) for name in self.array_names)

    @property
    def declared_specs(self) -> tuple[ArraySpec, ...]:
        """The arrays beyond those of sources, each as a whole."""
        return tuple(self.array(array.name) for array in self.declared)

    def is_shared(self, name: ArrayName) -> bool:
        """Whether all blocks share the one row of an array."""
        return False

    def rows(self, name: ArrayName, shard: Shard) -> range:
        """The entries of a shard along the first axis of an array."""
        spec = self.array(name)
        if spec.per == "block":
            return range(shard.first_block, shard.first_block + shard.num_blocks)
        first = min(shard.first_sample, spec.shape[0])
        return range(first, min(shard.first_sample + shard.num_samples, spec.shape[0]))

    def block_rows(self, name: ArrayName, block: int) -> range:
        """The entries of a block along the first axis of an array."""
        spec, samples = self.array(name), self.block_samples(block)
        if spec.per == "block":
            return range(block, block + 1)
        return range(min(samples.start, spec.shape[0]), min(samples.stop, spec.shape[0]))

    @property
    def block_bytes(self) -> int:
        """Bytes of the values of a full block."""
        return sum(spec.rows_per_block * spec.row_bytes for spec in self.arrays())

    @property
    def num_bytes(self) -> int:
        """Bytes of all values of the split."""
        return sum(spec.shape[0] * spec.row_bytes for spec in self.arrays())

    @model_validator(mode="after")
    def _shards_are_whole_blocks(self) -> "Layout":
        if self.samples_per_shard % self.samples_per_block:
            key = "samples_per_grid" if isinstance(self, SplitLayout) else "samples_per_block"
            rule = f"be a multiple of {key}, {self.samples_per_block}"
            raise refusal("samples_per_shard", rule, self.samples_per_shard)
        if self.samples_per_shard > (whole := self.num_blocks * self.samples_per_block):
            rule = f"be at most {whole}, which hold the split"
            raise refusal("samples_per_shard", rule, self.samples_per_shard)
        return self

    @model_validator(mode="after")
    def _declared_arrays_fit(self) -> "Layout":
        names = [array.name for array in self.declared]
        if len(set(names)) < len(names):
            raise refusal("declared", "have each name once", names)
        for array in self.declared:
            if array.num_rows is not None and array.num_rows >= self.num_samples:
                rule = f"be below the {self.num_samples} samples, or null if all have a row"
                raise refusal(f"declared.{array.name}.num_rows", rule, array.num_rows)
        lengths: dict[str, int] = {}
        for spec in self.arrays():
            for name, length in zip(spec.dimensions, spec.shape, strict=True):
                if lengths.setdefault(name, length) != length:
                    rule = f"have one length of the dimension {name!r}, {lengths[name]}"
                    raise refusal(f"declared.{spec.name}", rule, length)
        return self


class SplitLayout(Layout):
    """Sizes of one split of sources, with their potential and field."""

    num_samples: _Count
    samples_per_grid: _Size
    """Samples of a block; the last block may have fewer."""
    shared_grid: bool
    """Whether all blocks share one grid, as regular grids do."""
    grid_shape: GridShape | None = None
    """Shape of the shared grid, if it is regular."""
    samples_per_shard: _Count
    max_sources: _Size
    source_size: _Size
    num_points: Annotated[int, Field(ge=1, le=2**32)]
    dim: Annotated[int, Field(ge=2, le=3)]
    declared: tuple[DeclaredArray, ...] = ()
    """Arrays beyond those of sources; absent from the manifest if there are none."""

    @model_serializer(mode="wrap")
    def _without_nothing_declared(self, whole: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """As datasets of format version 1 have it, where nothing is declared."""
        found = whole(self)
        if not self.declared:
            found.pop("declared", None)
        return found

    @model_validator(mode="after")
    def _blocks_fit_in_memory(self) -> "SplitLayout":
        if self.block_bytes > _MAX_BLOCK_BYTES:
            rule = f"make blocks of at most {_MAX_BLOCK_BYTES} bytes"
            raise refusal("samples_per_grid", rule, f"{self.block_bytes} bytes")
        return self

    @model_validator(mode="after")
    def _grid_shape_fits(self) -> "SplitLayout":
        if self.grid_shape is not None:
            if not self.shared_grid:
                raise refusal("shared_grid", "be true beside a grid_shape", self.shared_grid)
            if self.num_points != (found := self.grid_shape.points_per_side**self.dim):
                raise refusal("num_points", f"be {found}, as grid_shape says", self.num_points)
        return self

    @property
    def sample_size(self) -> SampleSize:
        """Sizes of a sample."""
        return SampleSize(self.num_points, self.dim, self.max_sources, self.source_size)

    @property
    def samples_per_block(self) -> int:
        """Samples that share a grid."""
        return self.samples_per_grid

    def with_shards_of(self, shard_bytes: float) -> "SplitLayout":
        """The same split in shards of about `shard_bytes` before compression."""
        size, per_grid = self.sample_size, self.samples_per_grid
        of_grid = 0 if self.shared_grid else size.grid_bytes / per_grid
        sample_bytes = int(size.bytes + of_grid + _declared_bytes(self.declared, per_grid))
        samples = samples_per_shard(self.num_samples, per_grid, sample_bytes, shard_bytes)
        return self.model_copy(update={"samples_per_shard": samples})

    def array(self, name: ArrayName) -> ArraySpec:
        """Type, shape, dimension names and unit of one array."""
        samples, points, dim, rows = (
            self.num_samples,
            self.num_points,
            self.dim,
            self.samples_per_grid,
        )
        single, whole = np.dtype("<f4"), np.dtype("<i4")
        match name:
            case "sources":
                shape: tuple[int, ...] = (samples, self.max_sources, self.source_size)
                return ArraySpec(
                    name, single, shape, ("sample", "source", "column"), "", rows, component_axis=2
                )
            case "num_sources":
                return ArraySpec(name, whole, (samples,), ("sample",), "1", rows)
            case "grid":
                grids = 1 if self.shared_grid else self.num_blocks
                return ArraySpec(
                    name,
                    single,
                    (grids, points, dim),
                    ("block", "point", "axis"),
                    "m",
                    1,
                    per="block",
                    component_axis=2,
                )
            case "potential":
                return ArraySpec(name, single, (samples, points), ("sample", "point"), "A", rows)
            case "field":
                shape = (samples, points, dim)
                return ArraySpec(
                    name, single, shape, ("sample", "point", "axis"), "A/m", rows, component_axis=2
                )
            case _:
                return super().array(name)

    @property
    def array_names(self) -> tuple[ArrayName, ...]:
        """Names of all arrays of the split."""
        return (*SOURCE_ARRAYS, *super().array_names)

    def is_shared(self, name: ArrayName) -> bool:
        """Whether all blocks share the one row of an array, as a regular grid."""
        return name == "grid" and self.shared_grid

    def rows(self, name: ArrayName, shard: Shard) -> range:
        """The entries of a shard along the first axis of an array."""
        if self.is_shared(name):
            return range(0, 1) if shard.number == 0 else range(0)
        return super().rows(name, shard)

    def block_rows(self, name: ArrayName, block: int) -> range:
        """The entries of a block along the first axis of an array."""
        return range(1) if self.is_shared(name) else super().block_rows(name, block)


class ArrayLayout(Layout):
    """Sizes of one split of arrays alone, without sources."""

    num_samples: _Count
    samples_per_block: _Size
    """Samples that are read together; the last block may have fewer."""
    samples_per_shard: _Count
    declared: Annotated[tuple[DeclaredArray, ...], Field(min_length=1, max_length=100)]
    """The arrays."""

    @model_validator(mode="after")
    def _blocks_fit_in_memory(self) -> "ArrayLayout":
        if self.block_bytes > _MAX_BLOCK_BYTES:
            rule = f"make blocks of at most {_MAX_BLOCK_BYTES} bytes"
            raise refusal("samples_per_block", rule, f"{self.block_bytes} bytes")
        return self

    def with_shards_of(self, shard_bytes: float) -> "ArrayLayout":
        """The same split in shards of about `shard_bytes` before compression."""
        sample_bytes = int(_declared_bytes(self.declared, self.samples_per_block))
        per_block = self.samples_per_block
        samples = samples_per_shard(self.num_samples, per_block, sample_bytes, shard_bytes)
        return self.model_copy(update={"samples_per_shard": samples})


AnyLayout = SplitLayout | ArrayLayout


def _kind(value: object) -> str:
    """Member of the union of layouts that a table or a checked value belongs to."""
    if isinstance(value, ArrayLayout):
        return ArrayLayout.__name__
    is_of_arrays = isinstance(value, Mapping) and "samples_per_block" in value
    return ArrayLayout.__name__ if is_of_arrays else SplitLayout.__name__


StoredLayout = Annotated[
    Annotated[SplitLayout, Tag("SplitLayout")] | Annotated[ArrayLayout, Tag("ArrayLayout")],
    Discriminator(_kind),
]
"""A layout in a manifest."""


def _declared_bytes(declared: Sequence[DeclaredArray], samples_per_block: int) -> float:
    """Bytes of the declared arrays of one sample."""
    total = 0.0
    for array in declared:
        spec = array.spec(samples_per_block, 1, samples_per_block)
        total += spec.row_bytes / (1 if array.per == "sample" else samples_per_block)
    return total


_AnyLayoutT = TypeVar("_AnyLayoutT", SplitLayout, ArrayLayout)


def default_shard_bytes(dataset_bytes: int) -> float:
    """Size of a shard that keeps the files of a dataset few.

    Hubs and file systems take some ten thousand files in a directory, and a hundred thousand in
    all. A shard has a file for each array in Zarr, and one in HDF5.

    Args:
        dataset_bytes: Bytes of all values of the dataset.

    Returns:
        256 MB up to datasets of 256 GB, then a thousandth of the dataset up to 1 GB, and at least
        1 / 8192 of it.
    """
    usual = min(max(dataset_bytes / 1000, 256e6), 1e9)
    return max(usual, dataset_bytes / 8192)


def in_shards(
    layouts: Mapping[str, _AnyLayoutT], shard_bytes: float | None
) -> dict[str, _AnyLayoutT]:
    """The splits of a dataset in shards.

    Args:
        layouts: Layouts by the names of the splits.
        shard_bytes: Target size of a shard before compression; None for one that suits the size of
            the dataset.

    Returns:
        The same layouts, with as many samples in a shard.
    """
    total = sum(layout.num_bytes for layout in layouts.values())
    size = default_shard_bytes(total) if shard_bytes is None else shard_bytes
    return {name: layout.with_shards_of(size) for name, layout in layouts.items()}


def samples_per_shard(
    num_samples: int, samples_per_grid: int, sample_bytes: int, shard_bytes: float
) -> int:
    """Number of samples in a shard of about `shard_bytes`: whole blocks, at least one.

    Args:
        num_samples: Samples of the split; a shard has no more blocks than they need.
        samples_per_grid: Samples of a block.
        sample_bytes: Bytes of one sample.
        shard_bytes: Target size of a shard [bytes].

    Returns:
        A multiple of `samples_per_grid`.
    """
    block_bytes, blocks = sample_bytes * samples_per_grid, -(-num_samples // samples_per_grid)
    # A recipe may ask for more bytes than a float can hold.
    wanted = max(int(min(shard_bytes, blocks * block_bytes) // block_bytes), 1)
    return min(wanted, blocks) * samples_per_grid
