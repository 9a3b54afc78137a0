"""Losses of users, by their names."""

from hypermagnetics.config import Config
from hypermagnetics.user_code import UserName


class UserLoss(Config):
    """A function of a user, of which a recipe has the name alone; see `PointLoss`."""

    kind: UserName
    """`module:function`."""
