"""Arguments of the metrics: arrays of a user as those that the metrics count bits of."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Float64, Integer

from hypermagnetics.arrays import Floats, Numbers, real_array
from hypermagnetics.errors import HypermagneticsError

Relative = Float32[np.ndarray, "samples points"]
"""Relative errors: infinite where the prediction is not finite, NaN where the truth is zero."""
Codes = Integer[np.ndarray, "samples points"] | Integer[np.ndarray, "samples 1"]
"""The group of each point, or of all points of a sample."""


def values_of(values: Numbers, what: str, *, dims: tuple[int, ...]) -> Floats:
    """Real numbers in an array of one of some numbers of dimensions.

    Args:
        values: Numbers of a user.
        what: Name of the argument, for the message.
        dims: Numbers of dimensions that it may have.

    Returns:
        The array.

    Raises:
        HypermagneticsError: If it is no such array.
    """
    array = real_array(values, what, HypermagneticsError)
    if array.ndim not in dims:
        raise HypermagneticsError(
            f"{what} must have {' or '.join(map(str, dims))} dimensions; got shape {array.shape} "
            "(hypermagnetics.metrics). Give one row for each sample, or one number for each value."
        )
    return array


def relative_errors(relative: Numbers) -> Relative:
    """Relative errors as float32, which they are counted in.

    Args:
        relative: Relative errors (samples, points); they may lie in a mapped file.

    Returns:
        The array, without a copy if it is one of float32.

    Raises:
        HypermagneticsError: If it is no such array, or holds no sample.
    """
    array = values_of(relative, "Relative errors", dims=(2,))
    if not len(array):
        raise HypermagneticsError(
            f"Relative errors must be of at least one sample; got shape {array.shape} "
            "(hypermagnetics.metrics). Measure a sample."
        )
    with np.errstate(over="ignore"):  # beyond the range of float32 an error is infinite
        found: Relative = array.astype(np.float32, copy=False)
    return found


def group_codes(codes: np.ndarray, shape: tuple[int, ...]) -> Codes:
    """Codes of groups as whole numbers.

    Args:
        codes: The group of each point, or of all points of a sample.
        shape: Shape of the relative errors, (samples, points).

    Returns:
        The array.

    Raises:
        HypermagneticsError: If it is none of whole numbers, or of another shape.
    """
    array = np.asarray(codes)
    if np.ma.is_masked(codes) or array.dtype.kind not in "iub":
        raise HypermagneticsError(
            f"Codes of groups must be whole numbers, none of them masked; got {array.dtype} "
            "(hypermagnetics.metrics). Give integers; those below 0 are in no group."
        )
    if array.shape not in (shape, (*shape[:1], 1)):
        raise HypermagneticsError(
            f"Codes of groups must have the shape {shape} of the relative errors, or one column; "
            f"got {array.shape} (hypermagnetics.metrics). Give one code for each point or sample."
        )
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def probabilities_of(probabilities: Sequence[float] | np.ndarray) -> Float64[np.ndarray, " p"]:
    """Probabilities of quantiles.

    Args:
        probabilities: Numbers from 0 to 1.

    Returns:
        The numbers in float64.

    Raises:
        HypermagneticsError: If one is out of that range.
    """
    array = values_of(probabilities, "Probabilities", dims=(1,)).astype(np.float64)
    if not ((array >= 0) & (array <= 1)).all():
        raise HypermagneticsError(
            f"Probabilities must be from 0 to 1; got {array.tolist()} (hypermagnetics.metrics). "
            "Give the median as 0.5."
        )
    return array
