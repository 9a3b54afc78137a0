"""Soft boxes by few modes of their magnetisation, each a set of dipoles to all outside of it.

A soft box in the field of others is solved once and for all: by cells, in numpy and float64
(`divided_box`), beside many neighbours (`snapshots`). What its magnetisation can be has few
dimensions (`modes`), and its field outside is that of few dipoles (`dipoles`). What remains for a
configuration is a small linear system (`system`), which the model solves (`model`).
"""

from hypermagnetics.models.reduced.model import Reduced as Reduced
from hypermagnetics.models.reduced.settings import ReducedConfig as ReducedConfig
