"""Published errors of other models, to be shown beside those of an evaluation."""

SOURCE = "arXiv 2405.05981"
MODEL = "HyperLayer (FC+ILR)"

PUBLISHED = (
    ("one source", 0.0438),
    ("four sources", 0.0476),
)
"""Error of the potential of HyperLayer (FC+ILR) for discs in arXiv 2405.05981. The paper says
median relative error; the published code computes the global relative L2 error of this package."""


LIKE = "networks that see labels alone, unlike a split, which adds closed forms near the sources"
"""Models to which the published errors may be compared."""


def is_published(bodies: tuple[str, ...]) -> bool:
    """Whether the published errors apply to datasets of these bodies."""
    return bodies == ("disc",)


def published_error(bodies: tuple[str, ...], numbers_of_sources: tuple[int, ...]) -> float | None:
    """Published error of the potential of like samples; None if there is none.

    Args:
        bodies: Bodies of their dataset.
        numbers_of_sources: Numbers of sources of the samples.
    """
    (_, of_one), (_, of_four) = PUBLISHED
    if not is_published(bodies):
        return None
    if numbers_of_sources == (1,):
        return of_one
    return of_four if numbers_of_sources == (4,) else None
