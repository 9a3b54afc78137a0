"""What is no source and no point is refused where it comes in, in a sentence that helps."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from magnets import CUBOID, KINDS

from hypermagnetics.errors import SourceError
from hypermagnetics.sources import (
    Cuboid,
    Dipole,
    Disc,
    Rectangle,
    SourceColumns,
    Sphere,
    source_table,
    superposition,
)
from hypermagnetics.sources.checks import refuse_bad_rows

_SENTENCE = re.compile(r"[A-Z\w][^;]* must [^;]+; got .+?( \(.+\))?\. [A-Z][^.]+\.")
"""`<what> must <rule>; got <value> (<where>). <What to do>.`"""


@pytest.fixture(autouse=True)
def _as_users_have_it() -> Iterator[None]:
    """Without the type checker of the tests, which would refuse some of this before the library."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def refusal(act: Callable[[], Any]) -> str:
    """The message of the error, which must have the form of all messages."""
    with pytest.raises(SourceError) as caught:
        act()
    message = str(caught.value)
    assert _SENTENCE.fullmatch(message), message
    assert "\n" not in message
    return message


_HERE, _ALONG, _NAN, _INF = [0.0, 0.0, 0.0], [1.0, 0.0, 0.0], float("nan"), float("inf")
_SIDES = [1.0, 1.0, 1.0]

_BAD_BODIES: dict[str, tuple[Callable[[], Any], str]] = {
    "a radius of zero": (lambda: Sphere(_ALONG, _HERE, 0.0), "radius.*got 0.0"),
    "a negative radius": (lambda: Disc(_ALONG[:2], _HERE[:2], -0.5), "radius.*got -0.5"),
    "a radius that is no number": (lambda: Sphere(_ALONG, _HERE, _NAN), "radius.*got nan"),
    "an infinite radius": (lambda: Sphere(_ALONG, _HERE, _INF), "radius.*got inf"),
    "a side of zero": (lambda: Cuboid(_ALONG, _HERE, [1.0, 0.0, 1.0]), "dimension_y.*got 0.0"),
    "a negative side": (lambda: Rectangle(_ALONG[:2], _HERE[:2], [1.0, -2.0]), "dimension_y.*-2"),
    "a side that is no number": (lambda: Cuboid(_ALONG, _HERE, [1, 1, _NAN]), "dimension_z.*nan"),
    "a moment that is no number": (lambda: Dipole([1.0, _NAN], [0.0, 0.0]), "moment_y.*got nan"),
    "an infinite position": (lambda: Dipole([1.0, 2.0], [_INF, 0.0]), "position_x.*got inf"),
    "an angle that is no number": (
        lambda: Rectangle(_ALONG[:2], _HERE[:2], [1.0, 1.0], _NAN),
        "angle.*got nan",
    ),
    "a moment of two components in space": (lambda: Sphere([1.0, 0.0], _HERE, 1.0), r"3.*\(2,\)"),
    "a moment of three in the plane": (lambda: Disc(_ALONG, _HERE[:2], 1.0), r"2.*\(3,\)"),
    "a moment of another length than the position": (
        lambda: Dipole(_ALONG, _HERE[:2]),
        "moment.*got 3 and 2",
    ),
    "a moment that is a number": (lambda: Sphere(1.0, _HERE, 1.0), r"moment.*\(\)"),
    "a position of two components in space": (lambda: Sphere(_ALONG, [0.0, 0.0], 1.0), r"\(2,\)"),
    "too few sides": (lambda: Cuboid(_ALONG, _HERE, [1.0, 1.0]), "dimension_x"),
    "one side": (lambda: Cuboid(_ALONG, _HERE, 1.0), "dimension_x"),
    "three numbers for a rotation": (lambda: Cuboid(_ALONG, _HERE, _SIDES, _ALONG), "rotation_w"),
    "a quaternion of another norm": (
        lambda: Cuboid(_ALONG, _HERE, _SIDES, [1.0, 1.0, 1.0, 1.0]),
        "norm 1; got norm 2 ",
    ),
    "a quaternion of norm zero": (
        lambda: Cuboid(_ALONG, _HERE, _SIDES, [0.0, 0.0, 0.0, 0.0]),
        "norm 1; got norm 0 ",
    ),
    "a quaternion of nearly norm 1": (
        lambda: Cuboid(_ALONG, _HERE, _SIDES, [1.001, 0.0, 0.0, 0.0]),
        "norm 1; got norm 1.001 ",
    ),
}


@pytest.mark.parametrize("what", _BAD_BODIES)
def test_a_body_that_cannot_be_is_refused(what: str) -> None:
    act, expected = _BAD_BODIES[what]
    assert re.search(expected, refusal(act))


def test_a_quaternion_as_float32_rounds_it_is_taken() -> None:
    """And so is one with its digits as people copy them."""
    rounded = np.array([0.6, 0.0, 0.8, 0.0], np.float32).astype(np.float64)
    for rotation in (rounded, [0.707107, 0.707107, 0.0, 0.0]):
        taken = Cuboid(_ALONG, _HERE, _SIDES, rotation)
        np.testing.assert_array_equal(taken.rotation, rotation)


@pytest.mark.parametrize("shape", [(4, 2), (4, 4), (3,), (2, 2, 3), ()], ids=str)
def test_points_of_another_dimension_are_refused(shape: tuple[int, ...]) -> None:
    sphere = Sphere(_ALONG, _HERE, 1.0)
    for evaluate in (sphere.potential, sphere.field):
        message = refusal(lambda evaluate=evaluate: evaluate(np.ones(shape)))
        assert "3" in message
        assert str(shape) in message


