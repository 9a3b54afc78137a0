"""Layout of a split: its blocks, shards and arrays."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field, model_validator

from hypermagnetics.config import Config, refusal

ArrayName = Literal["sources", "num_sources", "grid", "potential", "field"]
StorageFormat = Literal["zarr", "hdf5"]
Compression = Literal["none", "zstd"]
ARRAY_NAMES: tuple[ArrayName, ...] = ("sources", "num_sources", "grid", "potential", "field")

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


class SplitLayout(Config):
    """Sizes of one split, which determine every array shape and file name."""

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

    @model_validator(mode="after")
    def _shards_are_whole_blocks(self) -> "SplitLayout":
        if self.samples_per_shard % self.samples_per_grid:
            rule = f"be a multiple of samples_per_grid, {self.samples_per_grid}"
            raise refusal("samples_per_shard", rule, self.samples_per_shard)
        if self.samples_per_shard > (whole := self.num_blocks * self.samples_per_grid):
            rule = f"be at most {whole}, which hold the split"
            raise refusal("samples_per_shard", rule, self.samples_per_shard)
        return self

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
    def num_blocks(self) -> int:
        """Number of blocks."""
        return -(-self.num_samples // self.samples_per_grid)

    @property
    def blocks_per_shard(self) -> int:
        """Number of blocks in a full shard."""
        return self.samples_per_shard // self.samples_per_grid

    @property
    def num_shards(self) -> int:
        """Number of shards."""
        return -(-self.num_samples // self.samples_per_shard)

    def with_shards_of(self, shard_bytes: float) -> "SplitLayout":
        """The same split in shards of about `shard_bytes` before compression."""
        size, per_grid = self.sample_size, self.samples_per_grid
        of_grid = 0 if self.shared_grid else size.grid_bytes / per_grid
        sample_bytes = int(size.bytes + of_grid)
        samples = samples_per_shard(self.num_samples, per_grid, sample_bytes, shard_bytes)
        return self.model_copy(update={"samples_per_shard": samples})

    def shard(self, number: int) -> Shard:
        """The samples and blocks of one shard."""
        first = number * self.samples_per_shard
        samples = min(self.samples_per_shard, self.num_samples - first)
        return Shard(
            number,
            first,
            samples,
            number * self.blocks_per_shard,
            -(-samples // self.samples_per_grid),
        )

    def shards(self) -> Iterator[Shard]:
        """All shards in order."""
        return (self.shard(number) for number in range(self.num_shards))

    def shard_of_block(self, block: int) -> tuple[int, int]:
        """The shard that holds a block, and the place of the block in it."""
        return divmod(block, self.blocks_per_shard)

    def block_samples(self, block: int) -> range:
        """The samples of one block."""
        first = block * self.samples_per_grid
        return range(first, min(first + self.samples_per_grid, self.num_samples))

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
                return ArraySpec(name, single, shape, ("sample", "source", "column"), "", rows)
            case "num_sources":
                return ArraySpec(name, whole, (samples,), ("sample",), "1", rows)
            case "grid":
                grids = 1 if self.shared_grid else self.num_blocks
                return ArraySpec(
                    name, single, (grids, points, dim), ("block", "point", "axis"), "m", 1
                )
            case "potential":
                return ArraySpec(name, single, (samples, points), ("sample", "point"), "A", rows)
            case "field":
                shape = (samples, points, dim)
                return ArraySpec(name, single, shape, ("sample", "point", "axis"), "A/m", rows)

    def arrays(self) -> tuple[ArraySpec, ...]:
        """All arrays of the split."""
        return tuple(self.array(name) for name in ARRAY_NAMES)

    def rows(self, name: ArrayName, shard: Shard) -> range:
        """The entries of a shard along the first axis of an array."""
        if name != "grid":
            return range(shard.first_sample, shard.first_sample + shard.num_samples)
        if self.shared_grid:
            return range(0, 1) if shard.number == 0 else range(0)
        return range(shard.first_block, shard.first_block + shard.num_blocks)

    @property
    def block_bytes(self) -> int:
        """Bytes of the values of a full block, with its grid."""
        return self.sample_size.block_bytes(self.samples_per_grid)

    @property
    def num_bytes(self) -> int:
        """Bytes of all values of the split."""
        return sum(spec.shape[0] * spec.row_bytes for spec in self.arrays())


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
