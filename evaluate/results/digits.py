"""Numbers with three digits, as all tables have them."""


def three_digits(value: float) -> str:
    """Three digits; whole numbers up to a million keep all of theirs."""
    return f"{value:.0f}" if 999.5 <= abs(value) < 1e6 else f"{value:.3g}"
