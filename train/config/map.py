"""[map]: a training from maps to maps, of fields on regular grids."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hypermagnetics.config import Config, refusal
from hypermagnetics.data.boundary import Boundary
from hypermagnetics.models import MapInput, MapTarget

_Stride = Annotated[int, Field(ge=1, le=256)]


class MapConfig(Config):
    """Maps that a network reads and gives, on the points of a regular grid."""

    input: tuple[MapInput, ...] | None = None
    """Maps that it reads: "magnetisation", its mean over the cell around each point; "potential";
    "field"; or "inputs", of an imported dataset. null for the magnetisation, or the inputs."""
    target: tuple[MapTarget, ...] | None = None
    """Maps that it gives: "potential", "field", or "targets" of an imported dataset. null for the
    potential, or the targets."""
    stride: _Stride = 1
    """Distance of the points that it reads, in those of the grid: 4 for every fourth one along each
    axis, as super-resolution has them. It gives all points."""
    boundary: Boundary | None = None
    """"open", with nothing beyond the edge, or "periodic", as hm-data import-arrays --boundary has
    it; null for that of the dataset."""
    subpoints: Annotated[int, Field(ge=1, le=64)] = 8
    """Points along each axis of a cell over which the magnetisation is averaged. One makes steps of
    the edges of bodies, and twenty times the error of the potential."""
    vectors: tuple[Literal["inputs", "targets"], ...] | None = None
    """Imported arrays whose channels are the components of vectors, "inputs", "targets" or both,
    for data.augment that turns or reflects them; the channels of others are scalars. null if not
    known."""

    @model_validator(mode="after")
    def _maps_of_one_kind(self) -> "MapConfig":
        for key, names in (("input", self.input), ("target", self.target)):
            if names is None:
                continue
            if not names or len(set(names)) < len(names):
                raise refusal(key, "be names of maps, each once", list(names), "Name at least one.")
            imported = {"inputs", "targets"} & {*names}
            if imported and len(names) > 1:
                rule = f"be {imported.pop()!r} alone, or maps of sources"
                raise refusal(key, rule, list(names), "Remove one.")
        return self
