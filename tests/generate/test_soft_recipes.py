"""Soft bodies in recipes: their columns, their random numbers, and what is refused."""

from typing import Any

import numpy as np
import pytest
from refused import refused
from scipy.special import ndtri
from small_plans import plan_of

from hypermagnetics.data import CPU, LabelDevice
from hypermagnetics.errors import RecipeError
from hypermagnetics.generate.draw import draw_sources
from hypermagnetics.generate.plan import SourcePlan
from hypermagnetics.sources import BODIES, uniforms
from hypermagnetics.sources.checks import refuse_bad_rows
from hypermagnetics.table import applied_field, source_rows, susceptibility

PACKED = {"distribution": "packed", "half_width": 3.0, "min_gap": 0.05, "shape": "body"}
SOFT = {"cells": 4}
CHI = {"distribution": "log-uniform", "low": 10.0, "high": 1000.0}
DISC = {"kind": "disc", "radius": 0.5}
SQUARE = {"kind": "rectangle", "dimension": [1.0, 1.0]}


def mix(*bodies: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "mixed", "of": [*bodies]}


MIXED = mix(DISC | {"count": 1}, SQUARE | {"susceptibility": CHI})
USUAL: dict[str, Any] = {"body": MIXED, "position": PACKED, "soft": SOFT, "num_sources": [2, 5]}


def drawn(plan: SourcePlan) -> tuple[np.ndarray, np.ndarray]:
    return draw_sources(plan.recipe, plan.columns, "train", range(20))


def test_soft_rows_have_a_susceptibility_and_no_moment() -> None:
    """And the first row of each sample is the magnet that magnetises them."""
    plan = plan_of(**USUAL)
    table, counts = drawn(plan)
    used = np.arange(5) < counts[:, None]
    chi, moments = susceptibility(plan.columns, table), table[..., :2]
    code = table[..., plan.columns.index("body")]
    assert (code[:, 0] == BODIES.index("disc")).all()
    assert (code[:, 1:][used[:, 1:]] == BODIES.index("rectangle")).all()
    assert not chi[:, 0].any()
    assert moments[:, 0].all()
    soft = used & (np.arange(5) > 0)
    assert not moments[soft].any()
    assert chi[soft].min() >= 10
    assert chi[soft].max() <= 1000
    # All of them: the quantiles of a log-uniform distribution, from numbers of their own.
    uniform = uniforms(1, "train", "susceptibility", 0, 20, 5)
    np.testing.assert_allclose(chi[soft], (10 * 100**uniform)[soft], rtol=1e-6)
    np.testing.assert_array_equal(source_rows(plan.columns, table), used)
    assert not table[~used].any()
    assert dict(plan.columns.constants) == {"applied_x": 0, "applied_y": 0}
    for rows, count in zip(table, counts, strict=True):
        refuse_bad_rows(plan.columns, rows, int(count))


def test_what_is_soft_moves_nothing_else() -> None:
    """Sizes, moments and places are those of the same magnets, if they were hard."""
    hard = mix(DISC | {"count": 1}, SQUARE)
    soft_plan, hard_plan = plan_of(**USUAL), plan_of(body=hard, position=PACKED, num_sources=[2, 5])
    (soft, counts), (table, others) = drawn(soft_plan), drawn(hard_plan)
    np.testing.assert_array_equal(counts, others)
    for name in hard_plan.columns.names:
        own, other = (
            one[..., plan.columns.index(name)]
            for one, plan in ((soft, soft_plan), (table, hard_plan))
        )
        is_same = (own == other) | ((own == 0) & name.startswith("moment"))
        assert is_same.all(), name
    remanent = MIXED["of"][1] | {"remanence": "drawn"}
    kept, _ = drawn(plan_of(**USUAL | {"body": mix(MIXED["of"][0], remanent)}))
    np.testing.assert_array_equal(kept[..., :2], table[..., :2])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"distribution": "constant", "value": [0.5, -2.0]}, np.array([[0.5, -2.0]])),
        (
            {"distribution": "normal", "std": 3.0},
            3 * ndtri(uniforms(1, "train", "applied_field", 0, 20, 2)),
        ),
    ],
)
def test_a_sample_has_one_applied_field(given: dict[str, Any], expected: np.ndarray) -> None:
    """In all of its rows, from numbers of its own."""
    plan = plan_of(**USUAL, applied_field=given)
    table, counts = drawn(plan)
    assert plan.columns.names[8:] == ("susceptibility", "applied_x", "applied_y", "body")
    field = applied_field(plan.columns, table)
    used = np.arange(5) < counts[:, None]
    wanted = np.broadcast_to(expected, (20, 2))[:, None]
    np.testing.assert_allclose(field[used], np.broadcast_to(wanted, field.shape)[used], rtol=1e-6)
    assert not field[~used].any()
    without, _ = drawn(plan_of(**USUAL))
    np.testing.assert_array_equal(np.delete(table, (9, 10), axis=-1), without)


