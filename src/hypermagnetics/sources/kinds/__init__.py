"""Kinds of bodies, one file each: closed form, shape, surface and cost."""

from collections.abc import Mapping

from hypermagnetics.sources.kinds.ball import DiscKind, SphereKind
from hypermagnetics.sources.kinds.cuboid import CuboidKind
from hypermagnetics.sources.kinds.dipole import DipoleKind
from hypermagnetics.sources.kinds.kind import Kind as Kind
from hypermagnetics.sources.kinds.kind import Shape as Shape
from hypermagnetics.sources.kinds.rectangle import RectangleKind
from hypermagnetics.table import BODIES, BodyName


def kinds_by_name(*kinds: Kind) -> Mapping[BodyName, Kind]:
    """Kinds by name, one for each body of a source table.

    Raises:
        TypeError: If a body has no kind, with all that a kind has to answer, or a kind lacks some.
    """
    answers = tuple(Kind.__annotations__)
    for kind in kinds:
        if lacking := [name for name in answers if not hasattr(kind, name)]:
            raise TypeError(
                f"A kind must have {', '.join(answers)}; got {type(kind).__name__} without "
                f"{', '.join(lacking)}. Set it in the class."
            )
    found = {kind.name: kind for kind in kinds}
    missing = [body for body in BODIES if body not in found]
    if missing:
        raise TypeError(
            "Every body of hypermagnetics.table must have a kind; got none for "
            f"{', '.join(missing)}. Write a Kind that has {', '.join(answers)} and "
            f"implements {', '.join(sorted(Kind.__abstractmethods__))}, and list it in "
            "hypermagnetics.sources.kinds."
        )
    return found


KINDS = kinds_by_name(DipoleKind(), DiscKind(), RectangleKind(), SphereKind(), CuboidKind())
"""The kind of each body."""
