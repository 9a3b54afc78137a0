"""The exact sum as a subject."""

import numpy as np
import pytest

from hypermagnetics.evaluate.baselines import exact_sum
from hypermagnetics.sources import SourceColumns
from hypermagnetics.sources.superposition import block_sum

DISCS = SourceColumns.of("disc", constants={"radius": 1.0})


@pytest.mark.slow
def test_it_reproduces_labels_to_rounding(mixture):
    split = mixture.dataset.split("test")
    block = split.block(0)
    predictor = exact_sum(mixture.columns).on_split(split, split.layout.samples_per_grid)
    found = predictor(block, 0)
    for ours, label in zip(found, (block.potential, block.field), strict=True):
        assert ours.dtype == np.float32
        assert np.linalg.norm(ours - label) < 1e-6 * np.linalg.norm(label)


def test_blocks_of_any_size_compile_once(tiny):
    split = tiny.split("test_multi")
    predictor = exact_sum(DISCS).on_split(split, 8)
    before = block_sum._cache_size()
    found = [predictor(block, 0) for block in split.blocks()]
    assert [len(values.potential) for values in found] == [8, 8, 4]
    assert block_sum._cache_size() - before <= 1


@pytest.mark.slow
def test_rows_of_no_moment_count_for_nothing_wherever_they_are(mixture):
    block = mixture.dataset.split("test").block(0)
    model = exact_sum(mixture.columns).model
    some = block.sources[1:2]
    assert block.num_sources[1] == 2
    whole = model.predict(some, block.grid, 1)
    with_holes = some[:, [2, 0, 3, 1]]
    holed = model.predict(with_holes, block.grid, 1)
    np.testing.assert_array_equal(holed.potential, whole.potential)
    nothing = model.predict(np.zeros_like(some), block.grid, 1)
    assert not nothing.potential.any()
    assert not nothing.field.any()


@pytest.mark.parametrize("num_samples", [3, 7])
def test_filling_up_changes_nothing(tiny, num_samples):
    block = tiny.split("test_multi").block(0)
    model = exact_sum(DISCS).model
    found = model.predict(block.sources[:3], block.grid, num_samples)
    assert found.potential.shape == (3, 24)
    np.testing.assert_allclose(found.potential, block.potential[:3], rtol=1e-4, atol=1e-6)


def test_it_stands_in_tables_as_a_baseline():
    subject = exact_sum(DISCS)
    assert (subject.name, subject.kind, subject.rank) == ("exact sum", "baseline", None)
