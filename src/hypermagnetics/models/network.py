"""Common base of all that is trained: models of sources, and networks from arrays to arrays.

It is apart as both are pytrees that files keep and optimisers change, and have no more in common.
"""

import equinox as eqx

from hypermagnetics.config import Config
from hypermagnetics.methods import WithMethods


class Network(WithMethods):
    """A pytree of parameters, with the settings that build it again."""

    config: eqx.AbstractVar[Config]

    def __hash__(self) -> int:
        """By identity, as of `Method`; `equinox.tree_equal` compares parameters."""
        return id(self)

    def __eq__(self, other: object) -> bool:
        """Whether both are the same object."""
        return self is other

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of its arrays, or of parts that hold them, which no training changes.

        Nor does an optimiser that decays weights. `jax.lax.stop_gradient` spares their gradients.
        """
        return ()
