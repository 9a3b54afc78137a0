"""Refusal of keys that mean nothing in a kind of training; apart, as several kinds have some."""

from collections.abc import Mapping
from typing import NamedTuple

from hypermagnetics.errors import RecipeError


class Unused(NamedTuple):
    """A key that means nothing."""

    found: object
    """Its value in the recipe."""
    default: object
    """The value that it has if it is left out."""
    why: str
    """The reason, as in "a map has all of its points"."""


def refuse_keys(keys: Mapping[str, Unused], kind: str) -> None:
    """Refuse keys that a recipe should have left out.

    Args:
        keys: The keys, as in "data.crop".
        kind: Kind of the training, as in "for a training by rollouts".

    Raises:
        RecipeError: If one has another value than its default.
    """
    for key, (found, default, why) in keys.items():
        if found != default:
            raise RecipeError(
                f"{key} must be left out {kind}, as {why}; got {found!r:.80} ({key}). Leave it out."
            )
