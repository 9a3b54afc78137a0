"""Arrays of a user, in the types that the sums are computed in.

Arrays keep their float type: float64 of numpy is computed in float64, also where JAX is not set to
it, because a difference of rounded positions has lost the digits that a field needs. Numbers of
Python and whole numbers take the type of the arrays beside them, else JAX's default. Values inside
a transformation of JAX, as under `jit`, have its types.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from hypermagnetics.arrays import Floats, Numbers, is_weak, real_array, rounded
from hypermagnetics.errors import SourceError
from hypermagnetics.few_sizes import placed

AnyFloats = Floats | Array
"""An array of floats, of numpy or of JAX."""


def float_arrays(**values: Numbers) -> tuple[AnyFloats, ...]:
    """The arguments of a function as arrays of float32 or float64; those of JAX as they are.

    Args:
        **values: What a user hands over, by the name of the argument.

    Returns:
        Arrays of numpy or, where one was given, of JAX, in the order of the arguments.

    Raises:
        SourceError: If they are not real numbers, or out of the range of their type.
    """
    named = {name: name.replace("_", " ").capitalize() for name in values}
    read = {name: _read(value, named[name]) for name, value in values.items()}
    own = [read[name].dtype for name, value in values.items() if not _is_weak(value)]
    default = np.result_type(*own) if own else _default()
    return tuple(
        _in_type(read[name], default, named[name]) if _is_weak(value) else read[name]
        for name, value in values.items()
    )


def jax_arrays(**values: Numbers) -> tuple[Array, ...]:
    """The arguments as arrays of JAX in its own float types: float64 only where JAX is set to it.

    Args:
        **values: As in `float_arrays`.

    Returns:
        Arrays of JAX.

    Raises:
        SourceError: As `float_arrays`, and if a number is out of the range of float32.
    """
    found = []
    for name, array in zip(values, float_arrays(**values), strict=True):
        own = common_type(array)
        what = name.replace("_", " ").capitalize()
        if isinstance(array, Array):
            found.append(placed(array.astype(own)))
        else:
            found.append(placed(rounded(array, own, what)))
    return tuple(found)


def counts(num_sources: Any, shape: tuple[int, ...], most: int) -> Any:
    """Numbers of rows in use as whole numbers; inside a transformation of JAX as they are.

    Args:
        num_sources: What a user hands over.
        shape: Shape that it must have.
        most: Number of rows of a table.

    Returns:
        An array of int32, or of JAX where one was given.

    Raises:
        SourceError: If they are not whole, or tables have not so many rows.
    """
    array = num_sources if isinstance(num_sources, Array) else np.asarray(num_sources)
    is_whole = np.dtype(array.dtype).kind in "iu" and array.shape == shape
    if is_whole and isinstance(array, jax.core.Tracer):
        return array
    found = jax.device_get(array)
    if not is_whole or not ((found >= 0) & (found <= most)).all():
        raise SourceError(
            f"Numbers of sources must be whole numbers from 0 to {most}, the rows of a table, of "
            f"shape {shape}; got {str(found.tolist())[:80]} of {array.dtype}. "
            "Count the rows in use."
        )
    return array if isinstance(array, Array) else array.astype(np.int32)


@contextmanager
def widest(*arrays: AnyFloats) -> Iterator[None]:
    """Let JAX compute in float64 inside a block, if one of the arrays has it and all have values.

    Args:
        *arrays: From `float_arrays`.
    """
    has_values = not any(isinstance(array, jax.core.Tracer) for array in arrays)
    if has_values and any(array.dtype == np.float64 for array in arrays):
        with jax.enable_x64(True):
            yield
    else:
        yield


def common_type(*arrays: AnyFloats) -> np.dtype[Any]:
    """The widest float type of some arrays that JAX has, where it is asked.

    Args:
        *arrays: From `float_arrays`.

    Returns:
        float32, or float64 where JAX is set to it, also by `widest`.
    """
    found: np.dtype[Any] = np.result_type(*(array.dtype for array in arrays))
    return found if found == _default() else np.dtype(np.float32)


def in_type_of(sources: AnyFloats, values: Any) -> Any:
    """Values of a sum in the type of its sources; as they are where JAX is set to float64.

    Points in float64 are more exact than float32 can say, but sources in float32 have no more
    digits to give.

    Args:
        sources: The sources.
        values: Arrays of JAX.

    Returns:
        The arrays.
    """
    if _default() == np.float64 or sources.dtype == np.float64:
        return values
    return jax.tree.map(lambda array: array.astype(sources.dtype), values)


def _read(value: Any, what: str) -> Floats | Array:
    leaves = jax.tree.leaves(value) if isinstance(value, list | tuple) else [value]
    if not any(isinstance(leaf, Array) for leaf in leaves):
        return real_array(value, what)
    try:
        array = jnp.asarray(value)
    except (TypeError, ValueError) as reason:
        raise SourceError(
            f"{what} must be an array of real numbers; got a {type(value).__name__} that is none. "
            "Give rows of equal length."
        ) from reason
    dtype = array.dtype
    if jnp.issubdtype(dtype, jnp.integer):
        return array
    if not jnp.issubdtype(dtype, jnp.floating):
        raise SourceError(
            f"{what} must be an array of real numbers; got {dtype}. Give numbers, not truth "
            "values, keys or complex numbers."
        )
    is_kept = dtype == np.float32 or (
        dtype == np.float64 and (_default() == dtype or not isinstance(array, jax.core.Tracer))
    )
    return array if is_kept else array.astype(np.float32)


def _default() -> np.dtype[Any]:
    return np.dtype(jnp.result_type(float))


def _is_weak(value: Any) -> bool:
    if isinstance(value, Array):
        return not jnp.issubdtype(value.dtype, jnp.floating)
    return is_weak(value)


def _in_type(array: AnyFloats, dtype: np.dtype[Any], what: str) -> AnyFloats:
    if not isinstance(array, Array):
        return rounded(array, dtype, what)
    with widest(array, np.empty(0, dtype)):
        return array.astype(dtype if dtype == _default() else np.float32)
