"""Functions of users as subjects."""

import functools
import inspect
from collections.abc import Callable
from typing import NoReturn

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hypermagnetics.errors import ExtensionError
from hypermagnetics.evaluate.subjects.subject import PotentialAndField, as_floats, is_real
from hypermagnetics.user_code import import_user_code, must

_WHERE = "a subject"


class FunctionModel:
    """A function (sources, points) -> (potential, field), with its shapes checked at every call."""

    def __init__(self, name: str) -> None:
        """Import the function.

        Args:
            name: `module:function`; or a callable object of that module, but no class.

        Raises:
            ExtensionError: If there is no such function.
        """
        found = import_user_code(name, _WHERE)
        if inspect.isclass(found):
            raise ExtensionError(
                f"A subject module:name must be a function (sources, points); got the class {name} "
                f"({_WHERE}). Name an instance that can be called; or give the run, and the class "
                "of its model (--model, or user_model= in Python)."
            )
        if not callable(found):
            raise ExtensionError(
                f"A subject module:name must be a function (sources, points); got {name}, of type "
                f"{type(found).__name__} ({_WHERE}). Name the function."
            )
        self._name = name
        self._function: Callable[..., object] = found

    def predict(
        self,
        sources: Float[ndarray, "samples sources columns"],
        points: Float[ndarray, "points dim"],
        num_samples: int,
    ) -> PotentialAndField:
        """See `PointModel`; the function gets copies, and no empty samples.

        Raises:
            ExtensionError: If it raises, or returns something else than potential and field.
        """
        rule = f"{self._name} must take sources {sources.shape} and points {points.shape}"
        with must(rule, _code_of(self._function), _WHERE):
            made = self._function(np.array(sources, np.float32), np.array(points, np.float32))
        if not isinstance(made, tuple | list) or len(made) != 2:
            length = f" of length {len(made)}" if isinstance(made, tuple | list) else ""
            raise ExtensionError(
                f"{self._name} must return a pair of arrays, (potential, field); got "
                f"{type(made).__name__}{length} ({_WHERE}). Return both."
            )
        shape = (len(sources), len(points))
        return PotentialAndField(
            self._checked(made[0], "potential", shape),
            self._checked(made[1], "field", (*shape, points.shape[1])),
        )

    def _checked(self, made: object, quantity: str, shape: tuple[int, ...]) -> ndarray:
        with must(f"The {quantity} of {self._name} must be an array", None, _WHERE):
            values = np.asarray(made)
        if values.shape != shape:
            self._refuse(quantity, "be of shape", shape, values.shape)
        if not is_real(values.dtype):
            self._refuse(quantity, "hold", "real numbers", values.dtype)
        return as_floats(values)

    def _refuse(self, quantity: str, rule: str, wanted: object, got: object) -> NoReturn:
        shape = "(samples, points)" if quantity == "potential" else "(samples, points, dim)"
        raise ExtensionError(
            f"The {quantity} of {self._name} must {rule} {wanted}; got {got} ({_WHERE}). Return "
            f"an array of real numbers, {shape}."
        )


def _code_of(function: object) -> object:
    """Code with a source file: a function without its decorators, or the class of an object."""
    while isinstance(function, functools.partial):
        function = function.func
    bare = inspect.unwrap(function) if callable(function) else function
    return bare if inspect.isroutine(bare) else type(bare)
