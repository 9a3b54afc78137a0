"""The errors a user can meet.

Every message reads `<what> must <rule>; got <value> (<where>). <What to do>.` A program shows it
as one line and ends with exit code 2; any other exception is a bug and keeps its traceback.
"""


class HypermagneticsError(ValueError):
    """Input that hypermagnetics cannot accept; the message says what to do."""


class RecipeError(HypermagneticsError):
    """A recipe, or an override of one of its keys, is wrong."""


class SourceError(HypermagneticsError):
    """A source, or a point of evaluation, is none: not finite, without size, of the wrong shape."""


class DatasetError(HypermagneticsError):
    """A dataset is missing, incomplete, damaged or of another format."""


class LabelError(HypermagneticsError):
    """A label is not a finite number."""


class ExtensionError(HypermagneticsError):
    """A user's own model, objective or normalisation is not there or breaks its rules."""


class RunError(HypermagneticsError):
    """A training run cannot start, continue or be read."""


class ModelFileError(HypermagneticsError):
    """A model file is missing, damaged or of another version."""


class DamagedFileError(ModelFileError):
    """The bytes of a model file or checkpoint are not those that were written."""


class RunWriteError(RunError):
    """A run could not write to its directory; its last checkpoint is sound."""


class DivergenceError(RunError):
    """The training loss became non-finite."""


class InterruptedRunError(RunError):
    """A signal ended a program early; what was finished is kept on disk."""
