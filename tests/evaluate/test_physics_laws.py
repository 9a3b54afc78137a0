"""Laws of physics: kept by the exact sum, and each found broken where it alone is."""

import math

import numpy as np
import pytest
from broken_models import Changed, broken_model

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.evaluate.baselines import exact_sum
from hypermagnetics.evaluate.physics import measure_physics
from hypermagnetics.evaluate.subjects.subject import PotentialAndField
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.plan import make_plan
from hypermagnetics.generate.run import generate
from hypermagnetics.sources import SourceColumns

LAWS = ("superposition", "homogeneity", "gradient", "laplace", "flux")
BODIES = {
    2: ('sources.body={kind="disc", radius=1.0}',),
    3: ('sources.body={kind="sphere", radius=0.7}',),
}
COLUMNS = {
    2: SourceColumns.of("disc", constants={"radius": 1.0}),
    3: SourceColumns.of("sphere", constants={"radius": 0.7}),
}
SPLITS = (
    "grid.num_points=600",
    "samples_per_grid=10",
    "splits.train={num_samples=10, num_sources=1}",
    "splits.valid={num_samples=10, num_sources=1}",
    "splits.test_single={num_samples=20, num_sources=1}",
    "splits.test_multi={num_samples=20, num_sources=4}",
)


@pytest.fixture(scope="module", params=BODIES, ids=lambda dim: f"{dim}D")
def balls(request, tmp_path_factory):
    """Columns and a dataset of discs or spheres at many points."""
    dim = request.param
    directory = tmp_path_factory.mktemp("balls") / "data"
    recipe = load_recipe(DatasetRecipe, "dataset", "demo", (*BODIES[dim], *SPLITS))
    generate(make_plan(recipe, "zarr"), directory)
    return COLUMNS[dim], Dataset.open(directory)


def _by_law(model, columns, split):
    return {found.law: found for found in measure_physics(model, columns, split)}


@pytest.mark.slow
@pytest.mark.parametrize("split", ["test_single", "test_multi"])
@pytest.mark.parametrize("law", ["none", *LAWS])
def test_a_broken_law_is_found_and_no_other(balls, split, law):
    columns, dataset = balls
    found = _by_law(broken_model(law, columns), columns, dataset.split(split))
    assert tuple(found) == LAWS
    for name, measured in found.items():
        if name == law:
            assert measured.median > 0.02
        else:
            assert measured.median < 1e-4
    if law == "flux":
        assert found["flux"].median == pytest.approx(1, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("split", ["test_single", "test_multi"])
def test_the_exact_sum_breaks_laws_by_its_rounding(balls, split):
    """What the methods themselves leave: far below the errors of any model."""
    columns, dataset = balls
    found = _by_law(exact_sum(columns).model, columns, dataset.split(split))
    assert found["superposition"].worst < 1e-6
    assert found["homogeneity"].worst < 1e-6
    assert found["flux"].worst < 1e-5
    assert found["gradient"].median < 3e-5
    assert found["laplace"].median < 3e-5
    assert max(found["gradient"].worst, found["laplace"].worst) < 2e-3
    assert found["superposition"].num_checks == found["flux"].num_checks == 8
    assert found["homogeneity"].num_checks == 32
    assert found["gradient"].num_checks == found["laplace"].num_checks > 100


@pytest.mark.slow
def test_mixed_bodies_keep_all_laws(mixture):
    model = exact_sum(mixture.columns).model
    found = _by_law(model, mixture.columns, mixture.dataset.split("test"))
    assert max(law.median for law in found.values()) < 1e-4
    assert found["flux"].worst < 3e-3  # corners of rectangles, and dipoles
    assert found["gradient"].num_checks > 20


@pytest.mark.slow
def test_all_questions_have_one_shape_and_one_answer(balls):
    columns, dataset = balls
    for split in ("test_single", "test_multi"):
        model = broken_model("laplace", columns)
        first, again = (measure_physics(model, columns, dataset.split(split)) for _ in range(2))
        assert first == again
        assert len(model.shapes) == 1


@pytest.mark.slow
def test_predictions_that_are_not_finite_are_counted_as_infinite(balls):
    columns, dataset = balls

    def blind(moments, points):
        seen = np.where(points[:, 0] < 0, np.nan, 0.0)
        return seen[None], seen[None, :, None]

    found = _by_law(Changed(columns, blind), columns, dataset.split("test_multi"))
    whole = _by_law(exact_sum(columns).model, columns, dataset.split("test_multi"))
    for law in LAWS:
        assert found[law].worst == math.inf
        assert found[law].num_checks == whole[law].num_checks
    assert found["superposition"].median == found["flux"].median == math.inf


class _Silent:
    def predict(self, sources, points, num_samples) -> PotentialAndField:
        shape = (len(sources), len(points))
        return PotentialAndField(np.zeros(shape), np.zeros((*shape, points.shape[1])))


@pytest.mark.slow
def test_a_model_of_nothing_breaks_only_what_surfaces_need(balls):
    columns, dataset = balls
    found = _by_law(_Silent(), columns, dataset.split("test_multi"))
    assert [found[law].worst for law in LAWS] == [0, 0, 0, 0, pytest.approx(1)]


def test_dipoles_have_no_surface(balls):
    dim = balls[0].dim
    dipoles = SourceColumns.of("dipole", dim=dim)
    found = _by_law(exact_sum(dipoles).model, dipoles, balls[1].split("test_multi"))
    assert math.isnan(found["flux"].median)
    assert math.isnan(found["flux"].worst)
    assert found["flux"].num_checks == 0
    assert found["laplace"].median < 3e-5
