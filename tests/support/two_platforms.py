"""The same computation on a GPU and on a CPU of one process."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np

_Tree = TypeVar("_Tree")


def moved(tree: _Tree, device: jax.Device) -> _Tree:
    """A tree whose arrays are on a device."""
    found: _Tree = jax.tree.map(
        lambda leaf: jax.device_put(leaf, device) if isinstance(leaf, jax.Array) else leaf, tree
    )
    return found


def results_on(device: jax.Device, function: Callable[..., Any], *arguments: Any) -> Any:
    """The values of a function whose arguments are moved to a device, as arrays of numpy."""
    with jax.default_device(device):
        return jax.tree.map(np.asarray, function(*moved(arguments, device)))


def largest_difference(found: Any, expected: Any) -> float:
    """Relative L2 of the array that differs most."""
    pairs = zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True)
    return max(
        float(np.linalg.norm(one - other) / np.linalg.norm(other))
        for one, other in ((np.float64(a), np.float64(b)) for a, b in pairs)
    )
