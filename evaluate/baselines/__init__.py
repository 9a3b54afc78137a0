"""Baselines: exact and fast sums, and bounds set by the form of a model."""

from hypermagnetics.evaluate.baselines.available import Baselines as Baselines
from hypermagnetics.evaluate.baselines.available import available_baselines as available_baselines
from hypermagnetics.evaluate.baselines.exact_sum import exact_sum as exact_sum
from hypermagnetics.evaluate.baselines.floors import RankBasis as RankBasis
from hypermagnetics.evaluate.baselines.floors import rank_basis as rank_basis
from hypermagnetics.evaluate.baselines.fmm3d import fmm3d as fmm3d
from hypermagnetics.evaluate.baselines.kernel import Fit as Fit
from hypermagnetics.evaluate.baselines.kernel import SourceKernel as SourceKernel
from hypermagnetics.evaluate.baselines.kernel import source_kernel as source_kernel
from hypermagnetics.evaluate.baselines.linear_control import (
    LINEAR_CONTROL_NAME as LINEAR_CONTROL_NAME,
)
from hypermagnetics.evaluate.baselines.linear_control import LinearControl as LinearControl
from hypermagnetics.evaluate.baselines.linear_control import linear_control as linear_control