def test_counts_come_first_and_shares_are_of_the_rest() -> None:
    """In the order of the bodies."""
    dipole = {"kind": "dipole", "share": 0.75}
    body = mix(dipole, DISC | {"share": 0.25}, SQUARE | {"count": 2})
    plan = plan_of(body=body, num_sources=6, num_samples=1000)
    table, _ = draw_sources(plan.recipe, plan.columns, "train", range(1000))
    code = table[..., plan.columns.index("body")].astype(int)
    assert (code[:, :2] == BODIES.index("rectangle")).all()
    assert not (code[:, 2:] == BODIES.index("rectangle")).any()
    assert abs((code[:, 2:] == BODIES.index("dipole")).mean() - 0.75) < 0.03


def test_sides_are_one_of_a_list() -> None:
    """Times a factor, where there is one."""
    boxes = [[1.0, 1.0, 1.0], [2.0, 1.0, 1.0], [1.0, 1.0, 0.5]]
    choice = {"distribution": "choice", "of": boxes}
    body = {"kind": "cuboid", "dimension": choice, "rotation": {"distribution": "uniform"}}
    plan = plan_of(body=body, num_samples=300)
    table, _ = draw_sources(plan.recipe, plan.columns, "train", range(300))
    sides = table[..., 6:9].reshape(-1, 3)
    found, numbers = np.unique(sides, axis=0, return_counts=True)
    np.testing.assert_array_equal(found, np.unique(boxes, axis=0))
    assert numbers.min() > 250
    scaled = plan_of(body=body | {"dimension": choice | {"scale": [0.5, 2.0]}}, num_samples=300)
    table, _ = draw_sources(scaled.recipe, scaled.columns, "train", range(300))
    factors = table[..., 7].ravel()
    assert 0.5 <= factors.min() < 0.51
    assert 1.98 < factors.max() <= 2
    ratios = table[..., 6:9].reshape(-1, 3) / factors[:, None]
    np.testing.assert_allclose(np.unique(ratios.round(5), axis=0), np.unique(boxes, axis=0))


