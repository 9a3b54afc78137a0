"""The rank floor of additive models."""

from itertools import pairwise
from unittest.mock import patch

import jax.random as jr
import numpy as np
import pytest

from hypermagnetics.evaluate.baselines import (
    floors,
    kernel,
    rank_basis,
    source_kernel,
)
from hypermagnetics.metrics import measure, scores
from hypermagnetics.models import ModelInputs, RangeSplit
from hypermagnetics.models.split import RangeSplitConfig
from hypermagnetics.sources import SourceColumns

DISCS = SourceColumns.of("disc", constants={"radius": 1.0})


def _floor(columns: SourceColumns, split, rank: int) -> tuple[float, float]:
    """Median relative errors of potential and field that the floor leaves."""
    kernel = source_kernel(columns, split)
    found = rank_basis(kernel, rank).fit(kernel.labelled(split))
    labels = found.block.potential, found.block.field
    potential, field = (
        scores(measure(ours, true)).median_relative_error
        for ours, true in zip(found.predicted, labels, strict=True)
    )
    return potential, field


def test_the_floor_falls_with_the_rank_and_ends_at_zero(tiny):
    split = tiny.split("test_multi")
    columns = split.layout.num_points * 3
    floors = [_floor(DISCS, split, rank) for rank in (1, 4, 12, 30, columns, columns + 5)]
    for quantity in range(2):
        errors = [pair[quantity] for pair in floors]
        assert all(later < earlier for earlier, later in pairwise(errors[:4]))
        assert max(errors[4:]) < 1e-12


def test_points_and_sources_are_limited(tiny):
    split = tiny.split("test_multi")
    whole = source_kernel(DISCS, split)
    assert (len(whole.points), len(whole.sources)) == (24, 80)
    with patch.multiple(kernel, _MAX_POINTS=10, _MAX_SOURCES=33):
        some = source_kernel(DISCS, split)
    assert (len(some.points), len(some.sources)) == (10, 33)


@pytest.mark.parametrize("rank", [1, 5, 20])
def test_no_other_subspace_leaves_less_of_the_kernel(rank):
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(50, 4)) @ rng.normal(size=(4, 30)) + 0.1 * rng.normal(size=(50, 30))
    basis = floors._leading_right_vectors(matrix, rank)
    np.testing.assert_allclose(basis.T @ basis, np.eye(rank), atol=1e-12)
    left = np.linalg.norm(matrix - matrix @ basis @ basis.T)
    singular = np.linalg.svd(matrix, compute_uv=False)
    assert left == pytest.approx(np.linalg.norm(singular[rank:]))


def _assert_units_add_up(columns, split):
    """Moments times the kernels of their rows are the labels, sample by sample."""
    found = source_kernel(columns, split)
    block = found.labelled(split)
    np.testing.assert_allclose(
        np.sort(block.potential, axis=1), np.sort(split.block(0).potential, axis=1), atol=1e-5
    )
    used = np.arange(block.sources.shape[1]) < block.num_sources[:, None]
    sources = found.sources[: used.sum()]
    moments = sources[:, : columns.dim].astype(np.float64)
    for label, unit in zip((block.potential, block.field), found.unit, strict=True):
        by_source = unit[: moments.size].reshape(*moments.shape, *unit.shape[1:])
        summed = np.zeros(label.shape)
        np.add.at(summed, np.nonzero(used)[0], np.einsum("sd,sd...->s...", moments, by_source))
        np.testing.assert_allclose(summed, label, rtol=1e-4, atol=2e-6 * np.abs(label).max())


def test_unit_kernels_add_up_to_the_labels(tiny):
    _assert_units_add_up(DISCS, tiny.split("test_multi"))


@pytest.fixture
def small_calls(monkeypatch):
    """Few sources at a time, so that the last call is not full."""
    monkeypatch.setattr(kernel, "_SOURCES_PER_CALL", 8)


@pytest.mark.slow
@pytest.mark.usefixtures("small_calls")
def test_unit_kernels_of_mixed_bodies_keep_sizes_and_rotations(mixture):
    _assert_units_add_up(mixture.columns, mixture.dataset.split("test"))


