"""[normalisation]: what is 1 inside a model."""

from functools import partial
from typing import Annotated

from pydantic import AfterValidator

from hypermagnetics.config import Config
from hypermagnetics.user_code import shipped_or_user_name

_Scales = Annotated[str, AfterValidator(partial(shipped_or_user_name, ("rms",)))]


class NormalisationConfig(Config):
    """The physical values that are 1 inside a model."""

    scales: _Scales = "rms"
    """"rms", root mean squares over the training split, or a function of a user, "module:name"; see
    `Normalisation`."""