HARD = {"body": DISC, "num_sources": 1}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no accuracy": (USUAL | {"soft": None}, "must have a table [soft]"),
    "an accuracy of nothing": (HARD | {"soft": SOFT}, "soft must be left out without a soft body"),
    "a field on nothing": (
        HARD | {"applied_field": {"distribution": "normal", "std": 1.0}},
        "sources.applied_field must be left out without a soft body",
    ),
    "remanence of a hard magnet": (
        HARD | {"body": DISC | {"remanence": "drawn"}},
        "remanence must be left out of a hard magnet",
    ),
    "nothing that magnetises": (
        USUAL | {"body": SQUARE | {"susceptibility": 3.0}},
        "must be magnetised by something",
    ),
    "bodies that overlap": (
        USUAL | {"position": {"distribution": "normal", "std": 1.0}},
        "Soft bodies must not overlap",
    ),
    "derivatives": (
        USUAL | {"derivatives": {"of": "potential", "columns": ["moment"]}},
        "derivatives must be left out of a dataset of soft bodies",
    ),
    "dynamics": (
        USUAL
        | {
            "body": mix(DISC | {"susceptibility": 3.0}, {"kind": "dipole"}),
            "dynamics": {"kind": "damping", "num_steps": 3, "time_step": 1e-3},
        },
        "must",
    ),
    "a vector of three components": (
        USUAL | {"applied_field": {"distribution": "constant", "value": [1.0, 0, 0]}},
        "The applied field must have 2 components",
    ),
    "a direction of three components": (
        USUAL
        | {"applied_field": {"distribution": "aligned", "direction": [1.0, 0, 0], "magnitude": 1}},
        "The direction of the applied field must have 2 components",
    ),
    "no susceptibility": (
        USUAL | {"body": mix(DISC, SQUARE | {"susceptibility": 0.0})},
        "susceptibility' must be greater than 0; got 0.0",
    ),
    "a range upside down": (
        USUAL | {"body": mix(DISC, SQUARE | {"susceptibility": CHI | {"low": 2000.0}})},
        "susceptibility.low' must be less than high, 1000; got 2000.0",
    ),
    "a soft dipole": (
        USUAL | {"body": mix(DISC, {"kind": "dipole", "susceptibility": 3.0})},
        "susceptibility' must be a known key",
    ),
    "coarser cells": (
        USUAL | {"soft": {"cells": 4, "finer_cells": 4}},
        "soft.finer_cells' must be above cells, 4; got 4",
    ),
    "a count of one body alone": (
        HARD | {"body": DISC | {"count": 1}},
        "The count of a body must be absent outside a mix",
    ),
    "a count and a share": (
        USUAL | {"body": mix(DISC | {"count": 1, "share": 0.5}, SQUARE)},
        "have a share or a count in each body, not both",
    ),
    "shares of less than the rest": (
        {"body": mix(DISC | {"count": 1}, SQUARE | {"share": 0.5})},
        "have a share in every body without a count, with a sum of 1",
    ),
    "fewer sources than counts": (
        USUAL | {"body": mix(DISC | {"count": 3}, SQUARE)},
        "at least as many sources as the counts of its bodies, 3; got 2",
    ),
    "more sources than counts": (
        {"body": mix(DISC | {"count": 1}, SQUARE | {"count": 2}), "num_sources": 4},
        "as many sources as the counts of its bodies, 3, where each has one; got 4",
    ),
    "boxes of other sides": (
        {"body": SQUARE | {"dimension": {"distribution": "choice", "of": [[1.0, 1.0, 1.0]]}}},
        "have 2 sides for each box",
    ),
    "boxes of two dimensions": (
        {"body": SQUARE | {"dimension": {"distribution": "choice", "of": [[1.0, 1], [1, 1, 1]]}}},
        "hold boxes of one number of sides",
    ),
    "a factor upside down": (
        {
            "body": SQUARE
            | {"dimension": {"distribution": "choice", "of": [[1.0, 1]], "scale": [2.0, 1.0]}}
        },
        "be [least, greatest] in this order",
    ),
    "a body wider than the box": (
        USUAL | {"position": PACKED | {"half_width": 0.4}},
        "at its narrowest, in a box of half width 0.4",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_contradictions_are_refused(name: str) -> None:
    """In a sentence, before anything is made."""
    tables, sentence = REFUSED[name]
    with refused(RecipeError, sentence):
        plan_of(**tables)


def test_a_gpu_is_refused() -> None:
    """Whose labels nobody has compared with those of a CPU."""
    plan = plan_of(**USUAL)
    with refused(RecipeError, "must be solved for on the CPU", "Leave the option out"):
        plan.on(LabelDevice(platform="gpu", kind="a card"))
    assert plan.on(CPU) == plan


def test_keys_at_rest_stay_out_of_manifests() -> None:
    """So that recipes of earlier releases make the same bytes."""
    body = plan_of(body=mix(DISC, SQUARE)).identity.recipe["sources"]["body"]
    assert body == {
        "kind": "mixed",
        "of": [
            {"kind": "disc", "radius": 0.5, "share": None},
            {"kind": "rectangle", "dimension": [1.0, 1.0], "angle": 0.0, "share": None},
        ],
    }
    recipe = plan_of(body=DISC, position=PACKED | {"shape": "ball"}).identity.recipe
    assert "shape" not in recipe["sources"]["position"]
    assert not {"soft", "derivatives", "dynamics"} & recipe.keys()
    assert "applied_field" not in recipe["sources"]
    soft = plan_of(**USUAL).identity.recipe
    assert soft["sources"]["body"]["of"][1]["remanence"] == "none"
    assert soft["soft"]["checked_samples"] == 8
