"""Exceptions that reach a user.

Every message reads `<what> must <rule>; got <value> (<where>). <What to do>.` A program shows it
as one line and ends with exit code 2; any other exception is a bug and keeps its traceback.
"""


class HypermagneticsError(ValueError):
    """Invalid input; the message explains the remedy."""


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


class RunWriteError(RunError):
    """A run could not write to its directory; its last checkpoint is sound."""


class DivergenceError(RunError):
    """The training loss became non-finite."""


class InterruptedRunError(RunError):
    """A signal ended a program early; finished work is kept on disk."""
