"""The rank floor of additive models."""

from itertools import pairwise
from unittest.mock import patch

import numpy as np
import pytest

from hypermagnetics.evaluate import baselines
from hypermagnetics.evaluate.baselines import rank_floor
from hypermagnetics.sources import SourceColumns

DISCS = SourceColumns.of("disc", constants={"radius": 1.0})


def test_the_floor_falls_with_the_rank_and_ends_at_zero(tiny):
    split = tiny.split("test-multi")
    columns = split.layout.num_points * 3
    floors = [rank_floor(DISCS, split, rank) for rank in (1, 4, 12, 30, columns, columns + 5)]
    for quantity in range(2):
        errors = [pair[quantity].median_relative_error for pair in floors]
        assert all(later < earlier for earlier, later in pairwise(errors[:4]))
        assert max(errors[4:]) < 1e-12


def test_the_floor_says_what_it_was_fitted_to(tiny):
    potential, field = rank_floor(DISCS, tiny.split("test-multi"), 3)
    assert (potential.rank, potential.num_points, potential.num_sources) == (3, 24, 80)
    assert (field.num_points, field.num_sources) == (24, 80)


def test_points_and_sources_are_limited(tiny):
    with patch.multiple(baselines, _MAX_POINTS=10, _MAX_SOURCES=33):
        potential, _ = rank_floor(DISCS, tiny.split("test-multi"), 3)
    assert (potential.num_points, potential.num_sources) == (10, 33)


@pytest.mark.parametrize("rank", [1, 5, 20])
def test_no_other_subspace_leaves_less_of_the_kernel(rank):
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(50, 4)) @ rng.normal(size=(4, 30)) + 0.1 * rng.normal(size=(50, 30))
    basis = baselines._leading_right_vectors(matrix, rank)
    np.testing.assert_allclose(basis.T @ basis, np.eye(rank), atol=1e-12)
    left = np.linalg.norm(matrix - matrix @ basis @ basis.T)
    singular = np.linalg.svd(matrix, compute_uv=False)
    assert left == pytest.approx(np.linalg.norm(singular[rank:]))


def _assert_units_add_up(columns, block):
    """Moments times the kernels of their rows are the labels, sample by sample."""
    used = np.arange(block.sources.shape[1]) < block.num_sources[:, None]
    sources = block.sources[used]
    moments = sources[:, : columns.dim].astype(np.float64)
    kernels = baselines._unit_kernels(columns, sources, block.grid)
    for label, kernel in zip((block.potential, block.field), kernels, strict=True):
        by_source = kernel.reshape(*moments.shape, *kernel.shape[1:])
        summed = np.zeros(label.shape)
        np.add.at(summed, np.nonzero(used)[0], np.einsum("sd,sd...->s...", moments, by_source))
        np.testing.assert_allclose(summed, label, rtol=1e-4, atol=2e-6 * np.abs(label).max())


def test_unit_kernels_add_up_to_the_labels(tiny):
    _assert_units_add_up(DISCS, tiny.split("test-multi").block(0))


@pytest.fixture
def small_calls(monkeypatch):
    """Few sources at a time, so that the last call is not full."""
    monkeypatch.setattr(baselines, "_SOURCES_PER_CALL", 8)


@pytest.mark.usefixtures("small_calls")
def test_unit_kernels_of_mixed_bodies_keep_sizes_and_rotations(mixture):
    _assert_units_add_up(mixture.columns, mixture.dataset.split("test").block(0))


@pytest.mark.usefixtures("small_calls")
def test_the_floor_of_mixed_bodies_falls_and_ends_at_zero(mixture):
    split, dim = mixture.dataset.split("test"), mixture.columns.dim
    rows = 20 * dim  # one to four sources in each of eight samples, with a moment along each axis
    floors = [rank_floor(mixture.columns, split, rank) for rank in (1, 5, 20, rows)]
    for quantity in range(2):
        errors = [pair[quantity].median_relative_error for pair in floors]
        assert all(later < earlier for earlier, later in pairwise(errors))
        assert errors[-1] < 1e-4  # of rounding in float32: the labels lie in the span of the rows
    assert floors[0][0].num_sources == 20
