"""Weights of regions."""

import jax.numpy as jnp
import numpy as np
import pytest
from objectives import losses_of, objective_of, perfected, random_batch

from hypermagnetics.train.losses import RegionWeights

WEIGHTS = {"inside": 0.5, "near": 3.0, "beyond": 0.25}


def test_each_region_has_its_weight() -> None:
    """By the codes that `REGIONS` gives them."""
    codes = jnp.array([[[0, 2, 1, 1]]], jnp.uint8)
    np.testing.assert_array_equal(RegionWeights(**WEIGHTS)(codes), [[[0.5, 0.25, 3.0, 3.0]]])


def region(source_table: np.ndarray, point: np.ndarray) -> str:
    """Where a point lies among discs of radius 1, by their definition."""
    discs = [row for row in source_table if row[:2].any()]
    gap = min(np.hypot(*(point - row[2:])) for row in discs) - 1
    return "inside" if gap <= 0 else "near" if gap <= 0.5 else "beyond"


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["mse", "sample-relative"])
def test_against_a_loop_over_points(loss: str) -> None:
    """Every point of every sample by itself."""
    term = {"of": "potential", "loss": loss, "regions": WEIGHTS}
    if loss == "sample-relative":
        term["loss"] = {"kind": loss, "floor": 0.2}
    batch = perfected(random_batch(), error=0.3)  # so that each error is -0.3
    expected, met = [], set()
    for b, tables in enumerate(np.asarray(batch.sources, np.float64)):
        for s, table in enumerate(tables):
            error = truth = 0.0
            for p, point in enumerate(np.asarray(batch.grid[b], np.float64)):
                name = region(table, point)
                met.add(name)
                error += WEIGHTS[name] * (0.3 / 0.7) ** 2 / 25
                truth += WEIGHTS[name] * (float(batch.potential[b, s, p]) / 0.7) ** 2 / 25
            expected.append(error if loss == "mse" else error / (truth + 0.2**2))
    assert met == set(WEIGHTS)
    found = losses_of(objective_of({"t": term}), batch).terms["t"]
    assert float(found) == pytest.approx(np.mean(expected), rel=1e-5)


@pytest.mark.slow
def test_equal_weights_scale_the_loss() -> None:
    """So a weight left at 1 changes nothing."""
    batch = random_batch()
    twice = {"of": "field", "regions": {"inside": 2.0, "near": 2.0, "beyond": 2.0}}
    terms = {"none": {"of": "field"}, "ones": {"of": "field", "regions": {}}, "twos": twice}
    losses = {k: float(v) for k, v in losses_of(objective_of(terms), batch).terms.items()}
    assert losses["ones"] == pytest.approx(losses["none"], rel=1e-6)
    assert losses["twos"] == pytest.approx(2 * losses["none"], rel=1e-6)
