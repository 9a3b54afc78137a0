"""Methods of pytrees that every transformation of JAX takes, as it takes plain functions.

They multiply matrices in full float32 on every platform, unless they are asked not to.
"""

from collections.abc import Callable
from types import MethodType
from typing import TYPE_CHECKING, Any

import equinox as eqx

from hypermagnetics.precision import in_chosen_precision


class Method(eqx.Module):
    """A method of one object: a pytree, as equinox makes of it, that JAX can hash too.

    JAX keeps what it has compiled of a function by the function. Two are the same here if they are
    of the very same object: its arrays, which are constants of the compiled program, never change,
    and comparing their values would itself be traced inside another transformation.
    """

    function: Callable[..., Any] = eqx.field(static=True)
    owner: eqx.Module

    def __init__(self, function: Callable[..., Any], owner: eqx.Module) -> None:
        """Bind a function of a class to an object of it; name and docstring are the function's."""
        self.function, self.owner = function, owner
        for name in ("__module__", "__name__", "__qualname__", "__doc__"):
            setattr(self, name, getattr(function, name))

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """The function of the object, in the precision of `matmul_precision`."""
        with in_chosen_precision():
            return self.function(self.owner, *arguments, **named)

    @property
    def __wrapped__(self) -> MethodType:
        """Python's own method, whose signature is shown."""
        return MethodType(self.function, self.owner)

    def __hash__(self) -> int:
        """By the identity of the object."""
        return hash((self.function, id(self.owner)))

    def __eq__(self, other: object) -> bool:
        """Whether both are the same method of the same object."""
        return (
            isinstance(other, Method)
            and self.function is other.function
            and self.owner is other.owner
        )


class WithMethods(eqx.Module):
    """A pytree whose methods are each a `Method`."""

    if not TYPE_CHECKING:  # which finds the methods themselves, with their signatures

        def __getattribute__(self, name: str) -> Any:
            """Bind methods."""
            found = object.__getattribute__(self, name)
            if name.startswith("__") or not isinstance(found, MethodType):
                return found
            return Method(found.__func__, self) if found.__self__ is self else found
