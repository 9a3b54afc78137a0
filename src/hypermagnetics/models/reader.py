"""What can be said of a model before it is evaluated."""

import equinox as eqx

from hypermagnetics.config import Config
from hypermagnetics.models.inputs import ModelInputs
from hypermagnetics.table import LENGTHS


class Reader(eqx.Module):
    """Something that reads source tables, by its settings and inputs."""

    config: eqx.AbstractVar[Config]
    inputs: eqx.AbstractVar[ModelInputs]

    @property
    def dim(self) -> int:
        """Space dimension."""
        return self.inputs.dim

    @property
    def source_size(self) -> int:
        """Columns of the source table."""
        return self.inputs.source_size

    @property
    def source_columns(self) -> tuple[str, ...]:
        """Names of these columns; none if they are not known."""
        return self.inputs.columns

    @property
    def codes(self) -> tuple[int, ...]:
        """Codes of the bodies it was trained on, if the source table has a column for them."""
        return self.inputs.codes

    @property
    def limited_columns(self) -> tuple[str, ...]:
        """Columns whose range in training bounds where the model can be trusted: all lengths."""
        return tuple(name for name in self.inputs.columns if name in LENGTHS)
