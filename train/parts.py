"""Freezing: which leaves of a model are trained."""

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from hypermagnetics.config import nearest
from hypermagnetics.errors import RecipeError
from hypermagnetics.models import Model


def trainable(model: Model, frozen: tuple[str, ...]) -> PyTree[bool]:
    """Mask of the trained leaves of a model.

    Args:
        model: The model; shapes are enough.
        frozen: Beginnings of the names of leaves that are not, such as "trunk" or
            "hypernetwork.layers.0".

    Returns:
        The model with True for its trained arrays, False for all else.

    Raises:
        RecipeError: If no array has a name that begins so, or nothing is left to train.
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(model)
    names = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves]
    arrays = [jnp.issubdtype(getattr(leaf, "dtype", int), jnp.inexact) for _, leaf in leaves]
    for part in frozen:
        if not any(_begins(name, part) for name in names):
            raise RecipeError(
                f"A frozen part must be a part of the model; got {part!r} (schedule.phases, "
                f"freeze). {nearest(part, _beginnings(names))}"
            )
    kept = [any(_begins(name, part) for part in frozen) for name in names]
    trained = [array and not keep for array, keep in zip(arrays, kept, strict=True)]
    if not any(trained):
        raise RecipeError(
            f"A phase must train a part of the model; got all of it frozen by {list(frozen)} "
            "(schedule.phases, freeze). Freeze less."
        )
    found: PyTree[bool] = jax.tree_util.tree_unflatten(structure, trained)
    return found


def _begins(name: str, part: str) -> bool:
    return name == part or name.startswith(part + ".")


def _beginnings(names: list[str]) -> set[str]:
    split = [name.split(".") for name in names]
    return {".".join(words[:end]) for words in split for end in range(1, len(words) + 1)}
