"""Soft bodies, whose magnetisation answers to the field of all others."""

from hypermagnetics.sources.soft.checked import solve_magnetisation as solve_magnetisation
from hypermagnetics.sources.soft.solution import SoftSolution as SoftSolution
from hypermagnetics.sources.soft.solve import Settings as Settings
from hypermagnetics.sources.soft.solve import solve as solve
