"""What is said, or refused, when a model is asked outside of its domain."""

import warnings
from typing import get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest
from exact_model import Exact, inputs_of

from hypermagnetics.models import (
    Linear,
    Model,
    OutOfRangeError,
    OutOfRangeWarning,
    RangeSplit,
    TrainedRange,
)
from hypermagnetics.models.card import usage_card
from hypermagnetics.models.inputs import Outside
from hypermagnetics.models.linear import LinearConfig
from hypermagnetics.models.split import RangeSplitConfig
from hypermagnetics.sources import SourceColumns

_COLUMNS = SourceColumns.of("sphere", varying=["radius"])
_TRAINED = TrainedRange(
    sources=(*((-9.0, 9.0),) * 3, (-1.0, 1.0), (-2.0, 2.0), (-1.0, 1.0), (0.5, 1.5)),
    points=((-3.0, 3.0),) * 3,
)
_SOURCE = jnp.array([[0.0, 0.0, 1.0, 0.3, 1.9, -0.4, 0.7]])
_POINTS = jnp.array([[2.9, 0.0, -2.0]])
_POSITION, _SIZE = (_SOURCE.at[0, 3:5].set(5.0), _SOURCE.at[0, 6].set(2.0))


def sphere_model(outside: Outside = "warn") -> Model:
    """A model that counts every length."""
    inputs = inputs_of(_COLUMNS).model_copy(update={"trained": _TRAINED, "outside": outside})
    keys = dict(zip(("hyperkey", "mainkey"), jax.random.split(jax.random.key(0)), strict=True))
    return Linear(LinearConfig(width=4, depth=1), inputs=inputs, **keys)


def split_model(cutoff: float | None = None) -> Model:
    """A model that counts positions, and outer radii."""
    inputs = inputs_of(_COLUMNS).model_copy(update={"trained": _TRAINED, "outside": "warn"})
    config = RangeSplitConfig(rank=4, waves=8, cutoff=cutoff)
    return RangeSplit(config, inputs, jax.random.key(0))


def heard(model: Model, sources: jax.Array, points: jax.Array) -> list[str]:
    """The messages of two evaluations, each shown as Python does by default."""
    with warnings.catch_warnings():
        # What compiles touches the filters, after which Python shows all warnings once more.
        warnings.simplefilter("ignore")
        model.potential(sources, points)
        model.field(sources, points)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        model.potential(sources, points)
        model.field(sources, points)
    assert all(issubclass(warning.category, OutOfRangeWarning) for warning in caught)
    return [str(warning.message) for warning in caught]


def test_within_the_range_nothing_is_said() -> None:
    """Up to a hair beyond its ends."""
    assert heard(sphere_model(), _SOURCE, _POINTS) == []
    assert heard(sphere_model(), _SOURCE.at[0, 3].set(1.0005), _POINTS.at[0, 0].set(3.003)) == []


@pytest.mark.parametrize(
    ("sources", "points", "said"),
    [
        (_POSITION, _POINTS, "positions of sources .* position_x -1 to 1 m, position_y -2 to 2 m"),
        (_SIZE, _POINTS, "sizes of sources .* radius 0.5 to 1.5 m"),
        (_SOURCE, _POINTS + 1, "coordinates of points .* x -3 to 3 m"),
        (_SOURCE, -_POINTS - 1, "coordinates of points"),
    ],
)
def test_each_kind_of_value_is_said_once(sources: jax.Array, points: jax.Array, said: str) -> None:
    """With the whole range, however many values and evaluations there are."""
    with pytest.warns(OutOfRangeWarning, match=said):
        sphere_model().potential(sources, points)
    assert len(heard(sphere_model(), jnp.tile(sources, (3, 1)), jnp.tile(points, (2, 1)))) == 1


def test_three_kinds_are_three_warnings() -> None:
    assert len(heard(sphere_model(), _POSITION.at[0, 6].set(2.0), _POINTS + 1)) == 3


def test_moments_and_padding_have_no_range() -> None:
    """The potential is linear in the moments; rows of zeros are no sources."""
    padded = jnp.concatenate([_SOURCE.at[0, :3].multiply(1e6), jnp.zeros((2, 7))])
    assert heard(sphere_model(), padded, _POINTS) == []


@pytest.mark.slow
def test_under_jit_nothing_is_said() -> None:
    """Values are not known there."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        eqx.filter_jit(sphere_model().potential)(_POSITION, _POINTS + 1)
        eqx.filter_jit(sphere_model().field)(_SIZE, _POINTS)
        jax.vmap(sphere_model().field)(_POSITION[None], _POINTS[None] + 1)
    assert caught == []


def test_in_a_block_nothing_is_said() -> None:
    """The way of trainings and evaluations, whose samples come from a dataset."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        eqx.filter_jit(sphere_model().block)(_POSITION[None], _POINTS + 1)
    assert caught == []


def test_unknown_ranges_are_not_judged() -> None:
    """Those of models made by hand."""
    assert heard(Exact(_COLUMNS), _POSITION, _POINTS + 1) == []


@pytest.mark.parametrize(("cutoff", "largest"), [(1.9, 1.9), (1.0, 1.5)])
def test_a_split_knows_balls_up_to_those_of_its_training_or_its_cutoff(
    cutoff: float, largest: float
) -> None:
    """The larger of both: within larger balls the field is weaker, and the error the same."""
    model = split_model(cutoff)
    assert model.limited_columns == ("position_x", "position_y", "position_z")
    assert sphere_model().limited_columns == (*model.limited_columns, "radius")
    assert heard(model, _SOURCE.at[0, 6].set(0.99 * largest), _POINTS) == []
    (said,) = heard(model, _SOURCE.at[0, 6].set(1.01 * largest), _POINTS)
    assert said.startswith("The outer radii of sources must lie in the domain of the model, sphere")
    assert f"sphere 0 to {largest} m" in said
    assert len(heard(model, _POSITION, _POINTS + 1)) == 2


@pytest.mark.parametrize(
    ("sources", "points", "said"),
    [
        (_POSITION, _POINTS, "positions of sources must lie in the domain"),
        (_SIZE, _POINTS, "sizes of sources"),
        (_SOURCE, _POINTS + 1, "coordinates of points .*with_outside"),
    ],
)
def test_a_model_can_refuse_it(sources: jax.Array, points: jax.Array, said: str) -> None:
    """With an error where values are known, and no number where they are not."""
    model = sphere_model("raise")
    assert bool(jnp.isfinite(model.potential(_SOURCE, _POINTS)).all())
    for ask in (model.potential, model.field, model.flux_density):
        with pytest.raises(OutOfRangeError, match=said):
            ask(sources, points)
    both = jnp.concatenate([_POINTS, points])
    field = eqx.filter_jit(model.field)(sources, both)
    assert jnp.isnan(field).any(axis=1).tolist() == [sources is not _SOURCE, True]
    potential, _ = eqx.filter_jit(model.block)(jnp.stack([_SOURCE, sources]), both)
    assert jnp.isnan(potential).tolist() == [
        [False, points is not _POINTS],
        [sources is not _SOURCE, True],
    ]


def test_a_card_says_what_happens_elsewhere() -> None:
    """In one sentence for each treatment."""
    said = {outside: usage_card(sphere_model(outside)) for outside in get_args(Outside)}
    assert "- sizes of sources: radius 0.5 to 1.5 m" in said["exact"]
    assert "are computed exactly" in said["exact"]
    assert len({text.rpartition("m\n")[2] for text in said.values()}) == len(said)
