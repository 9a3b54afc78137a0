"""Hypernetworks: from a source table to the weights of a function of position."""

from hypermagnetics.models.card import num_parameters as num_parameters
from hypermagnetics.models.card import usage_card as usage_card
from hypermagnetics.models.derivatives import value_and_gradient as value_and_gradient
from hypermagnetics.models.export import to_jax_export as to_jax_export
from hypermagnetics.models.fourier import FourierSeries as FourierSeries
from hypermagnetics.models.hyper_layer import HyperLayer as HyperLayer
from hypermagnetics.models.hyper_mlp import HyperMLP as HyperMLP
from hypermagnetics.models.inputs import ModelInputs as ModelInputs
from hypermagnetics.models.inputs import MomentUnit as MomentUnit
from hypermagnetics.models.inputs import Scales as Scales
from hypermagnetics.models.inputs import TrainedRange as TrainedRange
from hypermagnetics.models.inputs import ValuesAs as ValuesAs
from hypermagnetics.models.inputs import read_rows as read_rows
from hypermagnetics.models.interoperation import as_magpylib_source as as_magpylib_source
from hypermagnetics.models.linear import Linear as Linear
from hypermagnetics.models.model import Model as Model
from hypermagnetics.models.near_part import NearPart as NearPart
from hypermagnetics.models.ranges import OutOfRangeWarning as OutOfRangeWarning
from hypermagnetics.models.registry import ModelConfig as ModelConfig
from hypermagnetics.models.registry import build_model as build_model
from hypermagnetics.models.split import Split as Split
from hypermagnetics.models.store import load as load
from hypermagnetics.models.store import save_model as save_model
from hypermagnetics.models.user import UserModelConfig as UserModelConfig
from hypermagnetics.models.user import check_user_model as check_user_model
from hypermagnetics.models.user import import_user_model as import_user_model
