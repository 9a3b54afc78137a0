"""Labels of shipped recipes, computed on a GPU and on a CPU."""

import numpy as np
import pytest

from hypermagnetics.config import load_recipe
from hypermagnetics.data import CPU
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.labels import label_device
from hypermagnetics.generate.plan import make_plan
from hypermagnetics.generate.recipes import DATASET_SCHEMA
from hypermagnetics.recipes import shipped_recipes

pytestmark = pytest.mark.gpu

NOTHING = 1e-12
"""Of the largest value, below which all digits of a sum have cancelled."""


def hard_recipes() -> list[str]:
    """Names of the shipped recipes whose labels a GPU may compute: those without soft bodies."""
    names = shipped_recipes("dataset")
    each = {name: load_recipe(DATASET_SCHEMA, "dataset", name) for name in names}
    return [
        name
        for name, recipe in each.items()
        if isinstance(recipe, DatasetRecipe) and recipe.soft is None
    ]


@pytest.mark.parametrize("name", hard_recipes())
def test_labels_are_those_of_a_cpu(name: str) -> None:
    """To one rounding of float32, of the same sources and points; derivatives, too."""
    recipe = load_recipe(DatasetRecipe, "dataset", name, ("samples_per_grid=4",))
    plan = make_plan(recipe, "zarr")
    split = next(iter(plan.layouts))
    found, expected = (
        plan.on(device).start_block(split, 0)() for device in (label_device("gpu", 1), CPU)
    )
    for array in ("sources", "num_sources", "grid"):
        np.testing.assert_array_equal(getattr(found, array), getattr(expected, array))
    pairs = [(getattr(found, array), getattr(expected, array)) for array in ("potential", "field")]
    pairs += [(found.declared[array], expected.declared[array]) for array in expected.declared]
    for one, other in pairs:
        is_value = np.abs(other) > NOTHING * np.abs(other).max()
        np.testing.assert_array_max_ulp(one[is_value], other[is_value])
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=NOTHING * np.abs(other).max())
