"""Trajectories of states from their reference physics, as datasets store them."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Float64

from hypermagnetics.dynamics.state_kinds import AnyStatePhysics
from hypermagnetics.dynamics.state_physics import State
from hypermagnetics.few_sizes import placed

_MOST_TOGETHER = 32
_TOGETHER_BYTES = 64e6


def samples_together(physics: AnyStatePhysics) -> int:
    """Number of samples that are computed together: 32, or half as many of large ones and so on.

    It follows from the physics alone. Compilers may round programs of other sizes otherwise, which
    chaos makes visible, so the numbers of a sample depend on those computed with it.
    """
    each = 4 * (physics.num_steps + 1) * math.prod(physics.shape)
    together = _MOST_TOGETHER
    while together > 1 and together * each > _TOGETHER_BYTES:
        together //= 2
    return together


def state_trajectories(
    physics: AnyStatePhysics, uniform: Float64[np.ndarray, "samples numbers"]
) -> Float32[np.ndarray, " samples states *state"]:
    """Trajectories of states, computed in float64 and rounded to float32.

    Args:
        physics: How states begin and go on.
        uniform: Numbers between 0 and 1 that draw each sample, `num_drawn` of them.

    Returns:
        The states at the start and after each step. One that leaves the range of numbers is not
        finite from there on.
    """
    with jax.enable_x64(True):
        return np.asarray(_rolled_out(physics, placed(physics.begun(uniform))))


@partial(jax.jit, static_argnames="physics")
def _rolled_out(physics: AnyStatePhysics, start: State) -> Array:
    def advance(state: State, _: None) -> tuple[State, Array]:
        after = physics.next_state(state)
        return after, after.astype(jnp.float32)

    _, after = jax.lax.scan(advance, start, length=physics.num_steps)
    return jnp.moveaxis(jnp.concatenate([start.astype(jnp.float32)[None], after]), 0, 1)
