"""Figures of others, to be shown beside those of an evaluation."""

SOURCE = "arXiv 2405.05981"
MODEL = "HyperLayer (FC+ILR)"

PUBLISHED = (
    ("one source", 0.044),
    ("four sources", 0.048),
)
"""Error of the potential of HyperLayer (FC+ILR) for discs in arXiv 2405.05981. The paper says
median relative error; the published code computes what is called global relative L2 here."""


LIKE = (
    "networks that see labels alone, unlike a RangeSplit, which adds closed forms near the sources"
)
"""What the figures may be compared with."""


def is_published(bodies: tuple[str, ...]) -> bool:
    """Whether the published figures are about datasets of these bodies."""
    return bodies == ("disc",)
