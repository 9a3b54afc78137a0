"""What the bar of hm-train says beside steps and time left."""

from collections.abc import Mapping
from typing import Any

from hypermagnetics.train.validation import Validation


def note(window: Mapping[str, Any] | None, found: Validation | None) -> str:
    """Loss, error, speed and wait, the most important first: a narrow terminal cuts off the end.

    Args:
        window: Mean loss and speed of the last steps that are known; None before there are any.
        found: The last validation of this process, if there was one.

    Returns:
        The note, as in "loss 0.012, error 3.4 %, 51200 samples/s, wait 2 %". The error is the
        median relative error of the potential.
    """
    parts = []
    if window is not None:
        parts.append(f"loss {window['loss']:.3g}")
    if found is not None and found.potential_median_relative_error is not None:
        parts.append(f"error {100 * found.potential_median_relative_error:.3g} %")
    if window is not None:
        parts.append(f"{window['samples_per_second']:.0f} samples/s")
        parts.append(f"wait {100 * window['wait_share']:.0f} %")
    return ", ".join(parts)
