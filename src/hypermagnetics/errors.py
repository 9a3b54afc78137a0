"""Exceptions that reach a user.

Every message reads `<what> must <rule>; got <value> (<where>). <What to do>.` A program shows it
as one line and ends with exit code 2; any other exception is a bug and keeps its traceback.
"""

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


class HypermagneticsError(ValueError):
    """Invalid input; the message explains the remedy, in one line."""

    def __init__(self, message: str) -> None:
        """Escape control characters and line ends, which names and files may hold."""
        super().__init__(printable(message, kept=""))


class HypermagneticsWarning(UserWarning):
    """A thing to know, which stops nothing; a program shows it as one line."""


class RecipeError(HypermagneticsError):
    """A recipe, or an override of one of its keys, is wrong."""


class SourceError(HypermagneticsError):
    """An invalid source or point: not finite, without size, or of the wrong shape."""


class DatasetError(HypermagneticsError):
    """A dataset is missing, incomplete, damaged or of another format."""


class LabelError(HypermagneticsError):
    """A label is not a finite number."""


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
