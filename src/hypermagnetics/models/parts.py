"""Parts of a model by name, as recipes and models name them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from hypermagnetics.models.network import Network


class Part(NamedTuple):
    """A leaf of a model."""

    name: str
    """Names of the parts it belongs to, with dots between them, as "trunk.layers.0.weight"."""
    size: int
    """Number of its values, of an array of real or complex numbers; else 0."""
    is_array: bool
    """Whether it is such an array."""
    is_kept: bool
    """Whether the model keeps it as it is."""

    @property
    def is_trained(self) -> bool:
        """Whether a training may change it."""
        return self.is_array and not self.is_kept

    def belongs_to(self, part: str) -> bool:
        """Whether a part of this name is the leaf or holds it."""
        return self.name == part or self.name.startswith(part + ".")


def parts_of(model: Network) -> tuple[list[Part], PyTree]:
    """The leaves of a model, and its structure.

    Args:
        model: The model; shapes are enough.

    Returns:
        The leaves in the order of JAX, and the structure that makes a model of as many values.
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(model)
    parts = []
    for path, leaf in leaves:
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        is_array = jnp.issubdtype(getattr(leaf, "dtype", int), jnp.inexact)
        found = Part(name, leaf.size if is_array else 0, is_array, is_kept=False)
        parts.append(found._replace(is_kept=any(map(found.belongs_to, model.kept))))
    return parts, structure
