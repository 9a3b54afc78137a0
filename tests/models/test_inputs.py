"""What models read of a source table: no unit, no difference between equal bodies, no padding."""

import json
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from drawn_waves import drawn_waves
from mending import edit_header
from refused import refused

from hypermagnetics.errors import ModelFileError
from hypermagnetics.models import (
    FourierSeries,
    HyperLayer,
    HyperMLP,
    Linear,
    Model,
    ModelInputs,
    Scales,
    load,
    save_model,
)
from hypermagnetics.models.fourier import FourierSeriesConfig
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.models.inputs import read_rows
from hypermagnetics.models.linear import LinearConfig
from hypermagnetics.sources import Cuboid, Dipole, Disc, Rectangle, SourceColumns, Sphere
from hypermagnetics.sources import source_table as table_of
from hypermagnetics.sources.kinds.box import axes_of_quaternion

_KEYS = dict(zip(("hyperkey", "mainkey"), jr.split(jr.key(0)), strict=True))
_MOMENT = [0.5, -1.0, 0.3]
_TURNED = np.array([0.5, -0.1, 0.7, 0.5]) / np.linalg.norm([0.5, -0.1, 0.7, 0.5])

_PLANE, _IN_PLANE = table_of(
    [
        Rectangle(_MOMENT[:2], [0.5, 1.0], [0.5, 2.0], 0.4),
        Disc(_MOMENT[:2], [-0.5, 1.0], 0.7),
        Dipole(_MOMENT[:2], [0.0, -1.0]),
    ]
)
_SPACE, _IN_SPACE = table_of(
    [
        Cuboid(_MOMENT, [0.5, 1.0, 0.0], [0.5, 2.0, 1.0], _TURNED),
        Sphere(_MOMENT, [-0.5, 1.0, 0.2], 0.7),
    ]
)
_TABLES = {"2D": (_PLANE, _IN_PLANE), "3D": (_SPACE, _IN_SPACE)}


def inputs_of(columns: SourceColumns, scales: Scales | None = None) -> ModelInputs:
    """What hm-train makes of a manifest."""
    return ModelInputs(
        columns=columns,
        scales=scales or Scales(),
    )


def small_models(inputs: ModelInputs) -> dict[str, Model]:
    """One of each kind."""
    factor = HyperLayerConfig(width=8, depth=1, hwidth=0.5, hdepth=1, source_frequencies=3)
    read = HyperLayerConfig(width=8, depth=1, hwidth=0.5, hdepth=1, moment_as="input")
    series = FourierSeriesConfig(order=2, hwidth=0.25, hdepth=1)
    hyperkey = _KEYS["hyperkey"]
    return {
        "fourier": FourierSeries(series, inputs=inputs, hyperkey=hyperkey),
        "linear": Linear(LinearConfig(width=8, depth=1), inputs=inputs, **_KEYS),
        "hyper_mlp": HyperMLP(4, 1, 0.5, 1, inputs=inputs, **_KEYS),
        "hyper_layer factor": HyperLayer(config=factor, inputs=inputs, **_KEYS),
        "hyper_layer input": HyperLayer(config=read, inputs=inputs, **_KEYS),
        "wave_layer": drawn_waves(inputs, hyperkey),
    }


def lengths_times(columns: SourceColumns, table: jax.Array, factor: float) -> jax.Array:
    """The same sources in another unit of length, moments as they are."""
    units = np.where(np.array(columns.units) == "m", factor, 1.0)
    return table * jnp.asarray(units)[None]


def changed(columns: SourceColumns, table: jax.Array, row: int, **values: object) -> jax.Array:
    """A row with other values in some columns."""
    for name, value in values.items():
        table = table.at[row, columns.index(name)].set(value)  # type: ignore[arg-type]
    return table


@pytest.mark.parametrize("name", _TABLES)
def test_a_unit_of_length_changes_lengths_alone(name: str) -> None:
    """With the scale to match, the network reads the same numbers."""
    columns, table = _TABLES[name]
    metres = read_rows(inputs_of(columns), table)
    larger = inputs_of(columns, Scales(length=1000.0))
    millimetres = read_rows(larger, lengths_times(columns, table, 1000.0))
    for one, other in zip(metres, millimetres, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    assert metres.shape.shape == (len(table), larger.shape_size)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("2D", "hyper_mlp"),
        ("2D", "hyper_layer input"),
        ("3D", "hyper_layer factor"),
        ("2D", "linear"),
        ("3D", "linear"),
        ("2D", "fourier"),
        ("3D", "fourier"),
        ("2D", "wave_layer"),
        ("3D", "wave_layer"),
    ],
)
def test_padding_contributes_nothing(name: str, kind: str) -> None:
    """Nor does a body of no moment, and the gradients with respect to all parameters are finite."""
    columns, table = _TABLES[name]
    model = small_models(inputs_of(columns))[kind]
    points = jr.normal(jr.key(1), (5, columns.dim))
    still = table[:1].at[:, : columns.dim].set(0)
    padded = jnp.concatenate([table, jnp.zeros((2, columns.size)), still])

    @eqx.filter_jit
    @eqx.filter_value_and_grad(has_aux=True)
    def evaluate(model: Model) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        values = model(padded, points), model(table, points)
        return jnp.sum(values[0] ** 2), values

    (_, values), gradient = evaluate(model)
    np.testing.assert_allclose(*values, rtol=1e-5, atol=1e-6)
    leaves = jax.tree.leaves(eqx.filter(gradient, eqx.is_array))
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in leaves)


