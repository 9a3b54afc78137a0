"""Numbers as users hand them over, as plain arrays of numpy; by numpy alone.

Lists, tuples, frames and series of pandas, arrays of any real type, byte order and layout are
taken. What has no value to compute with is refused: masked or missing entries, complex numbers,
truth values, text.
"""

import numbers
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
from jaxtyping import Float

from hypermagnetics.errors import HypermagneticsError, SourceError

Numbers = Any
"""Numerical argument of a public function: a number, nested sequences, or any library's array."""

Floats = Float[np.ndarray, "..."]


def real_array(
    values: Numbers, what: str, error: type[HypermagneticsError] = SourceError
) -> Floats:
    """The values as an array of float32 or float64, in the byte order of this machine.

    float32 and float64 stay, without a copy where the order of bytes allows it; shorter floats
    become float32, all else float64.

    Args:
        values: Numbers of a user.
        what: Name of the argument, for the message, such as "Points".
        error: Class of the error.

    Returns:
        The array, of any shape.

    Raises:
        HypermagneticsError: If they are not all real numbers, or one is out of the range of
            float64.
    """
    if any(np.ma.is_masked(leaf) for leaf in _leaves(values)):
        raise error(
            f"{what} must have a value in every entry; got a masked array with masked entries. "
            "Fill them in, or leave their rows out."
        )
    try:
        array = np.asarray(values)
        if array.dtype.kind == "O" and array.ndim and all(map(_is_real, array.flat)):
            array = array.astype(np.float64)
    except Exception as reason:  # whatever an object's own conversion raises, or nested lists do
        raise _no_numbers(what, f"a {type(values).__name__} that is none", error) from reason
    own = array.dtype
    kept = own.kind in "fiu" or (own.kind == "V" and np.can_cast(own, np.float32))
    if not kept:
        got = f"a {type(values).__name__}" if own.kind == "O" and not array.ndim else own.name
        raise _no_numbers(what, got, error)
    is_short = own.kind not in "iu" and np.can_cast(own, np.float32)
    return rounded(array, np.dtype(np.float32 if is_short else np.float64), what, error)


def rounded(
    array: np.ndarray,
    dtype: np.dtype[np.floating],
    what: str,
    error: type[HypermagneticsError] = SourceError,
) -> Floats:
    """The array in a float type, whose range must hold it.

    Args:
        array: Real numbers.
        dtype: The float type.
        what: Name of the argument, for the message.
        error: Class of the error.

    Returns:
        The array, itself if it has that type.

    Raises:
        HypermagneticsError: If a finite number is beyond the largest of the type.
    """
    if array.dtype == dtype and array.dtype.isnative:
        return array
    with np.errstate(over="ignore"):  # the next lines name the value
        found: Floats = array.astype(dtype)
    for index in np.argwhere(np.isinf(found) & ~np.isinf(array))[:1]:
        raise error(
            f"{what} must be in the range of {dtype.name}, up to {np.finfo(dtype).max:.3g}; got "
            f"{array[tuple(index)]} (index {index.tolist()}). Mend that value, or check its unit."
        )
    return found


def whole_number(value: object, what: str, least: int) -> int:
    """A whole number of Python or of numpy, at least the smallest that makes sense.

    Args:
        value: Number of a user.
        what: Name of the argument, for the message.
        least: The smallest number.

    Returns:
        The number.

    Raises:
        SourceError: If it is something else.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "iu" or array.ndim or array < least:
        raise SourceError(
            f"{what} must be a whole number of at least {least}; got {value!r:.80}. Give an int."
        )
    return int(array)


def is_weak(values: object) -> bool:
    """Whether numbers have no float type of their own: whole numbers, and those of Python."""
    dtypes = [getattr(leaf, "dtype", None) for leaf in _leaves(values)]
    frame = getattr(values, "dtypes", None)  # of each column of a frame
    kinds = [np.dtype(kind).kind for kind in dtypes if isinstance(kind, np.dtype)]
    return frame is None and not any(kind in "fV" for kind in kinds)


def _leaves(values: object) -> Iterator[object]:
    """Members of nested lists and tuples."""
    if isinstance(values, list | tuple):
        for value in values:
            yield from _leaves(value)
    else:
        yield values


def _is_real(value: object) -> bool:
    return isinstance(value, numbers.Real | Decimal) and not isinstance(value, bool | np.bool_)


def _no_numbers(what: str, got: str, error: type[HypermagneticsError]) -> HypermagneticsError:
    return error(
        f"{what} must be an array of real numbers; got {got}. Give numbers without missing, "
        "complex or text entries, in rows of equal length."
    )
