"""Checking every byte and every value of a split."""

from collections.abc import Callable

import numpy as np

from hypermagnetics.data.split import Split
from hypermagnetics.data.padding import refuse_bad_padding
from hypermagnetics.errors import DatasetError
from hypermagnetics.files import sha256_of


def verify_split(split: Split, advance: Callable[[int], None] = lambda count: None) -> None:
    """Compare every file of a split with its sha256, and see that every value is finite.

    Args:
        split: The split.
        advance: Called with the bytes of each file when it is done.

    Raises:
        DatasetError: With the first file whose bytes changed, or the first sample with a value
            that is not finite.
    """
    for entry in split.files():
        found = sha256_of(split.directory / entry.path)
        if found != entry.sha256:
            raise DatasetError(
                f"{entry.path} must have sha256 {entry.sha256[:12]}...; got {found[:12]}... "
                f"({split.directory}). The file changed after it was written; copy it from the "
                "dataset's source again."
            )
        advance(entry.bytes)
    for index, block in enumerate(split.blocks()):
        refuse_bad_padding(block, f"split {split.name!r}, block {index}, {split.directory}")
        for name in ("sources", "grid", "potential", "field"):
            values: np.ndarray = getattr(block, name)
            if not np.isfinite(values).all():
                sample = index * split.layout.samples_per_grid + _first_nonfinite(values)
                raise DatasetError(
                    f"{name} must be finite; got {values[~np.isfinite(values)][0]} (split "
                    f"{split.name!r}, block {index}, at or after sample {sample}, "
                    f"{split.directory}). The dataset is wrong at its source; make it anew."
                )


def _first_nonfinite(values: np.ndarray) -> int:
    return int(np.argwhere(~np.isfinite(values))[0][0])
