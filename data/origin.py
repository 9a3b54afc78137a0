"""Origin of imported arrays, as their manifest keeps it."""

from hypermagnetics.config import Config, Positive
from hypermagnetics.data.boundary import Boundary
from hypermagnetics.data.layout import ArrayName
from hypermagnetics.data.parameters import Parameter


class Shares(Config):
    """Shares of the samples in the splits."""

    train: float = 0.8
    valid: float = 0.1
    test: float = 0.1


class OriginFile(Config):
    """A file that was imported."""

    file: str
    sha256: str
    dtype: str
    axes_exchanged: bool
    """Whether the last two axes were exchanged."""


class OriginMaps(Config):
    """Files of a pattern that were imported, each one map or one trajectory."""

    pattern: str
    num_files: int
    num_channels: int
    """Channels of a map; channels or components of the states of a trajectory."""
    sha256: str
    """That of the hexadecimal sha256 of the files, a line each, in the order of the samples."""
    dtypes: tuple[str, ...]


class Origin(Config):
    """Origin of an imported dataset."""

    files: dict[ArrayName, OriginFile | tuple[OriginMaps, ...]]
    """Of each array its file, or the patterns whose channels it has one behind the other."""
    shares: Shares
    seed: int
    """Seed of the division into splits."""
    parameters: tuple[Parameter, ...]
    boundary: Boundary | None = None
    """Boundary of the box of maps; absent from the manifest of an import that says nothing."""
    time_step: Positive | None = None
    """Time between two states, in the unit of the user; absent from the manifest of an import of
    anything else."""
