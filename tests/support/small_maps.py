"""Small datasets and trainings of maps."""

from pathlib import Path

import numpy as np

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.data.array_import import import_arrays
from hypermagnetics.data.boundary import Boundary
from hypermagnetics.data.map_arrays import input_and_target_maps
from hypermagnetics.data.origin import Shares
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.plan import make_plan
from hypermagnetics.generate.run import generate
from hypermagnetics.train.config import TrainingRecipe

SPLITS = (
    "splits={train={num_samples=18,num_sources=2},valid={num_samples=5,num_sources=2},"
    "test={num_samples=6,num_sources=[1,3]}}"
)
"""Splits that end in the middle of a block."""
OF_SPHERES = (
    'sources={body={kind="sphere",radius=0.5},moment={distribution="normal",std=1.0},'
    'position={distribution="packed",half_width=2.0}}'
)
SMALL = (
    "model.channels=[4,6]",
    "schedule.max_steps=4",
    "validation.every=2",
    "checkpoint.every=2",
    "tracking.log_every=1",
    "optimiser.ema_decay=null",
)


def maps_of_sources(
    directory: Path, *overrides: str, resolution: int = 13, halo: int = 0
) -> Dataset:
    """Discs inside a square on a regular grid, or what the overrides make of them."""
    sizes = (f"grid.resolution={resolution}", f"grid.halo={halo}", "samples_per_grid=4", SPLITS)
    recipe = load_recipe(DatasetRecipe, "dataset", "maps", (*sizes, *overrides))
    generate(make_plan(recipe, "zarr"), directory)
    return Dataset.open(directory)


def maps_of_arrays(
    directory: Path,
    sides: tuple[int, ...] = (8, 8),
    boundary: Boundary = "open",
    samples: int = 20,
) -> Dataset:
    """Two channels, and as targets their sum at the point and at the one before it."""
    directory.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for number in range(samples):
        values = random.normal(size=(2, *sides)).astype(np.float32)
        total = values.sum(axis=0, keepdims=True)
        np.save(directory / f"in_{number:03}.npy", values)
        np.save(directory / f"tgt_{number:03}.npy", total + np.roll(total, 1, axis=1))
    files = input_and_target_maps(
        [directory / "in_*.npy"], [directory / "tgt_*.npy"], boundary=boundary
    )
    import_arrays(
        files,
        directory / "data",
        shares=Shares(train=0.6, valid=0.2, test=0.2),
        samples_per_block=4,
    )
    return Dataset.open(directory / "data")


def map_recipe(*changes: str) -> TrainingRecipe:
    """A short training of a small U-Net."""
    return load_recipe(TrainingRecipe, "training", "map-unet", (*SMALL, *changes))
