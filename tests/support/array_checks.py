"""Checks of the arrays of every call: the number of axes, their lengths and the type of values.

jaxtyping's import hook wraps each function of the package, and beartype then looks at every
argument of every call. What is no array mypy has looked at already, and the wrappers took four
tenths of the time of tests of models, half of that of tests of files. So functions whose
annotations name no array stay as they are, unless HM_TESTS_CHECK is `everything`.
"""

import functools
import os
from collections.abc import Callable, Iterable
from typing import Any, get_args

import jaxtyping
from jaxtyping import AbstractArray, PyTree

_CHECKED = jaxtyping.jaxtyped


def install() -> None:
    """Let the import hook wrap only what takes, gives or holds arrays.

    To be called before a module of the package is imported. The hook finds its decorator in
    jaxtyping when a module is executed.
    """
    if os.environ.get("HM_TESTS_CHECK") != "everything":
        jaxtyping.jaxtyped = _checked_if_of_arrays


def names_array(annotation: object) -> bool:
    """Whether an annotation holds one of an array, or is text, which may be one."""
    if isinstance(annotation, str):
        return True
    if isinstance(annotation, type) and issubclass(annotation, AbstractArray | PyTree):
        return True
    return _any_names_array(annotation if isinstance(annotation, list) else get_args(annotation))


def _any_names_array(annotations: Iterable[object]) -> bool:
    return any(names_array(annotation) for annotation in annotations)


def _checked_if_of_arrays(
    thing: Any = None, *, typechecker: Callable[..., Any] | None = None
) -> Any:
    """The decorator of the import hook, which also wraps classes, methods and properties."""
    if thing is None:
        return functools.partial(_checked_if_of_arrays, typechecker=typechecker)
    match thing:
        case type():
            function = thing.__init__  # of a dataclass, with the annotations of its fields
        case classmethod() | staticmethod():
            function = thing.__func__
        case property():
            function = thing.fget
        case _:
            function = thing
    annotations = getattr(function, "__annotations__", {}).values()
    return _CHECKED(thing, typechecker=typechecker) if _any_names_array(annotations) else thing
