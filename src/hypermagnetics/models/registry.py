"""The models by name."""

from typing import Annotated

import jax.random as jr
from pydantic import Field

from hypermagnetics.models.fourier import FourierSeries, FourierSeriesConfig
from hypermagnetics.models.hyper_layer import HyperLayer, HyperLayerConfig
from hypermagnetics.models.hyper_mlp import HyperMLP, HyperMLPConfig
from hypermagnetics.models.inputs import ModelInputs
from hypermagnetics.models.linear import Linear, LinearConfig
from hypermagnetics.models.model import Model
from hypermagnetics.models.split import Split, SplitConfig
from hypermagnetics.shapes import AnyKey

ModelConfig = Annotated[
    HyperLayerConfig | HyperMLPConfig | FourierSeriesConfig | LinearConfig | SplitConfig,
    Field(discriminator="name"),
]


def build_model(config: ModelConfig, inputs: ModelInputs, key: AnyKey) -> Model:
    """Make a model with fresh parameters.

    Args:
        config: Its settings.
        inputs: What it reads.
        key: Random key of the parameters.

    Returns:
        The model.
    """
    if isinstance(config, SplitConfig):
        return Split(config, inputs, key)
    hyperkey, mainkey = jr.split(key)
    if isinstance(config, HyperLayerConfig):
        return HyperLayer(config=config, inputs=inputs, hyperkey=hyperkey, mainkey=mainkey)
    if isinstance(config, FourierSeriesConfig):
        return FourierSeries(config, inputs=inputs, hyperkey=hyperkey)
    if isinstance(config, LinearConfig):
        return Linear(config, inputs=inputs, hyperkey=hyperkey, mainkey=mainkey)
    return HyperMLP(
        config.width,
        config.depth,
        config.hwidth,
        config.hdepth,
        inputs=inputs,
        hyperkey=hyperkey,
        mainkey=mainkey,
    )
