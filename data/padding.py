"""Padding: the rows of a source table past its number of sources."""

import numpy as np

from hypermagnetics.data.layout import Block
from hypermagnetics.errors import DatasetError


def refuse_bad_padding(block: Block, where: str) -> None:
    """Refuse numbers of sources that do not fit the tables, and padding that is not zero.

    Args:
        block: Some samples.
        where: Place of the samples, for the message.

    Raises:
        DatasetError: If there are any.
    """
    rows, counts = block.sources.shape[1], block.num_sources
    wrong = counts[(counts < 1) | (counts > rows)]
    if wrong.size:
        raise DatasetError(
            f"num_sources must be 1 to {rows}; got {wrong[0]} ({where}; rule V2). "
            "The dataset is wrong at its source; make it anew."
        )
    padding = block.sources[np.arange(rows) >= counts[:, None]]
    if padding.any():
        raise DatasetError(
            f"Rows of sources past num_sources must be zero; got {padding[padding != 0][0]} "
            f"({where}; rule V3). The dataset is wrong at its source; make it anew."
        )
