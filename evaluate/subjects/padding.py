"""Blocks filled up with empty samples, so that one compilation serves all of them."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray


def filled_up(
    sources: Float[ndarray, "samples sources columns"], num_samples: int
) -> Float[ndarray, "all_samples sources columns"]:
    """Source tables with empty ones behind them.

    Args:
        sources: Source tables of the samples.
        num_samples: How many there should be, at least as many as there are.

    Returns:
        The tables; rows of zeros are sources that are not there.
    """
    filled = np.zeros((num_samples, *sources.shape[1:]), sources.dtype)
    filled[: len(sources)] = sources
    return filled
