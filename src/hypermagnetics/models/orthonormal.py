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
    squares, vectors = scipy.linalg.eigh(matrix.T @ matrix, check_finite=False)
    kept = squares > ridge * squares[-1]
    scaled: np.ndarray = vectors[:, kept] / np.sqrt(squares[kept])
    return scaled
