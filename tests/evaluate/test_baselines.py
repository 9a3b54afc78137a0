"""The rank floor of additive models."""

from itertools import pairwise
from unittest.mock import patch

import numpy as np
import pytest

from hypermagnetics.evaluate import baselines
from hypermagnetics.evaluate.baselines import rank_floor
from hypermagnetics.sources import body_kernel

KERNEL = body_kernel("disc", 1.0)


def test_the_floor_falls_with_the_rank_and_ends_at_zero(tiny):
    split = tiny.split("test-multi")
    columns = split.layout.num_points * 3
    floors = [rank_floor(KERNEL, split, rank) for rank in (1, 4, 12, 30, columns, columns + 5)]
    for quantity in range(2):
        errors = [pair[quantity].median_relative_error for pair in floors]
        assert all(later < earlier for earlier, later in pairwise(errors[:4]))
        assert max(errors[4:]) < 1e-12


def test_the_floor_says_what_it_was_fitted_to(tiny):
    potential, field = rank_floor(KERNEL, tiny.split("test-multi"), 3)
    assert (potential.rank, potential.num_points, potential.num_positions) == (3, 24, 80)
    assert (field.num_points, field.num_positions) == (24, 80)


def test_points_and_positions_are_limited(tiny):
    with patch.multiple(baselines, _MAX_POINTS=10, _MAX_POSITIONS=33):
        potential, _ = rank_floor(KERNEL, tiny.split("test-multi"), 3)
    assert (potential.num_points, potential.num_positions) == (10, 33)


@pytest.mark.parametrize("rank", [1, 5, 20])
def test_no_other_subspace_leaves_less_of_the_kernel(rank):
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(50, 4)) @ rng.normal(size=(4, 30)) + 0.1 * rng.normal(size=(50, 30))
    basis = baselines._leading_right_vectors(matrix, rank)
    np.testing.assert_allclose(basis.T @ basis, np.eye(rank), atol=1e-12)
    left = np.linalg.norm(matrix - matrix @ basis @ basis.T)
    singular = np.linalg.svd(matrix, compute_uv=False)
    assert left == pytest.approx(np.linalg.norm(singular[rank:]))


def test_unit_kernels_add_up_to_the_labels(tiny):
    block = tiny.split("test-multi").block(0)
    positions = block.sources[..., 2:].reshape(-1, 2)
    potential, field = baselines._unit_kernels(KERNEL, positions, block.grid)
    moments = block.sources[..., :2].astype(np.float64).reshape(len(block.sources), -1)
    rows = potential.reshape(len(block.sources), -1, len(block.grid))
    summed = np.einsum("sm,smp->sp", moments, rows)
    np.testing.assert_allclose(summed, block.potential, rtol=1e-4, atol=1e-6)
    rows = field.reshape(len(block.sources), -1, *block.field.shape[1:])
    np.testing.assert_allclose(
        np.einsum("sm,smpd->spd", moments, rows), block.field, rtol=1e-4, atol=1e-5
    )
