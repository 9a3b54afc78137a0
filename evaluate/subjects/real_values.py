"""Conversion of real arrays to floats."""

import numpy as np
from numpy import ndarray


def is_real(dtype: np.dtype[np.generic]) -> bool:
    """Whether values of a type are real numbers: integers, or floats of any size."""
    return dtype.kind in "fiu"


def as_floats(values: ndarray) -> ndarray:
    """Real numbers in float32, or float64 if that is too short for their type.

    Args:
        values: An array whose type `is_real`.

    Returns:
        The same values; the same array if its type is one of the two.
    """
    return values.astype(
        np.float32 if np.can_cast(values.dtype, np.float32) else np.float64, copy=False
    )
