"""Stored labels against what anyone can compute from the stored inputs."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.plan import make_plan
from hypermagnetics.generate.run import generate
from hypermagnetics.sources import superposition

_SMALL = (
    "grid.num_points=40",
    "splits={train={num_samples=7, num_sources=[1, 3]}, test={num_samples=5, num_sources=2}}",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe",
    [
        "discs-2d-packed",
        pytest.param("mixed-2d", marks=pytest.mark.slow),
        "spheres-3d",
        pytest.param("prisms-3d", marks=pytest.mark.slow),
    ],
)
def test_stored_labels_are_those_of_the_stored_inputs(recipe: str, tmp_path: Path) -> None:
    """Recomputed in float64 sample by sample, and rounded: the same to one unit in the last place.

    Numbers of sources are ragged, and blocks end in the middle.
    """
    parsed = load_recipe(DatasetRecipe, "dataset", recipe, (*_SMALL, "samples_per_grid=4"))
    generate(make_plan(parsed, "zarr"), tmp_path / "data")
    dataset = Dataset.open(tmp_path / "data")
    columns, counts = dataset.columns, set()
    for name in dataset.splits:
        for block in dataset.split(name).blocks():
            grid = jnp.asarray(block.grid, jnp.float64)
            for i, count in enumerate(block.num_sources):
                counts.add(int(count))
                table = jnp.asarray(block.sources[i], jnp.float64)
                truth = superposition(columns, table, grid, jnp.asarray(count))
                for label, value in zip((block.potential, block.field), truth, strict=True):
                    np.testing.assert_array_max_ulp(label[i], np.asarray(value, np.float32))
    assert len(counts) > 1
