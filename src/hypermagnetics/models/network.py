"""Common base of all that is trained: models of sources, and networks from arrays to arrays.

It is apart as both are pytrees that files keep and optimisers change, and have no more in common.
"""

from typing import Any

import equinox as eqx
import jax
import numpy as np

from hypermagnetics.config import Config
from hypermagnetics.methods import WithMethods


class Network(WithMethods):
    """A pytree of parameters, with the settings that build it again.

    It can be copied and pickled. `repr` names the class, the settings, and the shapes of the
    parameters, never their values.
    """

    config: eqx.AbstractVar[Config]

    def __hash__(self) -> int:
        """By class and tree of parameters, without their values."""
        return hash((type(self), jax.tree.structure(self)))

    def __eq__(self, other: object) -> bool:
        """Whether both are of one class, with the same settings and parameters, to the bit.

        Parameters that a transformation of JAX replaces have no values: they must be the same ones.
        """
        if self is other:
            return True
        # JAX does not declare that structures can be compared.
        own: object = jax.tree.structure(self)
        if type(self) is not type(other) or own != jax.tree.structure(other):
            return False
        return all(map(_same, jax.tree.leaves(self), jax.tree.leaves(other)))

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of its arrays, or of parts that hold them, which no training changes.

        Nor does an optimiser that decays weights. `jax.lax.stop_gradient` spares their gradients.
        """
        return ()


def _same(one: Any, other: Any) -> bool:
    """Whether two parameters are the same to the bit, without a computation by JAX."""
    if one is other:
        return True
    if isinstance(one, jax.core.Tracer) or isinstance(other, jax.core.Tracer):
        return False
    if not (eqx.is_array_like(one) and eqx.is_array_like(other)):
        return bool(one == other)
    first, second = map(np.asarray, jax.device_get((one, other)))
    return (first.dtype, first.shape) == (second.dtype, second.shape) and (
        first.tobytes() == second.tobytes()
    )
