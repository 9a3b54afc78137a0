"""Errors of derivatives by the sources, on splits whose truth is known."""

from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mixtures import DISCS, Oracle
from tiny_datasets import small_dataset

from hypermagnetics.data import Dataset
from hypermagnetics.errors import SourceError
from hypermagnetics.evaluate.measuring import slopes as measuring
from hypermagnetics.evaluate.measuring.slopes import directions_of, measure_slopes
from hypermagnetics.evaluate.subjects.jax_model import JaxModel
from hypermagnetics.evaluate.subjects.subject import Subject, on_any_split
from hypermagnetics.metrics import scores
from hypermagnetics.sources import SourceColumns


@pytest.mark.slow
def test_a_factor_is_the_error_of_all_points(
    tiny: Dataset, oracle: Callable[..., Oracle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the exact derivatives none is left; in pieces of a few samples too."""
    monkeypatch.setattr(measuring, "_NUMBERS_AT_ONCE", 24 * 16 * 3)
    split = tiny.split("test_multi")
    along = directions_of(DISCS, split, ["all"])
    assert along.parameters == DISCS.names
    subjects = [JaxModel(oracle(factor=factor)).slopes for factor in (1.0, 1.1)]
    exact, more = measure_slopes(subjects, split, along, tmp_path)
    assert exact.relative.shape == (20, 24)
    assert exact.relative.max() < 1e-5
    np.testing.assert_allclose(more.relative, 0.1, rtol=1e-4)
    assert scores(more).global_relative_l2 == pytest.approx(0.1, rel=1e-4)


@pytest.mark.slow
def test_truth_and_error_are_vectors_of_all_sources(
    tiny: Dataset, oracle: Callable[..., Oracle], tmp_path: Path
) -> None:
    """The norm of the exact Jacobian, by reverse differentiation of one sample."""
    split = tiny.split("test_multi")
    along = directions_of(DISCS, split, ["position"])
    (found,) = measure_slopes([JaxModel(oracle(factor=0.0)).slopes], split, along, tmp_path)
    block = split.block(0)
    table, points = jnp.asarray(block.sources[:1], jnp.float64), jnp.asarray(block.grid)
    jacobian = jax.jacrev(lambda tables: oracle().block(tables, points)[0])(table)
    by_position = along.length * np.asarray(jacobian)[0, :, 0, :, 2:]
    assert found.squared_truth[0] == pytest.approx(np.sum(by_position**2), rel=1e-5)
    np.testing.assert_allclose(found.relative, 1.0)


@pytest.mark.slow
def test_a_model_of_more_columns_has_the_same_derivatives(
    tiny: Dataset, oracle: Callable[..., Oracle], tmp_path: Path
) -> None:
    """What all sources of the dataset share, and the code of the body, stay."""
    mixed = SourceColumns.of("dipole", "disc", varying=["radius"])
    model = JaxModel(oracle(columns=mixed))
    subject = Subject(
        *("mixed", "model", "m", on_any_split(model), model), table=mixed, slopes=model.slopes
    ).reading(tiny.columns)
    assert subject.slopes is not None
    split = tiny.split("test_single")
    along = directions_of(DISCS, split, ["moment", "position_x"])
    (found,) = measure_slopes([subject.slopes], split, along, tmp_path)
    assert found.relative.max() < 1e-5


def test_all_stands_alone_and_something_varies(tiny: Dataset, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"'all' must stand alone.*got 'nonsense' beside"):
        directions_of(DISCS, tiny.split("test_multi"), ["all", "nonsense"])
    one = small_dataset(tmp_path / "one", "splits.train.num_samples=1").split("train")
    with pytest.raises(SourceError, match="by a column that varies; got samples in which none"):
        directions_of(DISCS, one, ["all"])


def test_columns_that_do_not_vary_are_refused(tiny: Dataset) -> None:
    """With the split that was looked at."""
    with pytest.raises(SourceError, match=r"where radius = 1 .*--by-sources, split 'valid' of "):
        directions_of(DISCS, tiny.split("valid"), ["size"])
