"""What a dataset recipe may say."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hypermagnetics.config import Config
from hypermagnetics.data.manifest import SplitName
from hypermagnetics.sources import BodyName, Normal

_Positive = Annotated[float, Field(gt=0)]
_Count = Annotated[int, Field(ge=1, le=2**31 - 1)]


class SourcesConfig(Config):
    """Which bodies, and how they are drawn."""

    body: BodyName
    radius: _Positive | None = None
    """Radius of every disc [m]."""
    moment: Normal
    """Moments [A m]."""
    position: Normal
    """Positions [m]."""

    @model_validator(mode="after")
    def _radius_goes_with_the_body(self) -> "SourcesConfig":
        if (self.body == "disc") != (self.radius is not None):
            raise ValueError("given with a radius if the body is 'disc', and without one if not")
        return self


class RandomGrid(Config):
    """Points drawn uniformly from the box, anew for each block of samples."""

    kind: Literal["random"]
    half_width: _Positive
    """Half the side of the box around the origin [m]."""
    num_points: Annotated[int, Field(ge=1, le=2**24)]


class RegularGrid(Config):
    """Evenly spaced points of the box, faces included, the same for all samples."""

    kind: Literal["regular"]
    half_width: _Positive
    """Half the side of the box around the origin [m]."""
    resolution: Annotated[int, Field(ge=2, le=4096)]
    """Points per side."""


class SplitConfig(Config):
    """One split."""

    num_samples: _Count
    num_sources: Annotated[int, Field(ge=1, le=100_000)]
    """Sources of each sample."""


class StorageConfig(Config):
    """How the arrays lie in files; it does not change a value."""

    shard_mb: _Positive = 256.0
    """Size of a shard aimed at, all arrays together [10^6 bytes]; at least one block."""


class DatasetRecipe(Config):
    """A whole dataset."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)]
    samples_per_grid: Annotated[int, Field(ge=1, le=2**20)] = 256
    """Consecutive samples that share one grid: a block, the unit of reading."""
    sources: SourcesConfig
    grid: Annotated[RandomGrid | RegularGrid, Field(discriminator="kind")]
    storage: StorageConfig = StorageConfig()
    splits: Annotated[dict[SplitName, SplitConfig], Field(min_length=1)]
