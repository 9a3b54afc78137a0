"""Results as JSON and as a table."""

import json
import math
from dataclasses import replace

import pytest

from hypermagnetics.evaluate.baselines import RankFloor
from hypermagnetics.evaluate.results import (
    QuantityResult,
    RegionScores,
    Results,
    SplitResult,
    per_cent,
)
from hypermagnetics.metrics import Scores


def _quantity(floor: RankFloor | None) -> QuantityResult:
    scores = Scores(0.0441, 0.5, math.inf, 0.05, math.inf, 0.25, (0.04, 0.0482), 3, 7)
    nowhere = RegionScores(math.nan, math.nan, math.nan, 0.0)
    return QuantityResult(scores, floor, {"inside": nowhere}, {4: scores})


@pytest.fixture
def results() -> Results:
    """Results with every kind of odd number in them."""
    split = SplitResult(_quantity(RankFloor(400, 0.0123, 512, 1000)), _quantity(None), 7, 2.0, 0.5)
    return Results(
        run="run",
        dataset="discs",
        bodies=("disc",),
        dataset_sha256="ab" * 32,
        model_sha256="cd" * 32,
        software={"jax": "1"},
        device="cpu",
        splits={"test-multi": split},
    )


def test_numbers_that_are_not_finite_are_null_in_json(results):
    read = json.loads(results.to_json(), parse_constant=pytest.fail)
    assert read["schema"] == 1
    assert read["bodies"] == ["disc"]
    assert read["dataset_sha256"] == "ab" * 32
    potential = read["splits"]["test-multi"]["potential"]
    assert potential["median_relative_error"] == 0.0441
    assert potential["p99_relative_error"] is potential["global_relative_l2"] is None
    assert potential["nonfinite_fraction"] == 0.25
    assert potential["ci95"] == [0.04, 0.0482]
    assert potential["zero_truth_points"] == 3
    assert potential["regions"]["inside"]["median_relative_error"] is None
    assert potential["by_num_sources"]["4"]["num_samples"] == 7
    assert potential["rank_floor"]["median_relative_error"] == 0.0123
    assert read["splits"]["test-multi"]["field"]["rank_floor"] is None


def test_the_table_is_in_per_cent_with_the_published_figures(results):
    lines = results.to_text().splitlines()
    headings, potential, field = lines[2:5]
    assert headings.split()[:3] == ["split", "quantity", "median"]
    expected = "test-multi potential 4.41 4 to 4.82 50 inf 5 inf 1.23 (K=400) 25"
    assert potential.split() == expected.split()
    assert (
        field.split() == expected.replace("potential", "field").replace("1.23 (K=400)", "-").split()
    )
    assert any("one source: 4.4" in line for line in lines)
    assert any("four sources: 4.8" in line for line in lines)
    of_others = replace(results, bodies=("disc", "dipole"))
    assert "Published" not in of_others.to_text()


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.0, "0"),
        (0.04414, "4.41"),
        (1.0, "100"),
        (12.3456, "1235"),
        (1e9, "1e+11"),
        (3e-9, "3e-07"),
        (math.nan, "-"),
        (math.inf, "inf"),
    ],
)
def test_per_cent(fraction, text):
    assert per_cent(fraction) == text
