"""Which bodies there are, and how a row of a source table describes one."""

from collections.abc import Callable
from functools import cache, partial
from typing import Literal

from hypermagnetics.errors import RecipeError
from hypermagnetics.sources.dipole import Components, Values, dipole
from hypermagnetics.sources.disc import disc

BodyName = Literal["disc", "dipole"]
Kernel = Callable[[Components, Components], Values]
"""Moment and displacement to potential and field, by components."""

DIM = 2
"""Space dimension of the bodies."""

COLUMNS = ("moment_x", "moment_y", "position_x", "position_y")
"""Columns of a source table [A m, A m, m, m]."""


@cache
def body_kernel(body: BodyName, radius: float | int | None) -> Kernel:
    """The closed form of a body.

    Args:
        body: "disc" or "dipole".
        radius: Radius of a disc [m]; None for a dipole, which has none.

    Returns:
        The function of moment and displacement; the same object for the same arguments, so that
        functions compiled for it are found again.

    Raises:
        RecipeError: If the radius does not go with the body.
    """
    if body == "dipole":
        if radius is not None:
            raise RecipeError(
                f"A dipole must have no radius; got {radius!r} (sources.radius). Remove it."
            )
        return dipole
    if radius is None or not radius > 0:
        raise RecipeError(
            f"The radius of a disc must be greater than 0; got {radius!r} (sources.radius). "
            "Give it in metres."
        )
    return partial(disc, radius=radius)
