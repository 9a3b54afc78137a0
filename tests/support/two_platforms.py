"""The same computation on a GPU and on a CPU of one process."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np

from hypermagnetics.machine import Platform
from hypermagnetics.sources import sums

_Tree = TypeVar("_Tree")


def moved(tree: _Tree, device: jax.Device) -> _Tree:
    """A tree whose arrays are on a device."""
    found: _Tree = jax.tree.map(
        lambda leaf: jax.device_put(leaf, device) if isinstance(leaf, jax.Array) else leaf, tree
    )
    return found


def results_on(platform: Platform, function: Callable[..., Any], *arguments: Any) -> Any:
    """The values of a function whose arguments are moved to a platform, as arrays of numpy."""
    with sums.computing_on(platform):
        given = moved(arguments, sums.first_device(platform))
        return jax.tree.map(np.asarray, function(*given))


def largest_difference(function: Callable[..., Any], *arguments: Any) -> float:
    """Relative L2 on a GPU against a CPU, of the array of the values that differs most."""
    found, expected = (results_on(each, function, *arguments) for each in ("gpu", "cpu"))
    pairs = zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True)
    return max(
        float(np.linalg.norm(one - other) / np.linalg.norm(other))
        for one, other in ((np.float64(a), np.float64(b)) for a, b in pairs)
    )
