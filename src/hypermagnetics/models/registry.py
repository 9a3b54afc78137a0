"""Models by name: shipped ones, and classes of users."""

from typing import Annotated

import jax.random as jr
from pydantic import Discriminator, Field, Tag

from hypermagnetics.config import Config
from hypermagnetics.errors import ExtensionError, RecipeError
from hypermagnetics.models.array_conv import Conv, ConvConfig
from hypermagnetics.models.array_fft import FFTConfig, FFTConvolution
from hypermagnetics.models.array_inputs import ArrayInputs
from hypermagnetics.models.array_mlp import MLP, MLPConfig
from hypermagnetics.models.array_model import ArrayModel
from hypermagnetics.models.array_unet import UNet, UNetConfig
from hypermagnetics.models.fourier import FourierSeries, FourierSeriesConfig
from hypermagnetics.models.hyper_layer import HyperLayer, HyperLayerConfig
from hypermagnetics.models.hyper_mlp import HyperMLP
from hypermagnetics.models.inputs import ModelInputs
from hypermagnetics.models.linear import Linear, LinearConfig
from hypermagnetics.models.model import Model
from hypermagnetics.models.reduced import Reduced, ReducedConfig
from hypermagnetics.models.source_models import TrainedSourceModel, is_grid_split
from hypermagnetics.models.split import GridSplit, GridSplitConfig, RangeSplit, RangeSplitConfig
from hypermagnetics.models.stepper import Stepper, StepperConfig, moments_of
from hypermagnetics.models.user import UserModel, UserModelConfig, build_user_model, class_name
from hypermagnetics.models.wave_layer import WaveLayer, WaveLayerConfig
from hypermagnetics.shapes import AnyKey
from hypermagnetics.user_code import names_user_code

_ArrayConfig = MLPConfig | ConvConfig | UNetConfig | FFTConfig | StepperConfig
"""Settings of the shipped networks from arrays to arrays."""
_MapConfig = ConvConfig | UNetConfig | FFTConfig
"""Those of networks from maps to maps alone."""
_Shipped = Annotated[TrainedSourceModel | _ArrayConfig, Field(discriminator="name")]


def _kind(value: object) -> str:
    """Member of the union that a table or a checked value belongs to."""
    if names_user_code(value, "name"):
        return UserModelConfig.__name__
    return "grid" if is_grid_split(value) else "shipped"


# The models that are shipped stay a union of their own, so that a misspelt name is answered with
# their names.
ModelConfig = Annotated[
    Annotated[_Shipped, Tag("shipped")]
    | Annotated[GridSplitConfig, Tag("grid")]
    | Annotated[UserModelConfig, Tag(UserModelConfig.__name__)],
    Discriminator(_kind),
]

AnyModel = Model | ArrayModel
"""A model of sources, or a network from arrays to arrays."""


def is_of_arrays(config: ModelConfig, user_model: UserModel | None = None) -> bool:
    """Whether settings are those of a network from arrays to arrays.

    Args:
        config: The settings.
        user_model: The class, if they are those of a user's model.
    """
    if isinstance(config, UserModelConfig):
        return user_model is not None and issubclass(user_model, ArrayModel)
    return isinstance(config, _ArrayConfig)


def is_of_maps(config: ModelConfig) -> bool:
    """Whether settings are those of a shipped network that takes nothing but maps."""
    return isinstance(config, _MapConfig)


def num_outputs(config: ModelConfig) -> int | None:
    """Number of values that settings of a network ask for; None for those of its target."""
    return config.outputs if isinstance(config, MLPConfig) else None


def config_of(model: AnyModel) -> Config:
    """Settings that a file needs to build a model again: a member of `ModelConfig`."""
    if type(model).__module__.startswith("hypermagnetics."):
        return model.config
    settings = model.config.model_dump(mode="json")
    return UserModelConfig(name=class_name(type(model)), settings=settings)


def build_array_model(
    config: ModelConfig, inputs: ArrayInputs, key: AnyKey, user_model: UserModel | None = None
) -> ArrayModel:
    """Make a network from arrays to arrays with fresh parameters; see `build_model`.

    Raises:
        RecipeError: If the settings are those of a model of sources, or do not fit the target.
    """
    match config:
        case MLPConfig():
            return MLP(config, inputs, key)
        case ConvConfig():
            return Conv(config, inputs, key)
        case UNetConfig():
            return UNet(config, inputs, key)
        case FFTConfig():
            return FFTConvolution(config, inputs, key)
        case StepperConfig():
            return Stepper(config, inputs, _part_of_stepper(config, inputs, key))
    if isinstance(config, UserModelConfig):
        built = _user_model(config, inputs, key, user_model)
        if isinstance(built, ArrayModel):
            return built
    raise RecipeError(
        f"The model must be a network from arrays to arrays; got {config.name!r}, which reads "
        "sources (model.name). Take 'mlp'."
    )


def _part_of_stepper(config: StepperConfig, inputs: ArrayInputs, key: AnyKey) -> Model | MLP:
    frame = moments_of(inputs)
    if config.field is not None:
        return build_model(config.field, frame.sources, key)
    assert config.network is not None, "it has one of both"
    # Its own part of the file names no dynamics, and no source models.
    return MLP(config.network, inputs.model_copy(update={"steps": None}), key)


def build_model(
    config: ModelConfig, inputs: ModelInputs, key: AnyKey, user_model: UserModel | None = None
) -> Model:
    """Make a model with fresh parameters.

    Args:
        config: Its settings.
        inputs: Inputs of the model.
        key: Random key of the parameters.
        user_model: The class, if the settings are those of a user's model. They name it too, but
            a name alone is never imported.

    Returns:
        The model.

    Raises:
        ExtensionError: If the class is not given, or refuses the settings.
        RecipeError: If the model cannot have the normalisation of the inputs, or is a sum over
            sources that are soft.
    """
    model = _built(config, inputs, key, user_model)
    _refuse_to_lose_superposition(model)
    return model


def _refuse_to_lose_superposition(model: Model) -> None:
    if model.inputs.values == "asinh" and model.rank is not None:
        raise RecipeError(
            "normalisation.values must be 'linear' for a model that is additive over sources, as "
            f"sinh of a sum is no sum of sinh; got 'asinh' for a {type(model).__name__} "
            "(model.name). Leave normalisation.values out, or take a model such as 'hyper_mlp'."
        )


def _user_model(
    config: UserModelConfig,
    inputs: ModelInputs | ArrayInputs,
    key: AnyKey,
    user_model: UserModel | None,
) -> AnyModel:
    if user_model is None:
        raise ExtensionError(
            f"A model of a user must be built from its class; got only the name {config.name} "
            "(build_model). Give user_model, the class."
        )
    return build_user_model(user_model, config, inputs, key)


def _built(
    config: ModelConfig, inputs: ModelInputs, key: AnyKey, user_model: UserModel | None
) -> Model:
    if isinstance(config, UserModelConfig):
        built = _user_model(config, inputs, key, user_model)
        if isinstance(built, Model):
            return built
    if isinstance(config, _ArrayConfig | UserModelConfig):
        raise RecipeError(
            f"The model must read sources; got {config.name!r}, a network from arrays to arrays "
            "(model.name). Take a model such as 'hyper_layer', or a dataset of arrays."
        )
    if isinstance(config, RangeSplitConfig):
        return RangeSplit(config, inputs, key)
    if isinstance(config, GridSplitConfig):
        return GridSplit(config, inputs)
    if isinstance(config, WaveLayerConfig):
        return WaveLayer(config, inputs)
    if isinstance(config, ReducedConfig):
        return Reduced(config, inputs)
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