@pytest.mark.usefixtures("small_calls")
def test_the_floor_of_mixed_bodies_falls_and_ends_at_zero(mixture):
    split, dim = mixture.dataset.split("test"), mixture.columns.dim
    rows = 20 * dim  # one to four sources in each of eight samples, with a moment along each axis
    floors = [_floor(mixture.columns, split, rank) for rank in (1, 5, 20, rows)]
    for quantity in range(2):
        errors = [pair[quantity] for pair in floors]
        assert all(later < earlier for earlier, later in pairwise(errors))
        assert errors[-1] < 1e-4  # of rounding in float32: the labels lie in the span of the rows
    assert len(source_kernel(mixture.columns, split).sources) == 20


def _split_model(columns: SourceColumns, cutoff: float) -> RangeSplit:
    """Smooths as the table of design figures does; its parameters are not used."""
    inputs = ModelInputs(columns=columns)
    config = RangeSplitConfig(rank=8, waves=8, cutoff=cutoff, smoothness=4)
    return RangeSplit(config, inputs, jr.key(0))


def _medians(comparison) -> np.ndarray:
    true, predicted = comparison.block, comparison.predicted
    pairs = ((predicted.potential, true.potential), (predicted.field, true.field))
    return np.array([np.median(measure(ours, theirs).relative) for ours, theirs in pairs])


@pytest.fixture(scope="module")
def many_discs(tmp_path_factory, make_dataset):
    """256 samples of four discs at enough points for a kernel of a hundred features."""
    return make_dataset(
        tmp_path_factory.mktemp("discs") / "data",
        "grid.num_points=150",
        "samples_per_grid=128",
        "splits.test_multi={num_samples=256, num_sources=4}",
    ).split("test_multi")


@pytest.mark.slow
def test_the_smooth_part_of_discs_needs_far_fewer_features(many_discs):
    """Measured for more points, in per cent: 0.19/1.2 and 0.02/0.19, against 3.2/20 and 1.8/15."""
    kernel = source_kernel(DISCS, many_discs)
    block = kernel.labelled(many_discs)
    targets = _split_model(DISCS, 2.0).near.targets
    as_it_is, smooth = (
        np.array([_medians(rank_basis(kernel, rank, learned).fit(block)) for rank in (32, 64, 128)])
        for learned in (None, targets)
    )
    assert (np.diff(as_it_is, axis=0) < 0).all()
    assert (np.diff(smooth, axis=0) < 0).all()
    assert (smooth[1:] < as_it_is[1:] / 10).all()
    np.testing.assert_array_less(smooth[1], [0.003, 0.02])
    np.testing.assert_array_less(smooth[2], [0.0004, 0.003])
    np.testing.assert_array_less([0.005, 0.05], as_it_is[2])


@pytest.mark.slow
def test_an_exact_part_is_added_to_what_is_learned(many_discs):
    """With all of the features the whole truth is left, whatever a model smooths."""
    kernel = source_kernel(DISCS, many_discs)
    block = kernel.labelled(many_discs)
    found = rank_basis(kernel, 450, _split_model(DISCS, 1.2).near.targets).fit(block)
    np.testing.assert_allclose(found.predicted.potential, found.block.potential, rtol=1e-12)
    np.testing.assert_allclose(found.predicted.field, found.block.field, rtol=1e-12)
    alike = rank_basis(kernel, 10, lambda sources, points, *labels: labels).fit(block)
    as_it_is = rank_basis(kernel, 10).fit(block)
    np.testing.assert_allclose(
        alike.predicted.field, as_it_is.predicted.field, rtol=1e-5, atol=1e-6
    )


def test_a_split_tells_its_features_but_has_no_rank():
    model = _split_model(DISCS, 2.0)
    assert model.rank == 8


@pytest.mark.slow
@pytest.mark.parametrize("mixture", [2], indirect=True, ids=["2D"])
@pytest.mark.usefixtures("small_calls")
def test_smooth_floors_know_mixed_bodies(mixture):
    kernel = source_kernel(mixture.columns, mixture.dataset.split("test"))
    block = kernel.labelled(mixture.dataset.split("test"))
    targets = _split_model(mixture.columns, 1.5).near.targets
    errors = np.array(
        [_medians(rank_basis(kernel, rank, targets).fit(block)) for rank in (5, 20, 60)]
    )
    assert (np.diff(errors, axis=0) < 0).all()
    assert errors[-1].max() < 1e-4
