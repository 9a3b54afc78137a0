"""Exact potentials and fields of magnetised bodies, and random configurations of them."""

from hypermagnetics.sources.bodies import COLUMNS as COLUMNS
from hypermagnetics.sources.bodies import DIM as DIM
from hypermagnetics.sources.bodies import BodyName as BodyName
from hypermagnetics.sources.bodies import Kernel as Kernel
from hypermagnetics.sources.bodies import body_kernel as body_kernel
from hypermagnetics.sources.configure import Configuration as Configuration
from hypermagnetics.sources.configure import configure as configure
from hypermagnetics.sources.dipole import Values as Values
from hypermagnetics.sources.dipole import dipole as dipole
from hypermagnetics.sources.disc import disc as disc
from hypermagnetics.sources.sampling import Normal as Normal
from hypermagnetics.sources.sampling import sample_sources as sample_sources
from hypermagnetics.sources.sampling import uniforms as uniforms
from hypermagnetics.sources.superposition import block_superposition as block_superposition
from hypermagnetics.sources.superposition import superposition as superposition
