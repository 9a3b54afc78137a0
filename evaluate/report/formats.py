"""Numbers as text for readers."""

import math

from hypermagnetics.evaluate.results.numbers import three_digits

UNDEFINED, INFINITE, MINUS = "\N{EN DASH}", "∞", "\N{MINUS SIGN}"


def number(value: float | None) -> str:
    """Three digits; a dash if there is no number."""
    if value is None or math.isnan(value):
        return UNDEFINED
    if math.isinf(value):
        return INFINITE if value > 0 else MINUS + INFINITE
    text = three_digits(value)
    mantissa, exponential, exponent = text.partition("e")
    shown = f"{mantissa}e{int(exponent)}" if exponential else mantissa
    return shown.replace("-", MINUS)


def per_cent(fraction: float | None) -> str:
    """A fraction in per cent with three digits; a dash if there is none."""
    return number(None if fraction is None else 100 * fraction)


def seconds(value: float) -> str:
    """A time with its unit, three digits."""
    if not math.isfinite(value) or value == 0:
        return f"{number(value)} s"
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= scale:
            return f"{number(value / scale)} {unit}"
    return f"{number(value / 1e-9)} ns"


def counted(value: int, what: str) -> str:
    """A count with its noun, which is passed in the singular."""
    return f"{count(value)} {what}{'' if value == 1 else 's'}"


def count(value: int) -> str:
    """A count, in groups of three digits."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
