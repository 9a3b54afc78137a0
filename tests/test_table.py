"""Columns of soft bodies: their order, their parts, and padding."""

import jax.numpy as jnp
import numpy as np
import pytest
from refused import refused

from hypermagnetics.errors import SourceError
from hypermagnetics.table import (
    BODIES,
    DIMENSIONS,
    RESPONSE_COLUMNS,
    SHAPES,
    BodyName,
    SourceColumns,
    applied_field,
    applied_names,
    hard_table,
    source_rows,
    susceptibility,
)

MIXED = SourceColumns.of(
    "disc",
    "rectangle",
    varying=[*SHAPES["rectangle"], "radius", "body", "susceptibility", "applied_x", "applied_y"],
)
SHARED = SourceColumns.of(
    "disc", varying=["susceptibility"], constants={"radius": 0.5, "applied_y": 3.0}
)


def test_columns_of_response_are_behind_rotation_and_before_the_body() -> None:
    """Where readers of a table look for them."""
    assert MIXED.names[4:] == (
        *("radius", "dimension_x", "dimension_y", "angle"),
        *("susceptibility", "applied_x", "applied_y", "body"),
    )
    assert dict(zip(MIXED.names, MIXED.units, strict=True))["susceptibility"] == "1"
    assert dict(zip(MIXED.names, MIXED.units, strict=True))["applied_x"] == "A/m"
    assert MIXED.is_soft
    assert not MIXED.hard.is_soft
    assert MIXED.hard == SourceColumns.of(
        "disc", "rectangle", varying=[*SHAPES["rectangle"], "radius"]
    )


def test_no_applied_field_is_zero() -> None:
    """As a rotation that is not given is none."""
    soft = SourceColumns.of("sphere", varying=["susceptibility", "radius"])
    shared = {name: value for name, value in soft.constants if name in RESPONSE_COLUMNS}
    assert shared == {"applied_x": 0.0, "applied_y": 0.0, "applied_z": 0.0}
    assert SHARED.constants == (("radius", 0.5), ("applied_x", 0.0), ("applied_y", 3.0))
    assert applied_names(SHARED) == ()
    assert applied_names(MIXED) == ("applied_x", "applied_y")


@pytest.mark.parametrize("space", [np, jnp], ids=["numpy", "jax"])
def test_a_table_is_taken_apart(space) -> None:
    """Of whatever library, and of a hard table as well."""
    rows = space.asarray([[1.0, 0, 2, 3, 10], [0, 0, 1, 1, 7], [0, 0, 0, 0, 0]])
    np.testing.assert_array_equal(susceptibility(SHARED, rows), [10, 7, 0])
    np.testing.assert_array_equal(applied_field(SHARED, rows), [[0, 3]] * 3)
    np.testing.assert_array_equal(hard_table(SHARED, rows), rows[:, :4])
    np.testing.assert_array_equal(source_rows(SHARED, rows), [True, True, False])
    hard = SHARED.hard
    np.testing.assert_array_equal(source_rows(hard, rows[:, :4]), [True, False, False])
    np.testing.assert_array_equal(susceptibility(hard, rows[:, :4]), [0, 0, 0])
    np.testing.assert_array_equal(applied_field(hard, rows[:, :4]), [[0, 0]] * 3)
    assert hard_table(hard, rows) is rows
    for part in (susceptibility(SHARED, rows), applied_field(SHARED, rows)):
        assert part.dtype == rows.dtype
        assert isinstance(part, type(rows))
    mixed = space.arange(2 * MIXED.size).reshape(2, MIXED.size) + 0.5
    at = MIXED.index("applied_x")
    np.testing.assert_array_equal(applied_field(MIXED, mixed), mixed[:, at : at + 2])
    np.testing.assert_array_equal(
        hard_table(MIXED, mixed), np.delete(np.asarray(mixed), [at - 1, at, at + 1], axis=1)
    )


@pytest.mark.parametrize(
    ("varying", "constants", "wanted"),
    [
        (["radius", "applied_x"], {}, "got applied_x, radius"),
        (["radius"], {"susceptibility": 3.0}, "got radius, susceptibility"),
        (["radius", "susceptibility", "applied_z"], {}, "got applied_x, applied_y, applied_z"),
        (["radius", "susceptibility"], {"applied_x": np.nan}, "Give it in A/m."),
    ],
)
def test_columns_that_are_none_are_refused(varying, constants, wanted: str) -> None:
    """An applied field without a susceptibility, or a susceptibility without a column."""
    with refused(SourceError, wanted):
        SourceColumns.of("disc", varying=varying, constants=constants)


@pytest.mark.parametrize("body", BODIES)
def test_columns_of_hard_bodies_have_nothing_of_it(body: BodyName) -> None:
    """So that manifests stay as they are."""
    columns = SourceColumns.with_all_varying(DIMENSIONS[body][0], body)
    assert not set(columns.names) & set(RESPONSE_COLUMNS)
    assert columns.hard == columns
    assert not columns.is_soft
