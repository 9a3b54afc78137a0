"""Schema of a dataset recipe."""

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from hypermagnetics.config import Config, Count, Positive, refusal
from hypermagnetics.data.derivatives import DerivativesConfig
from hypermagnetics.data.layout import default_shard_bytes
from hypermagnetics.data.manifest import SplitName
from hypermagnetics.dynamics import DynamicsConfig
from hypermagnetics.generate.bodies import BodyConfig
from hypermagnetics.sources.distributions import Moment, Position

_Split = TypeVar("_Split")

MAX_POINTS = 2**24
"""Largest number of points of a grid."""

MAX_LISTED_POINTS = 4096
"""Largest number of points that stand in a recipe itself."""

_NumSources = Annotated[int, Field(ge=1, le=100_000)]
_NumPoints = Annotated[int, Field(ge=1, le=MAX_POINTS)]
_Point = Annotated[tuple[float, ...], Field(min_length=2, max_length=3)]


def _in_order(ends: tuple[int, ...]) -> tuple[int, ...]:
    if ends[0] > ends[1]:
        raise ValueError("a range [least, most] with least not above most")
    return ends


def _unlike(splits: dict[str, _Split]) -> dict[str, _Split]:
    """Refuse names that are the same in a random stream, or in a hub."""
    names = [name.replace("-", "_") for name in splits]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"names that differ by more than - and _, unlike {twice[0]}")
    return splits


Splits = Annotated[dict[SplitName, _Split], Field(min_length=1), AfterValidator(_unlike)]
"""Splits of a recipe, by name."""

_Range = Annotated[
    tuple[_NumSources, ...], Field(min_length=2, max_length=2), AfterValidator(_in_order)
]


class SourcesConfig(Config):
    """Bodies, and the distributions of their moments and positions."""

    body: BodyConfig
    """Bodies of the sources, with their sizes and rotations."""
    moment: Moment
    """Moments [A m²], in two dimensions [A m]."""
    position: Position
    """Positions [m]."""
    applied_field: Moment | None = None
    """Uniform field applied to each sample [A/m], which magnetises its soft bodies; null for none.
    Labels are of the bodies alone, without it."""


class RandomGrid(Config):
    """Points drawn uniformly from the box, anew for each block of samples."""

    kind: Literal["random"]
    """Kind of grid: points drawn uniformly from the box, anew for each block of samples."""
    half_width: Positive
    """Half the side of the box around the origin [m]."""
    num_points: _NumPoints
    """Number of points."""


class RegularGrid(Config):
    """Evenly spaced points of the box, faces included, the same for all samples."""

    kind: Literal["regular"]
    """Kind of grid: evenly spaced points of the box, faces included, the same for all samples."""
    half_width: Positive
    """Half the side of the box around the origin [m]."""
    resolution: Annotated[int, Field(ge=2, le=4096)]
    """Points per side."""
    halo: Annotated[int, Field(ge=0, le=1024)] = 0
    """Further points at each end of each axis, outside the box: exact values for the padding of
    crops at its edge."""

    @property
    def points_per_side(self) -> int:
        """Points along each axis, with the halo."""
        return self.resolution + 2 * self.halo


class SurfaceGrid(Config):
    """Points partly drawn near the surfaces of the sources, the rest uniformly."""

    kind: Literal["surface"]
    """Kind of grid: points partly drawn near the surfaces of the sources, the rest uniformly."""
    half_width: Positive
    """Half the side of the box around the origin [m]; a surface may lie outside of it."""
    num_points: _NumPoints
    """Number of points, those near surfaces included."""
    share: Annotated[float, Field(gt=0, le=1)]
    """Share of the points drawn near surfaces; they come first, and some of the others lie there by
    chance."""
    distance: Positive
    """Largest distance of the points near surfaces from the surface of a source of their sample, on
    either side [m]."""


