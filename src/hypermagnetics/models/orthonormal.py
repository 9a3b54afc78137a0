"""Orthonormal combinations of functions that are nearly dependent."""

import numpy as np
import scipy.linalg
from jaxtyping import Float64


def orthonormal_columns(
    matrix: Float64[np.ndarray, "rows columns"], ridge: float
) -> Float64[np.ndarray, "columns kept"]:
    """Orthonormal combinations of the columns of a matrix that span nearly the same space.

    Args:
        matrix: A function each column, for example, and its values at some points.
        ridge: Combinations of columns with less than this share of the largest sum of squares are
            left out.

    Returns:
        The combinations.
    """
    return uncorrelated(matrix.T @ matrix, ridge)


def uncorrelated(
    moments: Float64[np.ndarray, "columns columns"], ridge: float
) -> Float64[np.ndarray, "columns kept"]:
    """Combinations of functions that are uncorrelated, with a second moment of 1 each.

    Args:
        moments: Second moments of the functions.
        ridge: Combinations of less than this share of the largest moment are left out.

    Returns:
        The combinations, that of the largest moment last.
    """
    squares, vectors = scipy.linalg.eigh(moments, check_finite=False)
    kept = squares > ridge * squares[-1]
    scaled: np.ndarray = vectors[:, kept] / np.sqrt(squares[kept])
    return scaled
