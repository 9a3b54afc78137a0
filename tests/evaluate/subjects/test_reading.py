"""A model of more bodies and columns than a dataset gets its source tables in its own columns."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from mixtures import DISCS, Oracle

from hypermagnetics.data import Dataset
from hypermagnetics.evaluate.measuring.measurement import measure_split
from hypermagnetics.evaluate.physics import measure_physics
from hypermagnetics.evaluate.subjects.jax_model import JaxModel
from hypermagnetics.evaluate.subjects.subject import Subject, TableSize, on_any_split
from hypermagnetics.sources import SourceColumns

MIXED = SourceColumns.of("dipole", "disc", varying=["radius"])


def _targets(sources, points, potential, field):
    """The radii and codes, so that a test can look at them."""
    return sources[..., MIXED.index("radius")], sources[..., MIXED.index("body")]


def _pairs_of_radius_1(sources, points, num_samples):
    """All of each source of that radius, and none of others."""
    return int((sources[..., MIXED.index("radius")] == 1).sum()) * len(points)


@pytest.fixture
def mixed(oracle: Callable[..., Oracle]) -> Subject:
    """The closed form of dipoles and discs, whose radius is a column."""
    model = JaxModel(oracle(columns=MIXED))
    split = on_any_split(model)
    return Subject(
        *("mixed", "model", "m", split, model),
        table=MIXED,
        targets=_targets,
        exact_pairs=_pairs_of_radius_1,
        learned=model,
    )


@pytest.mark.slow
def test_predictions_on_a_dataset_of_one_body_are_right(tiny: Dataset, mixed: Subject) -> None:
    split = tiny.split("test_multi")
    subject = mixed.reading(tiny.columns)
    assert subject.model is not None
    predict = subject.on_split(split, split.layout.samples_per_grid)
    for block in split.blocks():
        for values in (
            predict(block, 0),
            subject.model.predict(block.sources, block.grid, split.layout.samples_per_grid),
        ):
            np.testing.assert_allclose(values.potential, block.potential, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(values.field, block.field, rtol=1e-4, atol=1e-5)
    found = {one.law: one for one in measure_physics(subject.model, tiny.columns, split)}
    assert found["superposition"].median < 1e-5
    (measurement,) = measure_split(
        (subject,), split, tiny.columns, unit=1.0, directory=tiny.directory
    )
    assert measurement.exact_pairs == 1
    part = subject.learned_part
    assert part is not None
    assert part.model is not None
    values = part.model.predict(block.sources, block.grid, split.layout.samples_per_grid)
    np.testing.assert_allclose(values.potential, block.potential, rtol=1e-4, atol=1e-5)


def test_targets_are_of_the_tables_of_the_model(tiny: Dataset, mixed: Subject) -> None:
    targets = mixed.reading(tiny.columns).targets
    assert targets is not None
    block = tiny.split("test_single").block(0)
    radii, codes = targets(block.sources, block.grid, block.potential, block.field)
    np.testing.assert_array_equal(radii, np.ones((8, 1)))
    np.testing.assert_array_equal(codes, np.ones((8, 1)))


def test_what_knows_no_columns_reads_tables_as_they_are(tiny: Dataset, mixed: Subject) -> None:
    """As exports and functions; a model of the columns of the dataset, too."""
    for table in (None, TableSize(2, 4), DISCS):
        subject = replace(mixed, table=table)
        assert subject.reading(tiny.columns) is subject
