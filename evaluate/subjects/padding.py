"""Blocks filled up with empty samples, so that one compilation serves all of them."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray


def filled_up(
    sources: Float[ndarray, "samples sources columns"], num_samples: int
) -> Float[ndarray, "all_samples sources columns"]:
    """Pad a block of source tables with empty ones.

    Args:
        sources: Source tables of the samples.
        num_samples: Number of tables after padding, at least the number before.

    Returns:
        The tables; rows of zeros are no sources.
    """
    filled = np.zeros((num_samples, *sources.shape[1:]), sources.dtype)
    filled[: len(sources)] = sources
    return filled
