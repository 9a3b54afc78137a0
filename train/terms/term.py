"""Terms of an objective: their interface, and the settings that a recipe gives them."""

import abc
from dataclasses import dataclass

from pydantic import model_validator

from hypermagnetics.config import Config, NotNegative, refusal
from hypermagnetics.data import Split
from hypermagnetics.models import Model
from hypermagnetics.sources import SourceColumns
from hypermagnetics.train.losses import LossConfig, RegionWeights, SampleLoss
from hypermagnetics.train.losses.loss import SampleLosses
from hypermagnetics.train.terms.evaluation import Evaluation

_NUMBERS = ("delta", "power", "floor", "order")
"""Keys of earlier recipes, which stand in the table of a loss now."""


@dataclass(frozen=True)
class Term(abc.ABC):
    """A loss of each sample, from a model and a batch.

    A sample has the same loss in any batch, so that samples may be divided among chunks and
    devices.
    """

    weight: float
    """Factor of the term in the objective."""

    @property
    def draws(self) -> bool:
        """Whether it needs a random key of each sample, `DeviceBatch.keys`."""
        return False

    @property
    def differentiates(self) -> bool:
        """Whether it needs `Evaluation.error_slopes`."""
        return False

    @abc.abstractmethod
    def __call__(self, evaluation: Evaluation) -> SampleLosses:
        """The loss of each sample before weighting; of samples that do not count, any number.

        Args:
            evaluation: The model on the batch.
        """


@dataclass(frozen=True)
class Facts:
    """The facts of a training that terms are made of."""

    columns: SourceColumns
    """Columns of the source tables."""
    potential_rms: float
    """Root mean square of the potential over the training split [A]."""
    field_rms: float
    """Root mean square of the norm of the field [A/m]."""
    split: Split | None = None
    """The training split; needed by terms that look at samples."""
    model: Model | None = None
    """The model, whose shapes are enough; needed by terms that look at it."""


def refuse_loose_numbers(table: object) -> object:
    """Refuse the numbers of a loss beside it, for a validator of the table of a term.

    Args:
        table: The table as it is given.

    Returns:
        The same table.
    """
    given = [key for key in _NUMBERS if key in table] if isinstance(table, dict) else []
    if isinstance(table, dict) and given:
        hint = "Write for example loss = { kind = 'huber', delta = 0.004 }."
        raise refusal(given[0], "stand in the table of its loss", table[given[0]], hint)
    return table


class TermConfig(Config, abc.ABC):
    """One term of the loss.

    A new kind is one file with a subclass of this and one of `Term`, and its name in
    `hypermagnetics.train.terms`.
    """

    of: str
    """Quantity of the term."""
    weight: NotNegative = 1.0
    """Factor of the term in the sum."""
    loss: LossConfig | None = None
    """Loss of this term; null for that of the objective."""
    regions: RegionWeights | None = None
    """Weights of points by their region; null for equal weights of all points."""

    _numbers_stand_in_losses = model_validator(mode="before")(refuse_loose_numbers)

    @abc.abstractmethod
    def term(self, loss: SampleLoss, facts: Facts) -> Term:
        """Make the term.

        Args:
            loss: Its loss: its own, or that of the objective.
            facts: Facts of the training.

        Raises:
            HypermagneticsError: As `check`.
        """

    def check(self, facts: Facts, where: str) -> None:
        """Refuse a term that does not fit dataset or model, at once.

        Args:
            facts: Facts of the training.
            where: Key of the term in the recipe, for messages.

        Raises:
            HypermagneticsError: If it does not.
        """
