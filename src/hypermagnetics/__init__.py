"""Magnetic sources in, scalar potential and field out, by hypernetworks.

`hypermagnetics.sources` holds the exact physics, `hypermagnetics.models` the networks that learn
it, `hypermagnetics.data` the dataset format. Importing any of them changes no global state.
"""

from importlib.metadata import version

__version__ = version("hypermagnetics")
