"""[normalisation]: scales of a model, and the meaning of its values."""

from functools import partial
from typing import Annotated

from pydantic import AfterValidator

from hypermagnetics.config import Config
from hypermagnetics.models.inputs import MomentUnit, ValuesAs
from hypermagnetics.user_code import shipped_or_user_name

_Scales = Annotated[str, AfterValidator(partial(shipped_or_user_name, ("rms", "median")))]


class NormalisationConfig(Config):
    """Scales of a model, and the meaning of its values. All of it is kept in the model file."""

    scales: _Scales = "rms"
    """"rms", root mean squares over the training split, "median", medians of absolute values, which
    a few large ones do not reach, or a function of a user, "module:name"; see `Normalisation`."""
    values: ValuesAs = "linear"
    """"asinh": a value u of the network means the potential scale * sinh(u), so that peaks close to
    sources are less far from 1. For models that are not sums over sources by construction."""
    moment: MomentUnit = "dataset"
    """"sample": the moments of a configuration are read in units of their own root mean square,
    which multiplies potential and field, so that the model is homogeneous in the moments."""