def test_equal_bodies_are_read_alike() -> None:
    """A rectangle after half a turn, and a cuboid whose quaternion has the other sign."""
    turned = changed(_PLANE, _IN_PLANE, 0, angle=0.4 - np.pi)
    for one, other in zip(
        read_rows(inputs_of(_PLANE), _IN_PLANE), read_rows(inputs_of(_PLANE), turned), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-12)
    quarter = changed(_PLANE, _IN_PLANE, 0, angle=0.4 - np.pi / 2)
    assert not np.allclose(
        read_rows(inputs_of(_PLANE), _IN_PLANE).shape, read_rows(inputs_of(_PLANE), quarter).shape
    )
    signs = dict(
        zip(("rotation_w", "rotation_x", "rotation_y", "rotation_z"), -_TURNED, strict=True)
    )
    other_sign = changed(_SPACE, _IN_SPACE, 0, **signs)
    np.testing.assert_array_equal(
        read_rows(inputs_of(_SPACE), _IN_SPACE).shape,
        read_rows(inputs_of(_SPACE), other_sign).shape,
    )


def test_a_rotation_is_read_as_its_matrix() -> None:
    """The columns are the edges that the closed form of a cuboid has."""
    shape = read_rows(inputs_of(_SPACE), _IN_SPACE).shape[0]
    matrix = shape[4:13].reshape(3, 3)
    expected = np.array(axes_of_quaternion([float(part) for part in _TURNED])).T
    np.testing.assert_allclose(matrix, expected, atol=1e-12)
    np.testing.assert_array_equal(shape[13:], [0, 1])  # not a sphere but a cuboid


def test_the_order_of_the_columns_does_not_matter() -> None:
    """Each is found by its name."""
    order = [0, 1, 2, 3, 8, 5, 7, 4, 6]
    names = tuple(_PLANE.names[i] for i in order)
    inputs = inputs_of(SourceColumns(2, _PLANE.bodies, names))
    np.testing.assert_array_equal(
        read_rows(inputs, _IN_PLANE[:, jnp.array(order)]).shape,
        read_rows(inputs_of(_PLANE), _IN_PLANE).shape,
    )


@pytest.mark.slow
def test_a_file_keeps_the_source_table(tmp_path: Path) -> None:
    """With the keys of the file format, flat and in their order."""
    inputs = inputs_of(SourceColumns.of("disc", constants={"radius": 0.5}), Scales(length=2.0))
    save_model(tmp_path / "model.hm", small_models(inputs)["hyper_layer factor"], {})
    line = (tmp_path / "model.hm").read_bytes().partition(b"\n")[0]
    described = json.loads(line)["inputs"]
    names = ["moment_x", "moment_y", "position_x", "position_y"]
    assert list(described.items())[:5] == [
        ("dim", 2),
        ("source_size", 4),
        ("columns", names),
        ("bodies", ["disc"]),
        ("constants", [["radius", 0.5]]),
    ]
    assert list(described)[5:] == ["trained", "scales", "values", "moment", "outside"]
    assert load(tmp_path / "model.hm").inputs == inputs


_NAMES = ["moment_x", "moment_y", "position_x", "position_y", "radius"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": [*_NAMES[:4], "phase"]}, "disc must be radius, each once; got phase"),
        ({"columns": [*_NAMES[1:], "body"]}, "begin with moment_x"),
        ({"columns": _NAMES[:4]}, "as its source_size, 5; got moment_x"),
        ({"dim": 3}, "must exist in 3 dimensions; got 'disc'"),
        ({"bodies": ["sphere"]}, "must exist in 2 dimensions; got 'sphere'"),
        ({"bodies": ["cylinder"]}, "'inputs.bodies.0' must be 'dipole', 'disc'"),
    ],
)
def test_columns_that_cannot_be_read_are_refused(
    changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    """With the rule, and the file."""
    path = tmp_path / "model.hm"
    columns = SourceColumns.of("disc", varying=["radius"])
    save_model(path, small_models(inputs_of(columns))["hyper_layer factor"], {})
    line = path.read_bytes().partition(b"\n")[0]
    edit_header(path, inputs=json.loads(line)["inputs"] | changes)
    with refused(ModelFileError, message, "model.hm"):
        load(path)
