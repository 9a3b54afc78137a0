"""Splits by range: a smooth part for all pairs, exact values close to sources."""

from hypermagnetics.models.split.grid_model import GridSplit as GridSplit
from hypermagnetics.models.split.grid_model import split_of_domain as split_of_domain
from hypermagnetics.models.split.grid_settings import GridSplitConfig as GridSplitConfig
from hypermagnetics.models.split.model import RangeSplit as RangeSplit
from hypermagnetics.models.split.model import RangeSplitConfig as RangeSplitConfig
