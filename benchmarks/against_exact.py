"""Errors and times of a model beside those of the exact sum, as benchmarks print them together."""

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hypermagnetics.models import Model
from hypermagnetics.models.model import _learned
from hypermagnetics.models.steps import over_points

ACCURACY = 0.01
"""Median relative error of the field from which on a time counts as that of a model of the field.
A model that is worse passes nothing, however fast it is."""

Values = tuple[Float[Array, "*points"], Float[Array, "*points dim"]]
"""Potential and field."""


class Errors(NamedTuple):
    """Relative errors, as docs/metrics.md defines them."""

    potential_median: float
    field_median: float
    potential_global_l2: float
    field_global_l2: float

    @property
    def is_accurate(self) -> bool:
        """Whether the field is as good as `ACCURACY` asks for."""
        return self.field_median < ACCURACY

    def figures(self, name: str) -> dict[str, float]:
        """In per cent, for `report`."""
        return {f"{name}_{key}_percent": 100 * value for key, value in self._asdict().items()}


def errors_of(found: Values, true: Values) -> Errors:
    """Compare values with the exact ones.

    Args:
        found: Of the model.
        true: At the same points.

    Returns:
        The errors over all points.
    """
    off = [jnp.abs(found[0] - true[0]), jnp.linalg.norm(found[1] - true[1], axis=-1)]
    size = [jnp.abs(true[0]), jnp.linalg.norm(true[1], axis=-1)]
    medians = [float(jnp.median(e / t)) for e, t in zip(off, size, strict=True)]
    norms = [float(jnp.linalg.norm(e) / jnp.linalg.norm(t)) for e, t in zip(off, size, strict=True)]
    return Errors(*medians, *norms)


def shortest_seconds(call: Callable[[], object]) -> float:
    """The shortest of some calls of a computation by JAX, after one that compiles.

    Two calls, and of short ones as many as take half a second, at most 20: what else a machine does
    lengthens single calls.
    """
    jax.block_until_ready(call())
    found: list[float] = []
    while len(found) < 2 or (len(found) < 20 and sum(found) < 0.5):
        start = time.perf_counter()
        jax.block_until_ready(call())
        found.append(time.perf_counter() - start)
    return min(found)


def smooth_part(model: Model) -> Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
    """Potential and field without the near part."""
    compiled = eqx.filter_jit(lambda m, table, at: over_points(_learned(m, table), at))
    return partial(compiled, model)


def first_overtaking(
    numbers: tuple[int, ...], taken: list[float], exact: list[float], errors: list[Errors]
) -> int | None:
    """The least of some numbers at which a model is accurate and faster than the exact sum.

    Args:
        numbers: Of sources, and of points.
        taken: Seconds of the model at each.
        exact: Seconds of the exact sum.
        errors: Of the model.

    Returns:
        The number; None if there is none.
    """
    rows = zip(numbers, taken, exact, errors, strict=True)
    found = (number for number, t, e, error in rows if t < e and error.is_accurate)
    return next(found, None)
