"""Status line of hm-train beside steps and time left."""

from typing import NamedTuple

from hypermagnetics.train.validation import Validation


class Pace(NamedTuple):
    """Loss, speed and wait of the last steps."""

    loss: float
    samples_per_second: float
    wait_share: float
    """Share of time spent waiting for the loader."""


def note(pace: Pace | None, found: Validation | None) -> str:
    """Loss, error, speed and wait, the most important first: a narrow terminal cuts off the end.

    Args:
        pace: Of the last steps that are known; None before there are any.
        found: The last validation of this process, if there was one.

    Returns:
        The note, as in "loss 0.012, error 3.4 %, 51200 samples/s, wait 2 %". The error is the
        median relative error of the potential.
    """
    parts = []
    if pace is not None:
        parts.append(f"loss {pace.loss:.3g}")
    if found is not None and found.potential_median_relative_error is not None:
        parts.append(f"error {100 * found.potential_median_relative_error:.3g} %")
    if pace is not None:
        parts += [f"{pace.samples_per_second:.0f} samples/s", f"wait {100 * pace.wait_share:.0f} %"]
    return ", ".join(parts)
