"""Landau, Lifshitz and Gilbert's equation: precession and damping."""

from typing import ClassVar, Literal

import jax.numpy as jnp

from hypermagnetics.dynamics.moment_dynamics import Flow, towards
from hypermagnetics.dynamics.others import Moments


class LLG(Flow):
    """dm/dt = -gamma / (1 + alpha²) (m x H + alpha / |m| m x (m x H)).

    References:
        T. L. Gilbert, IEEE Trans. Magn. 40 (2004) 3443.
    """

    kind: Literal["llg"]
    """Kind of dynamics: precession about the field and damping towards it, in three dimensions."""

    dimensions: ClassVar[tuple[int, ...]] = (3,)

    def rate(self, moments: Moments, field: Moments) -> Moments:
        """See the class."""
        turning = jnp.cross(moments, field)
        scale = self.gamma / (1 + self.damping**2)
        return scale * (self.damping * towards(moments, field) - turning)
