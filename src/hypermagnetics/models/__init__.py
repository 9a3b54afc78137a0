"""Hypernetworks: from a source table to the weights of a function of position."""

from hypermagnetics.models.card import num_parameters as num_parameters
from hypermagnetics.models.derivatives import value_and_gradient as value_and_gradient
from hypermagnetics.models.export import to_jax_export as to_jax_export
from hypermagnetics.models.fourier import FourierSeries as FourierSeries
from hypermagnetics.models.fourier import FourierSeriesConfig as FourierSeriesConfig
from hypermagnetics.models.hyper_layer import HyperLayer as HyperLayer
from hypermagnetics.models.hyper_layer import HyperLayerConfig as HyperLayerConfig
from hypermagnetics.models.hyper_mlp import HyperMLP as HyperMLP
from hypermagnetics.models.hyper_mlp import HyperMLPConfig as HyperMLPConfig
from hypermagnetics.models.inputs import ModelInputs as ModelInputs
from hypermagnetics.models.inputs import Scales as Scales
from hypermagnetics.models.inputs import TrainedRange as TrainedRange
from hypermagnetics.models.inputs import read_rows as read_rows
from hypermagnetics.models.interoperation import as_magpylib_source as as_magpylib_source
from hypermagnetics.models.knowledge import Knowledge as Knowledge
from hypermagnetics.models.linear import Linear as Linear
from hypermagnetics.models.linear import LinearConfig as LinearConfig
from hypermagnetics.models.model import Model as Model
from hypermagnetics.models.near_part import NearPart as NearPart
from hypermagnetics.models.ranges import OutOfRangeWarning as OutOfRangeWarning
from hypermagnetics.models.registry import build_model as build_model
from hypermagnetics.models.split import RangeSplit as RangeSplit
from hypermagnetics.models.split import RangeSplitConfig as RangeSplitConfig
from hypermagnetics.models.store import load as load
from hypermagnetics.models.store import save_model as save_model
