"""Relative violations of a law, and their record in results.json."""

import numpy as np
from jaxtyping import Float

from hypermagnetics.evaluate.physics.probe import Answer
from hypermagnetics.evaluate.results.records import Property
from hypermagnetics.metrics import quantiles


def relative(
    error: Float[np.ndarray, "..."], size: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "..."]:
    """Error / size; 0 where both are 0, and infinite where either is not finite.

    Args:
        error: Norms of errors.
        size: Norms of the reference values.

    Returns:
        The ratios.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(error == 0, 0.0, error / size)
    finite = np.isfinite(error) & np.isfinite(size) & ~np.isnan(ratio)
    return np.where(finite, ratio, np.inf)


def relative_l2(found: Answer, expected: Answer, size: Answer) -> float:
    """||found - expected||₂ / ||size||₂ of potential or field, whichever is larger."""
    with np.errstate(invalid="ignore", over="ignore"):
        ratios: list[float] = [
            float(relative(norm(ours - theirs), norm(of)).item())
            for ours, theirs, of in zip(found.parts, expected.parts, size.parts, strict=True)
        ]
    return max(ratios)


def norm(values: Float[np.ndarray, "..."]) -> Float[np.ndarray, " 1"]:
    """The L2 norm over all axes."""
    root: np.ndarray = np.sqrt(np.square(values.reshape(1, -1)).sum(axis=1))
    return root


def property_of(law: str, checks: Float[np.ndarray, " checks"]) -> Property:
    """Median and worst of some checks; NaN if there are none."""
    median, worst = quantiles(checks, (0.5, 1.0))
    return Property(law, float(median), float(worst), len(checks))
