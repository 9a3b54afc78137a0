"""Parameters of readings: the columns of sources, or those of imported files, at their values."""

import numpy as np

from hypermagnetics.data import Dataset, Split
from hypermagnetics.data.derivatives import derivatives_of
from hypermagnetics.data.parameters import Parameter, parameters_of
from hypermagnetics.errors import DatasetError
from hypermagnetics.sources import Directions, chosen_columns


def fiducial_parameters(dataset: Dataset, split: str) -> tuple[Parameter, ...]:
    """The parameters by which the stored derivatives of a split are, at the values of its samples.

    Args:
        dataset: A dataset with derivatives.
        split: Name of the split.

    Returns:
        The parameters, in the order of the last axis of the derivatives. Those of several sources
        come source by source. A rotation has the value 0.

    Raises:
        DatasetError: If there are no derivatives, or a parameter is not the same in all samples.
    """
    found = dataset.any_split(split)
    if not isinstance(found, Split):
        return parameters_of(dataset.manifest)
    config = derivatives_of(dataset.manifest)
    if config is None:
        raise DatasetError(
            "Readings must have derivatives by parameters; got none "
            f"({dataset.directory}). Add [derivatives] to the recipe of the dataset."
        )
    columns = dataset.columns
    names = chosen_columns(columns, config.columns, columns.names, "derivatives.columns")
    parameters = Directions(columns, names, moment=1.0, length=1.0).parameters
    numbers = [columns.index(name) for name in parameters if name in columns.names]
    each = _same_in_all(found, numbers, parameters)
    several = len(each) > 1
    return tuple(
        Parameter(name=f"{name} of source {row + 1}" if several else name, value=value)
        for row, values in enumerate(each)
        for name, value in zip(parameters, values, strict=True)
    )


def _same_in_all(
    split: Split, numbers: list[int], parameters: tuple[str, ...]
) -> list[tuple[float, ...]]:
    """Values of the parameters of each source, compared sample by sample."""
    first = split.block(0).sources[0][:, numbers]
    for block in split.blocks():
        other = np.any(block.sources[:, :, numbers] != first, axis=(0, 1))
        if other.any():
            name = parameters[int(np.flatnonzero(other)[0])]
            raise DatasetError(
                "Parameters must be the same in all samples, as the readings are to tell them at "
                f"one point; got another {name} in some (split {split.name!r} of "
                f'{split.directory}). Give it distribution = "constant", or leave it out of '
                "derivatives.columns."
            )
    turns = (0.0,) * (len(parameters) - len(numbers))
    return [(*map(float, row), *turns) for row in first]
