"""Closed forms against numerical integration of the surface charges at 30 digits."""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from hypermagnetics.sources import body_kernel, superposition

_CASES = [
    case
    for case in json.loads(
        (Path(__file__).parents[1] / "reference" / "bodies.json").read_text(encoding="utf-8")
    )["cases"]
    if case["body"] == "disc"
]


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case["where"])
def test_disc_equals_the_integral(case: dict) -> None:
    """Potential and field of a disc, inside, near and far, to 1e-10."""
    source = jnp.array([[*case["moment"], *case["position"]]])
    point = jnp.array([case["point"]])
    potential, field = superposition(body_kernel("disc", case["radius"]), source, point)
    assert float(potential[0]) == pytest.approx(case["potential"], rel=1e-10)
    error = np.linalg.norm(np.asarray(field[0]) - case["field"])
    assert error <= 1e-10 * np.linalg.norm(case["field"])


def test_every_region_has_cases() -> None:
    """The reference covers inside, near, mid and far."""
    assert {case["where"] for case in _CASES} == {"inside", "near", "mid", "far"}
