"""Small datasets whose splits end in the middle of a block."""

from collections.abc import Callable
from pathlib import Path

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset, StorageFormat
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.plan import make_plan
from hypermagnetics.generate.run import generate

TINY = (
    "grid.num_points=24",
    "samples_per_grid=8",
    "splits.train={num_samples=45, num_sources=1}",
    "splits.valid={num_samples=11, num_sources=1}",
    "splits.test_single={num_samples=9, num_sources=1}",
    "splits.test_multi={num_samples=20, num_sources=4}",
)
"""A recipe whose splits end in the middle of a block."""

MakeDataset = Callable[..., Dataset]


def small_dataset(
    directory: Path, *overrides: str, storage_format: StorageFormat = "zarr"
) -> Dataset:
    """Make one in a directory."""
    recipe = load_recipe(DatasetRecipe, "dataset", "demo", (*TINY, *overrides))
    generate(make_plan(recipe, storage_format), directory)
    return Dataset.open(directory)
