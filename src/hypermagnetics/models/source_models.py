"""Settings of the shipped models of sources, by name."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Discriminator, Field, Tag

from hypermagnetics.models.fourier import FourierSeriesConfig
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.models.hyper_mlp import HyperMLPConfig
from hypermagnetics.models.linear import LinearConfig
from hypermagnetics.models.reduced.settings import ReducedConfig
from hypermagnetics.models.split import GridSplitConfig, RangeSplitConfig
from hypermagnetics.models.wave_layer import WaveLayerConfig

TrainedSourceModel = (
    HyperLayerConfig
    | WaveLayerConfig
    | HyperMLPConfig
    | FourierSeriesConfig
    | LinearConfig
    | RangeSplitConfig
    | ReducedConfig
)
"""Settings of the models of sources, but for splits by waves on a grid."""

_OF_TRAINED_FACTORS = {"rank", "waves", "smoothness", "fit"}


def is_grid_split(value: object) -> bool:
    """Whether a table or a checked value is that of a split by waves on a grid."""
    if isinstance(value, GridSplitConfig):
        return True
    if not isinstance(value, Mapping) or value.get("name") != "split":
        return False
    # The settings of trained factors, without the key, are those of earlier recipes and files.
    factors = value.get("factors", "trained" if _OF_TRAINED_FACTORS & {*value} else "grid")
    return bool(factors == "grid")


SourceModelConfig = Annotated[
    Annotated[Annotated[TrainedSourceModel, Field(discriminator="name")], Tag("shipped")]
    | Annotated[GridSplitConfig, Tag("grid")],
    Discriminator(lambda value: "grid" if is_grid_split(value) else "shipped"),
]
"""A shipped model of sources, by its `name`."""
