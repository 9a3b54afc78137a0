"""Models read soft bodies: those without remanence too, in units of all that magnetises them."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from pydantic import ValidationError
from refused import refused

from hypermagnetics.errors import RecipeError
from hypermagnetics.models import HyperLayer, HyperMLP, Linear, ModelInputs, Scales
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.models.inputs import read_rows
from hypermagnetics.models.linear import LinearConfig
from hypermagnetics.models.split import GridSplit, GridSplitConfig
from hypermagnetics.sources import SourceColumns

APPLIED = ("applied_x", "applied_y")
COLUMNS = SourceColumns.of("disc", varying=["radius", "susceptibility", *APPLIED])
SCALES = Scales(length=2.0, moment=3.0, potential=0.7)
TABLE = jnp.asarray(
    [
        [1.0, -2, 0.5, 0.5, 0.4, 0, 0.3, 0.1],
        [0, 0, -1, 0.5, 0.3, 100, 0.3, 0.1],
        [0.5, 0, 1, -1, 0.3, 10, 0.3, 0.1],
        [0] * 8,
    ]
)
POINTS = jnp.asarray([[2.0, 0], [0, 2.5], [-2, -2]])
_KEYS = dict(zip(("hyperkey", "mainkey"), jr.split(jr.key(0)), strict=True))


def model(**changes) -> HyperMLP:
    """A small network with the inputs of soft discs."""
    inputs = ModelInputs(columns=COLUMNS, scales=SCALES, **changes)
    return HyperMLP(4, 1, 0.5, 1, inputs=inputs, **_KEYS)


def test_susceptibility_is_read_as_it_acts_and_the_applied_field_in_its_own_unit() -> None:
    """The magnetisation of a disc in a uniform field, over that of infinite susceptibility."""
    inputs = ModelInputs(columns=COLUMNS, scales=SCALES)
    read = read_rows(inputs, TABLE).shape
    assert read.shape == (4, inputs.shape_size)
    np.testing.assert_allclose(read[:, 0], TABLE[:, 4] / 2)
    np.testing.assert_allclose(read[:, 1], [0, 100 / 102, 10 / 12, 0])
    np.testing.assert_allclose(read[:, 2:], TABLE[:, 6:] * 2**2 / 3)


@pytest.mark.slow_cases
@pytest.mark.parametrize("moment", ["dataset", "sample"])
def test_a_soft_body_without_remanence_counts_and_padding_does_not(moment) -> None:
    """As a row of zero moment it would be left out."""
    network = model(moment=moment)
    found = network.potential(TABLE, POINTS)
    np.testing.assert_allclose(network.potential(TABLE[:3], POINTS), found, rtol=1e-12)
    without = jnp.stack([TABLE[0], TABLE[2]])
    assert jnp.abs(network.potential(without, POINTS) - found).min() > 1e-3 * jnp.abs(found).max()
    other = TABLE.at[1, 5].set(30.0)
    assert jnp.abs(network.potential(other, POINTS) - found).min() > 1e-6 * jnp.abs(found).max()


@pytest.mark.slow
@pytest.mark.parametrize("columns", [slice(0, 2), slice(6, 8)], ids=["no moment", "no field"])
def test_a_model_in_the_unit_of_a_sample_is_homogeneous_in_all_that_magnetises(columns) -> None:
    """Moments and applied field together, also where there is one of them alone."""
    network, causes = model(moment="sample"), [0, 1, 6, 7]
    table = TABLE.at[:, columns].set(0)
    once = network.potential(table, POINTS)
    assert jnp.abs(once).min() > 0
    twice = network.potential(table.at[:, jnp.array(causes)].multiply(2.5), POINTS)
    np.testing.assert_allclose(twice, 2.5 * once, rtol=1e-10)
    slope = jax.grad(lambda rows: network.potential(rows, POINTS).sum())(table)
    assert jnp.isfinite(slope).all()


def test_a_sum_over_sources_is_refused() -> None:
    """Before anything is fitted, by whatever way the model is made."""
    inputs = ModelInputs(columns=COLUMNS, scales=SCALES)
    sentence = "must be no sum over sources, as they answer to each other; got"
    for moment_as in ("factor", "input"):
        config = HyperLayerConfig(width=8, depth=1, hwidth=0.5, hdepth=1, moment_as=moment_as)
        with refused(RecipeError, sentence, "hyper_mlp"):
            HyperLayer(config=config, inputs=inputs, **_KEYS)
    with refused(RecipeError, sentence):
        Linear(LinearConfig(width=8, depth=1), inputs=inputs, **_KEYS)
    with refused(RecipeError, sentence):
        GridSplit(GridSplitConfig(domain=3.0), inputs)


def test_pairs_outside_have_no_exact_values() -> None:
    """There is no field of one soft body alone."""
    assert ModelInputs(columns=COLUMNS).outside == "warn"
    assert ModelInputs(columns=COLUMNS.hard).outside == "exact"
    with pytest.raises(ValidationError, match="of which no pair is exact"):
        ModelInputs(columns=COLUMNS, outside="exact")
    with refused(RecipeError, "'exact' (outside)"):
        model().with_outside("exact")
    assert model().with_outside("raise").inputs.outside == "raise"


def test_a_shared_applied_field_has_no_unit_of_a_sample() -> None:
    """It is no column, which could be divided by it."""
    shared = SourceColumns.of(
        "disc", varying=["radius", "susceptibility"], constants={"applied_x": 2.0}
    )
    with pytest.raises(ValidationError, match="share one applied field"):
        ModelInputs(columns=shared, moment="sample")
    assert ModelInputs(columns=shared).moment == "dataset"
