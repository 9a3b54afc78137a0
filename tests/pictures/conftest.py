"""Fixtures of pictures: an exact model, and datasets of all bodies."""

from mixtures import mixture as mixture
from mixtures import oracle as oracle