class FileGrid(Config):
    """The points of a file, the same for all samples."""

    kind: Literal["file"]
    """Kind of grid: the points of a file, the same for all samples."""
    path: Annotated[str, Field(min_length=1)]
    """A .npy, .csv or .txt file with the coordinates of a point in each row [m]."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """sha256 of the file, so that a changed file is refused; null for that of its present bytes."""


class ListGrid(Config):
    """The points listed here, the same for all samples."""

    kind: Literal["list"]
    """Kind of grid: the points listed here, such as places of sensors, the same for all samples."""
    points: Annotated[tuple[_Point, ...], Field(min_length=1, max_length=MAX_LISTED_POINTS)]
    """Points [m]: a coordinate along each axis for each of them."""


GivenGrid = FileGrid | ListGrid
"""Grids of points that a user gives one by one."""


class SoftConfig(Config):
    """Accuracy of the self-consistent magnetisation of soft bodies."""

    cells: Annotated[int, Field(ge=1, le=64)]
    """Cells along each side of a box, in each of which the magnetisation is uniform."""
    order: Annotated[int, Field(ge=1, le=32)] = 8
    """Highest multipole of a disc or a sphere."""
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 1e-8
    """Largest relative residual of the equations."""
    checked_samples: Annotated[int, Field(ge=0, le=10_000)] = 8
    """Samples of the first split, the first ones, that are solved a second time with `finer_cells`;
    the difference of their fields is kept in the manifest as the estimated error."""
    finer_cells: Annotated[int, Field(ge=2, le=128)] | None = None
    """Cells along each side of a box in the second solution; null for half as many again."""

    @model_validator(mode="after")
    def _is_finer(self) -> "SoftConfig":
        if self.finer_cells is not None and not self.finer_cells > self.cells:
            raise refusal("finer_cells", f"be above cells, {self.cells}", self.finer_cells)
        return self

    @property
    def finer(self) -> "SoftConfig":
        """The settings of the second solution."""
        return self.model_copy(update={"cells": self.finer_cells or -(-3 * self.cells // 2)})


class SplitConfig(Config):
    """One split."""

    num_samples: Count
    """Number of samples. A sample is a configuration of sources, with potential and field at the
    points of a grid."""
    num_sources: Annotated[
        Annotated[_NumSources, Tag("number")] | Annotated[_Range, Tag("range")],
        Discriminator(lambda value: "range" if isinstance(value, list | tuple) else "number"),
    ]
    """Sources of each sample: a number, or [least, most], both included, all equally probable."""

    @property
    def least_sources(self) -> int:
        """Least number of sources in each sample."""
        return self.num_sources if isinstance(self.num_sources, int) else self.num_sources[0]

    @property
    def max_sources(self) -> int:
        """Largest number of sources in each sample."""
        return self.num_sources if isinstance(self.num_sources, int) else self.num_sources[1]


class StorageConfig(Config):
    """Layout of the arrays in files; it does not change a value."""

    shard_mb: Positive | None = None
    """Target size of a shard, all arrays together [10^6 bytes]; at least one block. null for 256,
    and more of datasets above 256 GB, so that their files stay few: 1000 from 1 TB on."""

    def of_bytes(self, dataset_bytes: int) -> "StorageConfig":
        """The same, with the size of a shard filled in for a dataset of so many bytes."""
        if self.shard_mb is not None:
            return self
        return self.model_copy(update={"shard_mb": default_shard_bytes(dataset_bytes) / 1e6})

    @property
    def shard_bytes(self) -> float | None:
        """Target size of a shard [bytes]; None if it is left to the size of the dataset."""
        return None if self.shard_mb is None else self.shard_mb * 1e6


_Line = Annotated[str, Field(min_length=1, max_length=200)]


class TitledRecipe(Config):
    """Title, authors and licence of a dataset, for the people who read its card and reports."""

    title: _Line
    """Title of the dataset, for the people who read its card and reports."""
    licence: _Line | None = None
    """Licence of the dataset, as its identifier of SPDX, such as "CC-BY-4.0"; null for none, which
    leaves others without the right to use it."""
    authors: Annotated[tuple[_Line, ...], Field(max_length=200)] = ()
    """Names of the authors, in the order of a citation; none to leave them out."""
    citation: Annotated[str, Field(min_length=1, max_length=4000)] | None = None
    """Text by which others should cite the dataset, such as a DOI or a BibTeX entry; null for
    none."""

    @property
    def without_credits(self) -> set[str]:
        """Keys of licence, authors and citation that say nothing; manifests leave them out."""
        keys = {"licence": self.licence, "authors": self.authors, "citation": self.citation}
        return {key for key, value in keys.items() if not value}


class DatasetRecipe(TitledRecipe):
    """A whole dataset."""

    seed: Annotated[int, Field(ge=0, le=2**32 - 1)]
    """Seed of all random values; the same recipe with the same seed makes the same dataset."""
    samples_per_grid: Annotated[int, Field(ge=1, le=2**20)] | None = None
    """Consecutive samples that share one grid: a block, the unit of reading. null for 256, or as
    many as fit into 64 MB; 1 where the grid follows the sources."""
    sources: SourcesConfig
    """Sources of a sample: their bodies, moments and positions."""
    grid: Annotated[
        RandomGrid | RegularGrid | SurfaceGrid | FileGrid | ListGrid, Field(discriminator="kind")
    ]
    """Points at which potential and field are computed."""
    derivatives: DerivativesConfig | None = None
    """Derivatives that are stored beside potential and field; null for none."""
    soft: SoftConfig | None = None
    """Accuracy of the magnetisation of soft bodies; null where there are none."""
    dynamics: DynamicsConfig | None = None
    """How the moments go on, whose trajectories are stored; null for moments that stay. Potential
    and field are those of the state at the start. See docs/dynamics.md."""
    storage: StorageConfig = StorageConfig()
    """Layout of the arrays in files."""
    splits: Splits[SplitConfig]
    """Splits by name, each with samples of its own. The shipped trainings read "train" and "valid";
    hm-eval reports those whose names begin with "test", or else all but "train"."""
