"""Arrays filled up to few sizes, so that any number of points or sources needs few compilations.

JAX compiles a program anew for each size of its arrays, and keeps it, some megabytes, for good.
"""

from contextlib import nullcontext
from typing import Literal, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

_Values = TypeVar("_Values")
_Array = TypeVar("_Array", bound=Array | np.ndarray)
_Rows = Float[Array, "_ _"]
"""A table, or points: filled, of another number of rows than the argument."""
_AnyRows = _Rows | Float[np.ndarray, "_ _"]

_LEAST_POINTS = 64
"""Smallest number of points: fewer take hardly less time."""


def rounded_up(count: int) -> int:
    """The next number of at most three binary digits before its zeros: at most a quarter more."""
    step = 1 << max((count - 1).bit_length() - 3, 0)
    return -(-count // step) * step


def filled(sources: _AnyRows, points: _AnyRows, *others: object) -> tuple[_Rows, _Rows]:
    """Sources and points as arrays of JAX of a few sizes.

    Sizes stay as they are inside a transformation of JAX that knows shapes alone, as `jit`, and
    compiles them together with what is around; and where they are spread over several devices.
    Differentiated alone, as by `jax.grad`, they are filled up, by rows that have no derivative.

    Args:
        sources: Rows of zeros, which are no sources, follow its own; at least one row.
        points: The last one is repeated: any other might be singular.
        others: Pytrees whose arrays enter the same program.

    Returns:
        Both.
    """
    if not all(_is_value(leaf) for leaf in jax.tree.leaves((sources, points, others))):
        return placed(sources), placed(points)
    table = _filled(sources, max(rounded_up(len(sources)), 1), "constant")
    if not len(points):
        return table, placed(points)
    return table, _filled(points, max(rounded_up(len(points)), _LEAST_POINTS), "edge")


def placed(values: ArrayLike) -> Array:
    """An array of JAX. `jax.numpy.asarray` compiles a program for each shape of numpy's arrays."""
    return _put(values, None) if isinstance(values, np.ndarray) else jnp.asarray(values)


def known_values(*arrays: Array | np.ndarray) -> tuple[np.ndarray, ...] | None:
    """Values of arrays, of those that are differentiated too; None inside another transformation.

    Args:
        arrays: Arrays of JAX, or of numpy.
    """
    values = [_value(array) for array in arrays]
    if any(isinstance(value, jax.core.Tracer) for value in values):
        return None
    return tuple(jax.device_get(value) for value in values)


def first_rows(values: _Values, count: int) -> _Values:
    """The first rows of each array, without a program for each number of them.

    Args:
        values: Arrays, or tuples of them.
        count: Number of rows.

    Returns:
        The rows, on the same device.
    """
    found: _Values = jax.tree.map(lambda array: _first_rows(array, count), values)
    return found


def _first_rows(array: Array, count: int) -> Array:
    if len(array) == count:
        return array
    if isinstance(array, jax.core.Tracer):
        return array[:count]
    return _beside(array, jax.device_get(array)[:count])


def _is_value(leaf: object) -> bool:
    if not isinstance(leaf, jax.Array):
        return True
    value = _value(leaf)
    return not isinstance(value, jax.core.Tracer) and len(value.devices()) == 1


def _value(array: _Array) -> _Array:
    """The value of an array that is differentiated and no more; others as they are."""
    return jax.lax.stop_gradient(array) if isinstance(array, jax.core.Tracer) else array


def _filled(rows: _AnyRows, size: int, mode: Literal["constant", "edge"]) -> _Rows:
    if len(rows) == size:
        return placed(rows)
    padding = ((0, size - len(rows)), (0, 0))
    value = _value(rows)
    padded = np.pad(jax.device_get(value), padding, mode=mode)
    if isinstance(rows, jax.core.Tracer):
        return jnp.concatenate([rows, _beside(value, padded[len(rows) :])])
    return _beside(value, padded)


def _beside(array: Array | np.ndarray, values: np.ndarray) -> Array:
    """Values on the device of an array."""
    if isinstance(array, jax.Array) and array.committed:
        return _put(values, array.sharding)
    return _put(values, None)


def _put(values: np.ndarray, where: jax.sharding.Sharding | None) -> Array:
    """An array of JAX with the values; float64 stays, also where JAX is not set to it."""
    with jax.enable_x64(True) if values.dtype == np.float64 else nullcontext():
        array: Array = jax.device_put(values, where)
        return array
