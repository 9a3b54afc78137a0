"""Boundary of the box of fields: apart, as the import of maps and models on them share it."""

from typing import Literal

from hypermagnetics.data.dataset import Dataset
from hypermagnetics.errors import DatasetError

Boundary = Literal["open", "periodic"]
"""Whether fields end at the sides of their box, or go on at the opposite side."""


def boundary_of(dataset: Dataset) -> Boundary:
    """Boundary of the box of the fields of a dataset.

    Args:
        dataset: The dataset.

    Returns:
        That of its import; "open" for a dataset of sources, and for an import that says nothing.

    Raises:
        DatasetError: If the manifest names a boundary that this release does not know.
    """
    origin = dataset.manifest.recipe.get("imported")
    found = origin.get("boundary") if isinstance(origin, dict) else None
    match found:
        case None | "open":
            return "open"
        case "periodic":
            return "periodic"
    raise DatasetError(
        f"The boundary of fields must be open or periodic; got {found!r:.80} "
        f"({dataset.directory}, recipe.imported.boundary). Read the dataset with the release of "
        "hypermagnetics that wrote it."
    )
