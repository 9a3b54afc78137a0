"""Fisher information of summaries, from their mean derivatives and their covariance."""

from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

_Matrices = TypeVar("_Matrices", jax.Array, np.ndarray)


def fisher_information(slopes: _Matrices, covariance: _Matrices) -> _Matrices:
    """Fisher information of normal summaries whose covariance does not depend on the parameters.

    F = (dmu/dtheta)^T C^-1 dmu/dtheta, which linear maps of the summaries do not change.

    Args:
        slopes: Derivatives of the mean summaries, of shape (*further, summaries, parameters).
        covariance: Covariance C of the summaries, of shape (*further, summaries, summaries).

    Returns:
        F, of shape (*further, parameters, parameters), of the same library of arrays.

    References:
        Charnock, Lavaux, Wandelt, Automatic physical inference with information maximising neural
        networks, Phys. Rev. D 97, 083004 (2018), equation 11.
    """
    library: Any = np if isinstance(slopes, np.ndarray) else jnp
    with jax.default_matmul_precision("highest"):  # GPUs would round the factors
        found: _Matrices = slopes.mT @ library.linalg.solve(covariance, slopes)
    return found


def log_determinant(matrix: Float[Array, "n n"]) -> Float[Array, ""]:
    """Logarithm of the determinant of a positive definite matrix; NaN of any other."""
    root = jnp.linalg.cholesky(matrix)
    found: Array = 2 * jnp.sum(jnp.log(jnp.diagonal(root)))
    return found


def normal_information(
    jacobian: Float64[np.ndarray, "values parameters"], std: float, *, knows_std: bool
) -> Float64[np.ndarray, "all all"]:
    """Fisher information of values with normal noise, J^T J / sigma², the bound of all summaries.

    Args:
        jacobian: Derivatives J of the values by parameters.
        std: Standard deviation sigma of the noise of each value.
        knows_std: Whether sigma is known; else its square is the last parameter, whose information
            is N / (2 sigma⁴) of N values.

    Returns:
        The information, by the parameters.

    References:
        Kay, Fundamentals of Statistical Signal Processing: Estimation Theory, section 3.9.
    """
    found = jacobian.T @ jacobian / std**2
    size = len(found)
    whole = np.zeros((size + 1, size + 1))
    whole[:size, :size] = found
    whole[size, size] = len(jacobian) / (2 * std**4)
    return found if knows_std else whole
