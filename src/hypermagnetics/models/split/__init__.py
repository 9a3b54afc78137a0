"""RangeSplit: a network for the smooth part of the potential, exact values close to sources."""

from hypermagnetics.models.split.model import RangeSplit as RangeSplit
from hypermagnetics.models.split.model import RangeSplitConfig as RangeSplitConfig
