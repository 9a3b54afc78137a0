"""Recipes that cannot be met: refused in one sentence before anything is made."""

import re
from typing import Any

import pytest
from small_plans import plan_of

from hypermagnetics.errors import RecipeError

FORM = r"[^\n]+ must [^\n]+; got [^\n]+ \([^\n]+\)\. [A-Z][^\n]+[.?]"
"""What must hold, what came, where, what to do."""

DISC, DIPOLE = {"kind": "disc", "radius": 0.5}, {"kind": "dipole"}
SQUARE = {"kind": "rectangle", "dimension": [1.0, 1.0]}
CUBE = {"kind": "cuboid", "dimension": [1.0, 1.0, 1.0]}


def mix(*bodies: dict[str, Any]) -> dict[str, Any]:
    return {"body": {"kind": "mixed", "of": list(bodies)}}


def aligned(*direction: float) -> dict[str, Any]:
    return {"moment": {"distribution": "aligned", "direction": direction, "magnitude": 1.0}}


def constant(quantity: str, *value: float) -> dict[str, Any]:
    return {quantity: {"distribution": "constant", "value": value}, "num_sources": 1}


def listed(*points: list[float]) -> dict[str, Any]:
    return {"grid": {"kind": "list", "points": points}}


def lattice(**values: float) -> dict[str, Any]:
    usual = {"distribution": "lattice", "spacing": 1.0, "sites_per_side": 2}
    return {"position": usual | values}


def packed(**values: float) -> dict[str, Any]:
    return {"position": {"distribution": "packed", "half_width": 1.0, "attempts": 2} | values}


BODIES: dict[str, tuple[dict[str, Any], str]] = {
    "zero radius": (DISC | {"radius": 0}, "radius' must be greater than 0; got 0 "),
    "negative side": (SQUARE | {"dimension": [1, -2]}, "dimension.1' must be greater.*; got -2 "),
    "a size that float32 holds as zero": (DISC | {"radius": 1e-50}, "must be between 1.18e-38"),
    "a size that float32 cannot hold": (DISC | {"radius": 1e39}, "and 3.4e.38.*; got 1e.39 "),
    "one side": (SQUARE | {"dimension": [1.0]}, "dimension' must have at least 2 items"),
    "three sides": (SQUARE | {"dimension": [1.0] * 3}, "dimension' must have at most 2 items"),
    "a number for sides": (CUBE | {"dimension": 1.0}, "dimension' must be a valid .*; got 1.0 "),
    "text for a size": (DISC | {"radius": "big"}, "radius' must be a valid number; got 'big' "),
    "unknown distribution": (
        DISC | {"radius": {"distribution": "normal", "low": 1, "high": 2}},
        "radius.distribution' must be 'uniform' or 'log-uniform'; got 'normal'",
    ),
    "a range upside down": (
        DISC | {"radius": {"distribution": "uniform", "low": 2, "high": 1}},
        "radius.low' must be less than high",
    ),
    "unknown key of a range": (
        DISC | {"radius": {"distribution": "uniform", "low": 1, "hihg": 2}},
        "radius.hihg' must be a known key.*Did you mean 'high'",
    ),
    "unknown body": ({"kind": "ball"}, "body.kind' must be one of 'dipole'.*; got 'ball'"),
    "the body of an older recipe": ("disc", "sources.body' must be an object; got 'disc'"),  # type: ignore[dict-item]
    "no unit quaternion": (
        CUBE | {"rotation": [1, 1, 0, 0]},
        r"rotation' must be a quaternion of norm 1, not of norm 1.41421; got \[1, 1, 0, 0\]",
    ),
    "three numbers of a quaternion": (CUBE | {"rotation": [1, 0, 0]}, "must have at least 4"),
    "a number for a rotation": (CUBE | {"rotation": 0.5}, "rotation' must be a valid .*got 0.5"),
    "another dimension": (DIPOLE | {"dim": 4}, "dim' must be 2 or 3; got 4"),
    "a mix of one": (mix(DISC)["body"], "of' must have at least 2 items"),
    "a body twice in a mix": (mix(DISC, DISC)["body"], "of' must hold each kind of body once"),
    "a mix in no space": (mix(CUBE, DIPOLE)["body"], "of' must hold bodies of one space dimension"),
    "some shares": (
        mix(DISC | {"share": 0.4}, SQUARE)["body"],
        "a share in every body, with a sum of 1",
    ),
    "shares beyond 1": (
        mix(DISC | {"share": 0.4}, SQUARE | {"share": 0.7})["body"],
        r"with a sum of 1, or in no body; got \[0.4, 0.7\] ",
    ),
    "a share without a mix": (DISC | {"share": 0.5}, "absent outside a mix; got 0.5"),
}

