"""Losses of single points, and the checks of user-defined ones."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hypermagnetics.errors import ExtensionError
from hypermagnetics.user_code import must

PointLoss = Callable[
    [Float[Array, "*shape components"], Float[Array, "*shape components"]], Float[Array, "*shape"]
]
"""Loss of each point, from error and truth in units of the root mean square of the truth: one
component for the potential, `dim` for the field."""


def check_point_loss(loss: PointLoss, name: str, dim: int, where: str = "objective.loss") -> None:
    """Check that a user's loss gives one float for each point.

    Args:
        loss: The function.
        name: `module:name`, for messages.
        dim: Components of the field.
        where: Key of the recipe that names it, for messages.

    Raises:
        ExtensionError: If it fails, or gives something else.
    """
    points = (2, 3)  # any leading axes, of sizes that are not taken for `components`
    for what, components in (("potential", 1), ("field", dim)):
        array = jax.ShapeDtypeStruct((*points, components), jnp.float32)
        rule = (
            f"{name} must give a loss of shape {points} in floats for error and truth of the "
            f"{what}, each of shape {array.shape}"
        )
        with must(rule, loss, where):
            found = eqx.filter_eval_shape(loss, array, array)
        given = (getattr(found, "shape", None), getattr(found, "dtype", int))
        if given[0] != points or not jnp.issubdtype(given[1], jnp.floating):
            got = eqx.tree_pformat(found, struct_as_array=True).replace("\n", " ")
            raise ExtensionError(
                f"{rule}; got {got} ({where}). Reduce the last axis, and only that."
            )
