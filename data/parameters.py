"""Parameters of simulations, by which readings are differentiated."""

from hypermagnetics.config import Config


class Parameter(Config):
    """A parameter of simulations, with the value at which the readings were simulated."""

    name: str
    value: float
