"""Code of a user, named `module:name`: distinguishing, importing and checking it.

A name is imported only where the person at the keyboard has given it, on the command line or in a
recipe; never because a model file or a dataset mentions it.
"""

import importlib
import inspect
import sys
import textwrap
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from hypermagnetics.config import nearest, unknown_name
from hypermagnetics.errors import ExtensionError

_MAX_CHARACTERS = 300
"""Longest excerpt of an exception's text in a message, in characters."""


def is_user_name(name: str) -> bool:
    """Whether a name refers to code of a user, `module:name`, and to nothing shipped."""
    return ":" in name


def checked_user_name(name: str) -> str:
    """Check the name of a user's code, for a recipe.

    Args:
        name: Such as `my_module:MyModel` or `package.module:name`.

    Returns:
        The same.

    Raises:
        ValueError: If it is not of that form.
    """
    module, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), attribute)):
        raise ValueError("written module:name, as in my_module:MyModel")
    return name


def names_user_code(value: object, key: str) -> bool:
    """Whether a table of a recipe, or the settings made of it, name code of a user by a key."""
    name = value.get(key) if isinstance(value, dict) else getattr(value, key, None)
    return isinstance(name, str) and is_user_name(name)


def shipped_or_user_name(shipped: tuple[str, ...], name: str) -> str:
    """Check the name of a function, shipped or of a user, for a recipe.

    Args:
        shipped: The names that mean no code of a user.
        name: One of these, or `module:name`.

    Returns:
        The same.

    Raises:
        ValueError: If it is neither; with a `hint` that names the nearest.
    """
    if is_user_name(name):
        return checked_user_name(name)
    if name not in shipped:
        known = ", ".join(map(repr, shipped[:-1])) + " or " * (len(shipped) > 1)
        rule = f"{known}{shipped[-1]!r}, or a function of yours as module:name"
        raise unknown_name(rule, name, shipped)
    return name


UserName = Annotated[str, AfterValidator(checked_user_name)]


def import_user_code(name: str, where: str) -> object:
    """Import the object that a name refers to, of the working directory or of an installed module.

    Args:
        name: `module:name`, as the person at the keyboard has given it.
        where: Key of the recipe that holds it, for messages.

    Returns:
        The class or function.

    Raises:
        ExtensionError: If the module cannot be imported or has nothing of that name.
    """
    module_name, _, attribute = name.partition(":")
    try:
        with _working_directory_in_path():
            module = importlib.import_module(module_name)
    except ExtensionError:
        raise
    except (Exception, SystemExit) as error:  # a script without a guard may end the process
        raise ExtensionError(
            f"The module of {name} must be importable; got {_said(error)} ({where}). Put it into "
            f"the working directory or install it; `python -c 'import {module_name}'` shows the "
            "whole error."
        ) from error
    if not hasattr(module, attribute):
        known = [n for n, value in vars(module).items() if callable(value) and n[0] != "_"]
        raise ExtensionError(
            f"{name} must be in its module; got no {attribute!r} in {_file_of(module)} ({where}). "
            f"{nearest(attribute, known) if known else 'Define it there.'}"
        )
    found: object = getattr(module, attribute)
    return found


@contextmanager
def _working_directory_in_path() -> Iterator[None]:
    """Allow imports from the working directory, in the block alone.

    It may be one of data that came from somewhere: while it is in the path, a library that looks
    for an optional package or for plugins, as JAX and Zarr do, finds and runs what lies there. It
    comes last, so that no file there can take the place of a module that is installed.
    """
    here = str(Path.cwd())
    sys.path.append(here)
    try:
        yield
    finally:
        # Not by its value, which the module may have put there itself.
        sys.path[:] = [entry for entry in sys.path if entry is not here]


@contextmanager
def must(rule: str, code: object, where: str) -> Iterator[None]:
    """Turn any exception of a user's code into one line that names the place in its file.

    Args:
        rule: What must hold, up to the semicolon: `<what> must <rule>`.
        code: The class or function that is called.
        where: Key of the recipe, for messages.

    Raises:
        ExtensionError: In place of any exception.
    """
    try:
        yield
    except ExtensionError:
        raise
    except (Exception, SystemExit) as error:  # no code of a user decides exit codes
        file = _file_of(code)
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == file
        ]
        place = f" at {file}:{lines[-1]}" if lines else ""
        raise ExtensionError(
            f"{rule}; got {_said(error)}{place} ({where}). Mend it, or its arguments."
        ) from error


def _said(error: BaseException) -> str:
    text = textwrap.shorten(str(error), _MAX_CHARACTERS, placeholder=" ...").rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _file_of(code: object) -> str:
    try:
        return inspect.getfile(code)  # type: ignore[arg-type]
    except TypeError:  # built in, or an object that is no class, function or module
        return "a module without a file"
