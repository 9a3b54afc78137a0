"""Exceptions that reach a user.

Every message reads `<what> must <rule>; got <value> (<where>). <What to do>.` A program shows it
as one line and ends with exit code 2; any other exception is a bug and keeps its traceback.
"""

import errno
import os
import unicodedata

_CONTROLS = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Categories of characters that steer a terminal, or that it cannot show."""


def printable(text: str, kept: str = "\n") -> str:
    r"""The text with control characters escaped, so that text of a file cannot steer a terminal.

    Args:
        text: Any text.
        kept: Control characters that stay.

    Returns:
        The text, with each of the others as in Python's literals, such as "\x1b".
    """
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in _CONTROLS and character not in kept
        else character
        for character in text
    )


_LIMIT = (errno.EMFILE, errno.ENFILE)
_HELD = (errno.EAGAIN, errno.EBUSY, errno.ETXTBSY, errno.EDEADLK, errno.ENOLCK)
_FORBIDDEN = (errno.EACCES, errno.EPERM)
_FAILING = (errno.EIO, errno.ESTALE, errno.ENOMEM, errno.ETIMEDOUT)


def is_passing(error: OSError) -> bool:
    """Whether a file could be opened if this program, or another one, kept fewer open."""
    return error.errno in (*_LIMIT, *_HELD)


def raise_refusal(error: Exception, path: object) -> None:
    """Pass on an error by which the operating system refuses a file, whatever is in it.

    To be called where an error would otherwise be taken for damage.

    Args:
        error: Any error met while a file was read.
        path: The file.

    Raises:
        OSError: If it is one: a limit, a lock, a permission, a disk that fails.
    """
    refusals = (*_LIMIT, *_HELD, *_FORBIDDEN, *_FAILING)
    if isinstance(error, OSError) and error.errno in refusals:
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error


def remedy_of(error: OSError) -> str:
    """The first half of a sentence on the way to mend an error of the operating system."""
    if error.errno in _LIMIT:
        return "Raise the limit of open files (ulimit -n), or end other programs,"
    if error.errno in _HELD:
        return "Close it in the program that holds it open"
    if error.errno in _FORBIDDEN:
        return "Ask its owner for the permission, or set it with chmod,"
    return "Mend that"


class HypermagneticsError(ValueError):
    """Invalid input; the message explains the remedy, in one line."""

    def __init__(self, message: str) -> None:
        """Escape control characters and line ends, which names and files may hold."""
        super().__init__(printable(message, kept=""))


class HypermagneticsWarning(UserWarning):
    """Warning of this package; a program shows it as one line."""


class RecipeError(HypermagneticsError):
    """A recipe, or an override of one of its keys, is wrong."""


class SourceError(HypermagneticsError):
    """An invalid source or point: not finite, without size, or of the wrong shape."""


class InputError(HypermagneticsError):
    """An array does not have the shape that a network reads."""


class DatasetError(HypermagneticsError):
    """A dataset is missing, incomplete, damaged or of another format."""


class LabelError(HypermagneticsError):
    """A label is not a finite number."""


class DeviceError(HypermagneticsError):
    """The memory of the device that computes is full, or it does not answer any more."""


class ExtensionError(HypermagneticsError):
    """A user's own model, objective or normalisation is missing or breaks its rules."""


class RunError(HypermagneticsError):
    """A training run cannot start, continue or be read."""


class ModelFileError(HypermagneticsError):
    """A model file is missing, damaged or of another version."""


class DamagedFileError(ModelFileError):
    """The bytes of a model file or checkpoint have changed since writing."""


class AnotherRunError(ModelFileError):
    """A checkpoint or a model belongs to another run than the directory it lies in."""


class RunWriteError(RunError):
    """A run could not write to its directory; its last checkpoint is sound."""


class DivergenceError(RunError):
    """The training loss became non-finite."""


class InterruptedRunError(RunError):
    """A signal ended a program early; finished work is kept on disk."""


class OtherProcessError(RunError):
    """Another process of a training failed, and all end; the first says why."""

    def __init__(self, message: str, code: int) -> None:
        """Keep the exit code of that process."""
        super().__init__(message)
        self.code = code
