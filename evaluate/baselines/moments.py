"""Source tables with the sources first, and padding behind them."""

import numpy as np
from jaxtyping import Float, Int

from hypermagnetics.table import source_rows


def sources_first(
    sources: Float[np.ndarray, "samples sources columns"], dim: int
) -> tuple[Float[np.ndarray, "samples sources columns"], Int[np.ndarray, " samples"]]:
    """Move rows of zero moment, which are no sources, behind all others.

    Args:
        sources: Source tables.
        dim: Number of columns, the first ones, that are the moment.

    Returns:
        The tables, and how many rows of each are sources.
    """
    used = source_rows(sources, dim)
    order = np.argsort(~used, axis=1, kind="stable")
    ordered = np.take_along_axis(sources, order[..., None], axis=1)
    return ordered, used.sum(axis=1).astype(np.int32)
