"""Magnetic sources in, scalar potential and field out, by hypernetworks.

`hypermagnetics.sources` holds the exact physics, `hypermagnetics.models` the networks that learn
it, `hypermagnetics.data` the dataset format. `generate`, `train` and `evaluate` of the packages of
these names do what the programs do. Importing any of them changes no global state.
"""

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hypermagnetics.models import AnyModel, UserModel

__version__ = version("hypermagnetics")


def load(path: str | Path, *, user_model: "UserModel | None" = None) -> "AnyModel":
    """Read a model; see `hypermagnetics.models.load`.

    Args:
        path: A file written by hm-train, such as `run/model.hm`.
        user_model: The class, if the file holds a model of a user.

    Returns:
        The model, ready for `model(sources, points)` and `model.field(sources, points)`; or a
        network from arrays to arrays, ready for `model(inputs)` and `model.jacobian(inputs)`.
    """
    from hypermagnetics import models  # with JAX, which the dataset format does without

    return models.load(path, user_model=user_model)
