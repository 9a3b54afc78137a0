"""Damping alone: moments turn into the field, in two or three dimensions."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from hypermagnetics.dynamics.moment_dynamics import Flow, towards
from hypermagnetics.dynamics.others import Moments


class Damping(Flow):
    """dm/dt = -gamma alpha / (1 + alpha²) m x (m x H) / |m|, the damping part of `LLG`."""

    kind: Literal["damping"]
    """Kind of dynamics: moments turn into the field, as the damping part of "llg" alone."""

    damping: Annotated[float, Field(gt=0, le=1e6)] = 0.1
    """Gilbert's damping alpha, a number above 0."""

    dimensions: ClassVar[tuple[int, ...]] = (2, 3)

    def rate(self, moments: Moments, field: Moments) -> Moments:
        """See the class."""
        return self.gamma * self.damping / (1 + self.damping**2) * towards(moments, field)
