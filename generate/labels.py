"""Blocks with their labels."""

from collections.abc import Callable

import numpy as np

from hypermagnetics.data import Block
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
    """
    layout = plan.identity.splits[split]
    # Every block is computed at full size, so that one compiled function serves them all.
    sources, num_sources, grid = draw_block(plan.recipe, plan.columns, split, layout, index)
    potential, field = labels(plan.columns, sources, num_sources, grid)

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