def row_with(kind: SourceColumns, **changes: float) -> jnp.ndarray:
    """A table of two good rows, with some numbers of the second changed."""
    good = [1.0 if not name.startswith(("rotation", "body")) else 0.0 for name in kind.names]
    table = np.array([good, good])
    if kind.has("rotation_w"):
        table[:, kind.index("rotation_w")] = 1
    if kind.has("body"):
        table[:, kind.index("body")] = 1
    for name, value in changes.items():
        table[1, kind.index(name)] = value
    return jnp.asarray(table)


_MIXED = SourceColumns.of(
    "disc", "rectangle", varying=["radius", "dimension_x", "dimension_y", "angle"]
)
_BAD_ROWS: dict[str, tuple[SourceColumns, dict[str, float], str]] = {
    "no number in a moment": (CUBOID, {"moment_z": _NAN}, "moment_z .*got nan"),
    "an infinite position": (CUBOID, {"position_x": -_INF}, "position_x .*got -inf"),
    "a radius of zero": (KINDS["disc in 2D"], {"radius": 0.0}, "radius .*got 0.0"),
    "a negative side": (CUBOID, {"dimension_y": -1.0}, "dimension_y .*got -1.0"),
    "a quaternion of another norm": (CUBOID, {"rotation_x": 1.0}, "norm 1; got norm 1.41421"),
    "an unknown body": (_MIXED, {"body": 7.0}, r"body .*\[1, 2\].*disc, rectangle.*got 7"),
    "a body that the table has not": (_MIXED, {"body": 3.0}, "body .*got 3"),
    "half a body": (_MIXED, {"body": 1.5}, "body .*got 1.5"),
    "no number for a body": (_MIXED, {"body": _NAN}, "body .*got nan"),
    "no size of a mixed-in body": (_MIXED, {"body": 2.0, "dimension_x": 0.0}, "dimension_x .*0.0"),
}


@pytest.mark.parametrize("what", _BAD_ROWS)
def test_a_row_that_is_no_source_is_refused_by_its_number(what: str) -> None:
    kind, changes, expected = _BAD_ROWS[what]
    points = jnp.ones((1, kind.dim))
    message = refusal(lambda: superposition(kind, row_with(kind, **changes), points))
    assert re.search(expected, message)
    assert "(source 1)" in message
    refuse_bad_rows(kind, row_with(kind, **changes), 1)  # it may be padding


@pytest.mark.slow
def test_a_size_that_a_body_has_no_use_for_may_be_zero() -> None:
    """The sum takes the table, and is finite."""
    table = row_with(_MIXED, dimension_x=0.0, dimension_y=0.0)
    for values in superposition(_MIXED, table, jnp.full((2, _MIXED.dim), 0.3)):
        assert jnp.isfinite(values).all()


@pytest.mark.parametrize("shape", [(2, 4), (5,), (2, 2, 5)], ids=str)
def test_a_table_of_other_columns_is_refused_with_their_names(shape: tuple[int, ...]) -> None:
    kind = KINDS["disc in 2D"]
    message = refusal(lambda: superposition(kind, jnp.ones(shape), jnp.ones((1, 2))))
    assert "moment_x, moment_y, position_x, position_y, radius" in message
    assert str(shape) in message


_BOX = {"dimension_x": 1.0, "dimension_y": 1.0, "dimension_z": 1.0}
_BAD_COLUMNS: dict[str, tuple[Callable[[], Any], str]] = {
    "an unknown body": (lambda: SourceColumns.of("cone"), "got 'cone'"),
    "an unknown body among others": (lambda: SourceColumns.of("disc", "cone"), "got .*'cone'"),
    "no body": (lambda: SourceColumns.of(), "got none"),
    "a body twice": (lambda: SourceColumns.of("disc", "disc"), "each once"),
    "bodies of other dimensions": (lambda: SourceColumns.of("disc", "cuboid"), "dimensions"),
    "a fourth dimension": (lambda: SourceColumns.of("dipole", dim=4), "dimensions"),
    "no radius": (lambda: SourceColumns.of("disc"), "radius"),
    "a size of another body": (
        lambda: SourceColumns.of("disc", constants={"radius": 1.0, "dimension_x": 1.0}),
        "dimension_x",
    ),
    "a constant radius of zero": (
        lambda: SourceColumns.of("disc", constants={"radius": 0.0}),
        "radius .*got 0.0",
    ),
    "a constant that is no number": (
        lambda: SourceColumns.of("rectangle", constants=_BOX_2D | {"angle": _NAN}),
        "angle .*got nan",
    ),
    "a constant quaternion of another norm": (
        lambda: SourceColumns.of("cuboid", constants={**_BOX, "rotation_w": 2.0}),
        "norm 1; got norm 2",
    ),
    "a quaternion of which one component varies": (
        lambda: SourceColumns.of("cuboid", constants=_BOX, varying=["rotation_w"]),
        "rotation",
    ),
}
_BOX_2D = {"dimension_x": 1.0, "dimension_y": 1.0}


@pytest.mark.parametrize("what", _BAD_COLUMNS)
def test_columns_that_cannot_be_are_refused(what: str) -> None:
    act, expected = _BAD_COLUMNS[what]
    assert re.search(expected, refusal(act))


def test_bodies_of_other_dimensions_share_no_table() -> None:
    disc, sphere = Disc([1.0, 0.0], [0.0, 0.0], 1.0), Sphere(_ALONG, _HERE, 1.0)
    assert "[2, 3]" in refusal(lambda: source_table([disc, sphere]))
    assert "[]" in refusal(lambda: source_table([]))
