"""Exact potentials and fields of magnetised bodies, and random configurations of them."""

from hypermagnetics.sources.ball import ball as ball
from hypermagnetics.sources.bodies import Body as Body
from hypermagnetics.sources.bodies import Cuboid as Cuboid
from hypermagnetics.sources.bodies import Dipole as Dipole
from hypermagnetics.sources.bodies import Disc as Disc
from hypermagnetics.sources.bodies import Rectangle as Rectangle
from hypermagnetics.sources.bodies import Sphere as Sphere
from hypermagnetics.sources.bodies import source_table as source_table
from hypermagnetics.sources.columns import BODIES as BODIES
from hypermagnetics.sources.columns import BodyName as BodyName
from hypermagnetics.sources.columns import SourceColumns as SourceColumns
from hypermagnetics.sources.configure import Configuration as Configuration
from hypermagnetics.sources.configure import configure as configure
from hypermagnetics.sources.cuboid import cuboid as cuboid
from hypermagnetics.sources.dipole import dipole as dipole
from hypermagnetics.sources.distributions import Normal as Normal
from hypermagnetics.sources.interoperation import from_magpylib as from_magpylib
from hypermagnetics.sources.interoperation import to_magpylib as to_magpylib
from hypermagnetics.sources.rectangle import rectangle as rectangle
from hypermagnetics.sources.sampling import uniforms as uniforms
from hypermagnetics.sources.superposition import block_superposition as block_superposition
from hypermagnetics.sources.superposition import superposition as superposition
from hypermagnetics.sources.surface import body_size as body_size
from hypermagnetics.sources.surface import box_vertices as box_vertices
from hypermagnetics.sources.surface import signed_distance as signed_distance
from hypermagnetics.sources.values import Values as Values
