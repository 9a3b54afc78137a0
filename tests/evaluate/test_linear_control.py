"""The linear control: affine in the sources, and no better than it can be."""

import numpy as np
import pytest

from hypermagnetics.data import Block
from hypermagnetics.evaluate.baselines import SourceKernel, linear_control, source_kernel
from hypermagnetics.evaluate.subjects.subject import PotentialAndField
from hypermagnetics.metrics import measure
from hypermagnetics.sources import SourceColumns

DISCS = SourceColumns.of("disc", constants={"radius": 1.0})


def _global_l2(predicted: np.ndarray, truth: np.ndarray) -> float:
    errors = measure(predicted, truth)
    return float(np.sqrt(errors.squared_error.sum() / errors.squared_truth.sum()))


@pytest.mark.slow
@pytest.mark.parametrize("split", ["test_single", "test_multi"])
def test_discs_stay_near_seventy_per_cent(tmp_path, make_dataset, split):
    """A trained model of this form has 69.7 and 70.0 % for the same kind of data."""
    dataset = make_dataset(
        tmp_path / "data",
        "grid.num_points=100",
        "samples_per_grid=256",
        "splits.train={num_samples=1000, num_sources=1}",
        f"splits.{split}={{num_samples=500, num_sources={4 if split == 'test_multi' else 1}}}",
    )
    kernel = source_kernel(DISCS, dataset.split("train"))
    found = linear_control(kernel).fit(kernel.labelled(dataset.split(split)))
    assert 0.66 < _global_l2(found.predicted.potential, found.block.potential) < 0.73


def test_what_is_affine_in_the_sources_is_found_exactly():
    """A kernel that does not depend on the position: phi = sum_s m_s.a(r)."""
    random = np.random.default_rng(0)
    sources = random.normal(size=(50, 4)).astype(np.float32)
    tables = random.normal(size=(3, 2, 4)).astype(np.float32)
    along = random.normal(size=(2, 7))
    counts = np.array([2, 1, 2], np.int32)
    tables[1, 1] = 0
    potential = np.einsum("srd,dp->sp", tables[..., :2], along)
    field = np.repeat(potential[..., None], 2, axis=-1)
    unit = np.tile(along, (50, 1))
    points = np.zeros((7, 2), np.float32)
    values = PotentialAndField(unit, np.repeat(unit[..., None], 2, axis=-1))
    kernel = SourceKernel(DISCS, sources, points, values)
    found = linear_control(kernel).fit(Block(tables, counts, points, potential, field))
    np.testing.assert_allclose(found.predicted.potential, potential, atol=1e-6)
    np.testing.assert_allclose(found.predicted.field, field, atol=1e-6)


@pytest.mark.slow
def test_mixed_bodies_have_shapes_to_read(mixture):
    split = mixture.dataset.split("test")
    kernel = source_kernel(mixture.columns, split)
    found = linear_control(kernel).fit(kernel.labelled(split))
    assert found.predicted.field.shape == found.block.field.shape
    assert np.isfinite(found.predicted.field).all()


@pytest.mark.slow
@pytest.mark.parametrize("mixture", [2], indirect=True, ids=["2D"])
def test_a_rotation_by_half_a_turn_is_none(mixture):
    split = mixture.dataset.split("test")
    kernel = source_kernel(mixture.columns, split)
    turned = kernel.sources.copy()
    turned[:, mixture.columns.index("angle")] += np.float32(np.pi)
    block = kernel.labelled(split)
    again = SourceKernel(mixture.columns, turned, kernel.points, kernel.unit)
    np.testing.assert_allclose(
        linear_control(again).fit(block).predicted.potential,
        linear_control(kernel).fit(block).predicted.potential,
        rtol=1e-3,
        atol=1e-3,
    )