RECIPES: dict[str, tuple[dict[str, Any], str]] = {
    "a moment of the wrong length": (
        aligned(0, 0, 1),
        r"direction of the moments must have 2 components.*got \[0.0, 0.0, 1.0\]",
    ),
    "a moment of no direction": (
        aligned(0, 0),
        r"direction' must have a component other than 0; got \[0",
    ),
    "a constant moment of the wrong length": (
        constant("moment", 1, 0, 0),
        r"constant moment must have 2 comp.*got \[1.0, 0.0, 0.0\] \(sources.moment.value\)",
    ),
    "a constant position of the wrong length": (
        constant("position", 1, 0) | {"body": CUBE},
        r"constant position must have 3 comp.*got \[1.0, 0.0\] \(sources.position.value\)",
    ),
    "a constant of one component": (constant("moment", 1), "moment.value' must have at least 2"),
    "a constant that is not finite": (
        constant("position", 0, float("nan")),
        "position.value.1' must be a finite number; got nan ",
    ),
    "a constant beyond float32": (
        constant("moment", 0, -1e39),
        r"moment.value.1' must be at most 3.4e\+38 in size, the range of float32; got -1e\+39 ",
    ),
    "several sources at one place": (
        constant("position", 0, 0) | {"num_sources": [1, 2]},
        r"that of one source in each sample.*; got 2 sources \(split 'train', sources.position",
    ),
    "a list of no points": (listed(), "grid.points' must have at least 1 item"),
    "too many points in a list": (
        listed(*[[0.0, 1.0]] * 4097),
        "grid.points' must have at most 4096 items",
    ),
    "a point of one coordinate": (listed([1.0]), "grid.points.0' must have at least 2 items"),
    "a point of another dimension": (
        listed([1, 0], [1, 0, 0]),
        r"must have 2 coordinates.*; got \[1.0, 0.0, 0.0\] \(row 1 of grid.points\)",
    ),
    "a point that is not finite": (
        listed([1, 0], [float("inf"), 0]),
        "grid.points.1.0' must be a finite number; got inf ",
    ),
    "a point beyond float32": (
        listed([0, 1e39]),
        r"finite, also in float32; got 1e\+39 \(row 0, column 1 of grid.points\)",
    ),
    "no distribution": ({"position": {"std": 1.0}}, "position.distribution' must be given"),
    "sources upside down": ({"num_sources": [5, 2]}, "least not above most; got .5, 2. "),
    "no sources": ({"num_sources": [0, 2]}, "num_sources.0' must be greater .*; got 0"),
    "a range of three": ({"num_sources": [1, 2, 3]}, "num_sources' must have at most 2 items"),
    "too few sites": (
        lattice() | {"num_sources": [1, 5]},
        r"a site for each source; got 4 sites for 5 sources \(split 'train'",
    ),
    "too many sites": (
        lattice(sites_per_side=200) | {"body": CUBE},
        "at most 1048576 sites; got 8000000 ",
    ),
    "sites that meet": (lattice(jitter=0.5), "jitter' must be less than half the spacing"),
    "a body larger than its box": (
        packed() | {"body": {"kind": "rectangle", "dimension": [1.6, 1.3]}},
        "Every body must fit into the box; got a rectangle of radius up to 1.03078, corners",
    ),
    "bodies larger than their box": (
        packed() | {"num_sources": [1, 21]},
        r"without overlap; got 21 that fill 1.03 of the box on average \(split 'train'",
    ),
    "bodies that leave too little room": (
        packed() | {"num_sources": 16},
        r"without overlap; got \d+ of 16 placed, filling 0\.[3-6]\d* of the box "
        r"\(split 'train', sample \d+\)\. Lower num_sources, sizes or min_gap, or raise ",
    ),
    "a gap that leaves too little room": (
        packed(min_gap=2.0) | {"num_sources": 16},
        r"got \d of 16 placed, filling 0\.\d",
    ),
    "too many points": (
        {"body": CUBE, "grid": {"kind": "regular", "half_width": 1.0, "resolution": 257}},
        "A grid must have at most 16777216 points; got 16974593 ",
    ),
    "samples that share a grid of their own": (
        {
            "samples_per_grid": 2,
            "grid": {
                "kind": "surface",
                "half_width": 1.0,
                "num_points": 9,
                "share": 0.5,
                "distance": 0.1,
            },
        },
        "samples_per_grid must be 1 where the grid follows.*; got 2 ",
    ),
    "a large block": (
        {
            "grid": {"kind": "random", "half_width": 1.0, "num_points": 100_000},
            "num_samples": 1000,
            "samples_per_grid": 256,
        },
        r"must take at most 256 MB; got 308 MB \(split 'train', .* Lower samples_per_grid, or ",
    ),
    "a large sample": (
        {"grid": {"kind": "random", "half_width": 1.0, "num_points": 2**24}},
        "must take at most 256 MB; got 336 MB .* Lower the number of points or sources.",
    ),
}
RECIPES |= {name: ({"body": body}, message) for name, (body, message) in BODIES.items()}


