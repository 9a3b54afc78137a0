"""Split: a network for the smooth part of the potential, exact values close to sources."""

from hypermagnetics.models.split.model import Split as Split
from hypermagnetics.models.split.model import SplitConfig as SplitConfig
