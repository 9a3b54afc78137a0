"""Numbers of results as texts."""

import math

from hypermagnetics.metrics import Interval


def three_digits(value: float) -> str:
    """Three digits; whole numbers up to a million keep all of theirs."""
    return f"{value:.0f}" if 999.5 <= abs(value) < 1e6 else f"{value:.3g}"


def per_cent(fraction: float) -> str:
    """A fraction in per cent with three digits; "-" if it is undefined."""
    return "-" if math.isnan(fraction) else three_digits(100 * fraction)


def share_text(share: float | None) -> str:
    """A share in per cent; "-" if it is not known."""
    return per_cent(math.nan if share is None else share)


def interval_text(interval: Interval | None) -> str:
    """An interval in per cent; "undefined" if there is none, as for a single sample."""
    if interval is None:
        return "undefined"
    return " to ".join(map(per_cent, interval))