@pytest.mark.parametrize("case", RECIPES)
def test_a_recipe_that_cannot_be_met_is_refused(case: str) -> None:
    """The message says what must hold, what came, where, and what to do."""
    tables, message = RECIPES[case]
    with pytest.raises(RecipeError, match=message) as caught:
        plan_of(**tables)
    assert re.fullmatch(FORM, str(caught.value))


def test_a_mix_may_have_dipoles_in_three_dimensions() -> None:
    """They say so; and shares need not be given."""
    plan = plan_of(**mix(CUBE, DIPOLE | {"dim": 3}))
    assert plan.columns.dim == 3
    assert plan.identity.columns[6] == "dimension_x"


def test_bodies_just_fit() -> None:
    """The limits above are no tighter than what they say."""
    plan_of(**lattice(), num_sources=4)
    plan_of(**packed(), num_sources=3, body={"kind": "disc", "radius": 0.3})
    plan_of(num_sources=[100_000, 100_000], num_samples=1)
    regular = {"kind": "regular", "half_width": 1.0, "resolution": 150}
    assert plan_of(body=CUBE, grid=regular).identity.splits["train"].num_points == 150**3


@pytest.mark.parametrize(
    ("num_points", "num_sources", "expected"),
    [(1024, 4, 256), (32**3, 1000, 128), (10**6, 1, 4), (5 * 10**6, 1, 1), (1, 100_000, 32)],
)
def test_blocks_left_open_are_small(num_points: int, num_sources: int, expected: int) -> None:
    """256 samples, or the largest power of 2 that takes at most 64 MB; the recipe then says so."""
    grid = {"kind": "random", "half_width": 1.0, "num_points": num_points}
    plan = plan_of(grid=grid, num_sources=num_sources, num_samples=2000)
    layout = plan.identity.splits["train"]
    assert plan.recipe.samples_per_grid == layout.samples_per_grid == expected
    assert plan.identity.recipe["samples_per_grid"] == expected
    bytes_of_block = layout.num_bytes / layout.num_blocks
    assert expected in (1, 256) or 30e6 < bytes_of_block <= 64e6
