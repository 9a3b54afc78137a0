"""Blocks with their labels."""

from collections.abc import Callable

import numpy as np

from hypermagnetics.data import Block, refuse_nonfinite
from hypermagnetics.errors import LabelError, SourceError
from hypermagnetics.generate.draw import draw_block
from hypermagnetics.generate.plan import Plan
from hypermagnetics.sources import labels


def start_block(plan: Plan, split: str, index: int) -> Callable[[], Block]:
    """Draw the inputs of a block and start to compute its labels.

    Args:
        plan: Plan of the dataset.
        split: Name of the split.
        index: Number of the block.

    Returns:
        A function that waits for the labels and returns the block. Calling it later lets the
        device work meanwhile.

    Raises:
        LabelError: If what was drawn is no source.
    """
    layout = plan.identity.splits[split]
    # Every block is computed at full size, so that one compiled function serves them all.
    sources, num_sources, grid = draw_block(plan.recipe, plan.columns, split, layout, index)
    first = layout.block_samples(index)[0]
    refuse_nonfinite("sources", sources, split, first)
    try:
        potential, field = labels(plan.columns, sources, num_sources, grid)
    except SourceError as error:
        raise LabelError(
            f"Drawn rows must be sources; got one that is none, in the block from sample {first} "
            f"of split {split!r}: {error} Change the recipe so that sizes stay above 0 in float32."
        ) from error

    def finish() -> Block:
        kept = slice(0, len(layout.block_samples(index)))
        return Block(
            sources=sources[kept],
            num_sources=num_sources[kept],
            grid=grid,
            potential=np.asarray(potential)[kept],
            field=np.asarray(field)[kept],
        )

    return finish
