"""Closed forms against numerical integration of the surface charges at 30 digits."""

import json
from pathlib import Path

import numpy as np
import pytest
from charge_integrals import box_values, disc_values
from magnets import KINDS, each, error_of, rows_of

from hypermagnetics.sources import Body, Cuboid, Disc, Rectangle, Sphere

_FILE = Path(__file__).parents[1] / "reference" / "bodies.json"
_CASES = json.loads(_FILE.read_text(encoding="utf-8"))["cases"]
_BODIES: dict[str, type[Body]] = {
    "disc": Disc,
    "rectangle": Rectangle,
    "sphere": Sphere,
    "cuboid": Cuboid,
}
_TOLERANCE = 1e-10


def size_of(case: dict) -> float | list[float]:
    """Radius or sides."""
    return case["radius"] if "radius" in case else case["dimension"]


@pytest.mark.parametrize("case", _CASES, ids=lambda case: f"{case['body']}-{case['where']}")
def test_a_body_has_the_potential_and_field_of_its_integral(case: dict) -> None:
    magnet = _BODIES[case["body"]](case["moment"], case["position"], size_of(case))
    point = np.array([case["point"]])
    assert float(magnet.potential(point)[0]) == pytest.approx(case["potential"], rel=_TOLERANCE)
    assert error_of(magnet.field(point)[0], np.array(case["field"])) < _TOLERANCE


_PARTS = ("moment", "position", "radius", "dimension")


@pytest.mark.parametrize("body", _BODIES)
def test_a_source_table_has_the_values_of_its_integrals(body: str) -> None:
    cases = [case for case in _CASES if case["body"] == body]
    (kind,) = (kind for kind in KINDS.values() if kind.bodies == (body,))
    given = {name: np.array([case[name] for case in cases]) for name in cases[0] if name in _PARTS}
    potential, field = each(
        kind, rows_of(kind, **given), np.array([case["point"] for case in cases])
    )
    truth = np.array([case["potential"] for case in cases])
    np.testing.assert_allclose(potential, truth, rtol=_TOLERANCE)
    assert error_of(field, np.array([case["field"] for case in cases])).max() < _TOLERANCE


def test_the_moments_of_the_cases_are_magnetisation_times_volume() -> None:
    for case in _CASES:
        volume = {
            "disc": lambda radius: np.pi * radius**2,
            "sphere": lambda radius: 4 / 3 * np.pi * radius**3,
        }.get(case["body"], np.prod)(size_of(case))
        moment = volume * np.array(case["magnetisation"])
        np.testing.assert_allclose(case["moment"], moment, rtol=1e-14)


def test_every_region_of_every_body_has_cases() -> None:
    found = {(case["body"], case["where"]) for case in _CASES}
    assert found == {
        (body, where) for body in _BODIES for where in ("inside", "near", "mid", "far")
    }
    assert len(_CASES) == 64


@pytest.mark.parametrize("body", ["disc", "rectangle", "cuboid"])
def test_the_integrals_of_the_tests_agree_with_the_reference(body: str) -> None:
    """`charge_integrals` is what further tests trust."""
    for case in _CASES:
        if case["body"] == body:
            integral = disc_values if body == "disc" else box_values
            d = np.array(case["point"]) - case["position"]
            potential, field = integral(case["moment"], d, size_of(case))
            assert potential == pytest.approx(case["potential"], rel=_TOLERANCE)
            assert error_of(field, np.array(case["field"])) < _TOLERANCE
