"""Statistics of one component do not depend on the size of the others."""

import numpy as np
import pytest

from hypermagnetics.data import Block
from hypermagnetics.data.statistics import Gatherer, statistics_of
from hypermagnetics.train.scales import rms_scales

SAMPLES, POINTS = 256, 8


def block_of(moments: float, lengths: float) -> Block:
    """A block of one source each, in which labels have the size of the moments."""
    random = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return random.normal(1.0, 1.0, size=shape)

    columns = moments * normal(SAMPLES, 1, 2), lengths * normal(SAMPLES, 1, 2)
    field = normal(SAMPLES, POINTS, 2) * (moments, lengths)
    return Block(
        sources=np.concatenate(columns, axis=-1).astype(np.float32),
        num_sources=np.ones(SAMPLES, np.int32),
        grid=(lengths * normal(POINTS, 2)).astype(np.float32),
        potential=(moments * normal(SAMPLES, POINTS)).astype(np.float32),
        field=field.astype(np.float32),
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("moments", [1e-36, 1e-24, 1e-23, 1e-15, 1.0, 1e15, 1e36])
@pytest.mark.parametrize("lengths", [1e-30, 1e-9, 1.0, 0.0])
def test_each_column_has_its_own_statistics(moments: float, lengths: float, dtype: type) -> None:
    """And the trainer's scales are made of them."""
    block = block_of(moments, lengths)
    given = [getattr(block, name) for name in ("grid", "potential", "field")]
    grid, potential, field = (values.astype(dtype) for values in given)
    gatherer = Gatherer()
    assert gatherer.add(
        Block(block.sources.astype(dtype), block.num_sources, grid, potential, field)
    )
    found = {name: statistics_of([sums]) for name, sums in gatherer.sums().items()}
    for name, statistics in found.items():
        if name not in ("sources", "potential", "field"):
            continue
        components = len(statistics.mean)
        values = getattr(block, name).astype(np.float64).reshape(-1, components)
        np.testing.assert_allclose(statistics.mean, values.mean(0), rtol=1e-5)
        np.testing.assert_allclose(statistics.std, values.std(0), rtol=1e-5)
        median = np.median(np.abs(values), axis=0)
        np.testing.assert_allclose(statistics.median_abs, median, rtol=1 / 16)
    if lengths:
        rms = np.sqrt((block.sources[..., :2].astype(np.float64) ** 2).mean())
        np.testing.assert_allclose(rms_scales(found).moment, rms, rtol=1e-5)
