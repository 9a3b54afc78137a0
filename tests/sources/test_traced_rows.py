"""Rows that are no source: refused where they have values, NaN inside a transformation of JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refused import refused

from hypermagnetics.errors import SourceError
from hypermagnetics.models import (
    HyperLayer,
    HyperLayerConfig,
    Linear,
    LinearConfig,
    Model,
    ModelInputs,
    RangeSplit,
    RangeSplitConfig,
    as_magpylib_source,
)
from hypermagnetics.sources import (
    SourceColumns,
    block_superposition,
    body_size,
    labels,
    magnetisation,
    region_codes,
    signed_distance,
    superposition,
    vertices,
)

_COLUMNS = SourceColumns.of(
    "disc", "rectangle", varying=["radius", "dimension_x", "dimension_y", "angle"]
)
_GOOD = {"moment_x": 1.0, "position_x": 0.3, "radius": 0.5, "body": 1.0}
_BAD: dict[str, dict[str, float]] = {
    "the code of another body": {"body": 3.0},
    "half a code": {"body": 1.5},
    "a negative radius": {"radius": -0.5},
    "no radius": {"radius": 0.0},
    "a moment that is no number": {"moment_x": np.nan},
    "an infinite position": {"position_y": np.inf},
}
_POINTS = jnp.array([[0.1, 0.2], [2.0, 1.0]], jnp.float32)


def table_with(changes: dict[str, float]) -> jax.Array:
    """A good source, padding, and a source with some numbers changed."""
    rows = [_GOOD, {}, _GOOD | changes]
    table = [[row.get(name, 0.0) for name in _COLUMNS.names] for row in rows]
    return jnp.array(table, jnp.float32)


def models() -> dict[str, Model]:
    """One model with a near part, and two without."""
    inputs = ModelInputs(columns=_COLUMNS)
    keys = {"hyperkey": jax.random.key(0), "mainkey": jax.random.key(1)}
    layer = HyperLayerConfig(width=4, depth=1, hwidth=1.0, hdepth=1, moment_as="input")
    return {
        "RangeSplit": RangeSplit(RangeSplitConfig(rank=4, waves=8), inputs, jax.random.key(0)),
        "HyperLayer": HyperLayer(config=layer, inputs=inputs, **keys),
        "Linear": Linear(LinearConfig(width=4, depth=1), inputs=inputs, **keys),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", models())
def test_a_model_refuses_what_is_no_source(name: str) -> None:
    """In every method that takes rows, by the number of the row; padding is none of them."""
    model = models()[name]
    values = jnp.zeros((1, 2)), jnp.zeros((1, 2, 2))
    assert jnp.isfinite(model.potential(table_with({}), _POINTS)).all()
    for changes in _BAD.values():
        table = table_with(changes)
        for call in (
            lambda t=table: model(t, _POINTS),
            lambda t=table: model.potential(t, _POINTS),
            lambda t=table: model.field(t, _POINTS),
            lambda t=table: model.flux_density(t, _POINTS),
            lambda t=table: model.block(t[None], _POINTS),
            lambda t=table: model.learned_block(t[None], _POINTS),
            lambda t=table: model.errors(t[None], _POINTS, *values),
            lambda t=table: as_magpylib_source(model, t),
        ):
            with refused(SourceError, "source 2"):
                call()


def test_so_do_the_functions_of_tables() -> None:
    """All of them that take rows."""
    count, points = np.array([3]), np.asarray(_POINTS)
    for changes in _BAD.values():
        table = np.asarray(table_with(changes))[[0, 0, 2]]
        for call in (
            lambda t=table: superposition(_COLUMNS, t, points),
            lambda t=table: block_superposition(_COLUMNS, t[None], count, points),
            lambda t=table: labels(_COLUMNS, t[None], count, points),
            lambda t=table: magnetisation(_COLUMNS, t, points),
            lambda t=table: region_codes(_COLUMNS, t[None, None], points[None]),
            lambda t=table: signed_distance(_COLUMNS, t, points),
            lambda t=table: body_size(_COLUMNS, t),
        ):
            with refused(SourceError, "source 2"):
                call()
        with refused(SourceError, "source 0"):
            vertices(_COLUMNS, table[2])


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("superposition", "Linear"),
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("RangeSplit", "HyperLayer")),
    ],
)
def test_inside_a_transformation_values_are_nan(name: str) -> None:
    """Of every body that the row may be; tables without such a row have the values they have."""
    functions = {
        "superposition": lambda t: (
            *superposition(_COLUMNS, t, _POINTS, 3),
            magnetisation(_COLUMNS, t, _POINTS),
        )
    } | {
        kind: lambda t, model=model: (
            model(t, _POINTS),
            model.flux_density(t, _POINTS),
            *model.block(t[None], _POINTS),
        )
        for kind, model in models().items()
    }
    function = functions[name]
    compiled = jax.jit(function)
    good = table_with({})[jnp.array([0, 0, 2])]
    for one, other in zip(compiled(good), function(good), strict=True):
        assert jnp.isfinite(other).all()
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    for what, changes in _BAD.items():
        for values in compiled(table_with(changes)):
            assert jnp.isnan(values).all(), what
