"""An exact model, to be made worse as a test needs."""

from collections.abc import Callable
from dataclasses import dataclass, field

import jax.numpy as jnp
import pytest
from jax import Array

from hypermagnetics.sources import block_superposition, body_kernel


@dataclass(frozen=True)
class Oracle:
    """The closed form of discs of radius 1, with factors on what it predicts."""

    dim: int = 2
    source_size: int = 4
    rank: int | None = None
    factor: float = 1.0
    """Potential and field are multiplied by it."""
    blind_below: float = field(default=-jnp.inf)
    """The prediction is NaN where x is below."""
    shapes: list[tuple[int, ...]] = field(default_factory=list, compare=False)
    """Shapes of the source tables of each trace."""

    def block(self, sources: Array, points: Array) -> tuple[Array, Array]:
        """Potential and field of samples that share their points."""
        self.shapes.append(sources.shape)
        rows = jnp.full(sources.shape[0], sources.shape[1])
        potential, values = block_superposition(body_kernel("disc", 1.0), sources, rows, points)
        seen = jnp.where(points[:, 0] < self.blind_below, jnp.nan, self.factor)
        return potential * seen[None], values * seen[None, :, None]


@pytest.fixture
def oracle() -> Callable[..., Oracle]:
    """Make an exact model; arguments make it wrong."""
    return Oracle
