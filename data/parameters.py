"""Parameters of simulations, by which readings are differentiated."""

import json

from hypermagnetics.config import Config
from hypermagnetics.data.manifest import Manifest


class Parameter(Config):
    """A parameter of simulations, with the value at which the readings were simulated."""

    name: str
    value: float


def parameters_of(manifest: Manifest) -> tuple[Parameter, ...]:
    """Parameters of imported derivatives, in the order of their last axis; none of other data."""
    origin = manifest.recipe.get("imported")
    found = origin.get("parameters") if isinstance(origin, dict) else None
    each = found if isinstance(found, list) else []
    return tuple(Parameter.model_validate_json(json.dumps(one)) for one in each)
