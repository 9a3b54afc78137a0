"""results.json and its schema."""

import json
import math
from pathlib import Path

import pytest
from evaluate_records import evaluation, quantity, results
from refused import refused

from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.evaluate.results.json_file import from_json, json_schema, to_json
from hypermagnetics.evaluate.results.records import BySourcesScores, Physics, Property, Timing

ROOT = Path(__file__).parents[3]
PLACE = Path("results.json")


def test_numbers_that_are_not_finite_are_null_in_json():
    read = json.loads(to_json(results()), parse_constant=pytest.fail)
    assert read["schema"] == 2
    (record,) = read["evaluations"]
    potential = record["potential"]
    assert potential["median_relative_error"] == 0.0441
    assert potential["p99_relative_error"] is None
    assert potential["ci95"] == [0.04, 0.0482]
    assert potential["by_region"]["beyond"]["median_relative_error"] is None
    assert potential["by_num_sources"]["4"]["num_samples"] == 7
    assert potential["by_distance"][0]["high"] == -0.5
    assert record["worst_samples"][0]["name"] == "test_multi[3]"
    assert read["datasets"][0]["bodies"] == ["disc"]
    assert read["subjects"][0]["sha256"] == "cd" * 32


def without_descriptions(schema):
    """A schema without its words."""
    if isinstance(schema, dict):
        return {
            key: without_descriptions(value)
            for key, value in schema.items()
            if key != "description" or not isinstance(value, str)
        }
    return [*map(without_descriptions, schema)] if isinstance(schema, list) else schema


def test_the_documented_schema_is_that_of_the_program():
    """Its words, too, where pydantic gives those of dataclasses, as earlier versions do not."""
    documented = json.loads((ROOT / "docs" / "results.schema.json").read_text())
    made = json_schema()
    assert without_descriptions(documented) == without_descriptions(made)
    if "description" in made["$defs"]["Evaluation"]:
        assert documented == made


def test_results_read_back_are_equal():
    """Also numbers that are not finite, which come back as NaN."""
    timing = Timing("run", "discs", "sources", 1, 4, 24, 0.1, math.nan, 1, 0.025, 0.004)
    law = Property("flux", math.nan, math.inf, 0)
    written = to_json(
        results(
            evaluation(potential=quantity(ci95=None)),
            notes=("a note",),
            timings=(timing,),
            physics=(Physics("run", "discs", "test_multi", (law,)),),
        )
    )
    read = from_json(written, PLACE)
    assert to_json(read) == written
    assert math.isnan(read.timings[0].spread_seconds)
    assert math.isnan(read.physics[0].properties[0].median)
    potential = read.evaluations[0].potential
    assert math.isnan(potential.p99_relative_error)
    assert (potential.ci95, potential.by_distance[0].low) == (None, None)
    assert from_json(written, PLACE).subjects == results().subjects


def test_derivatives_by_the_sources_are_in_the_file_if_they_were_measured():
    """So that a file without them is that of earlier releases."""
    assert "by_sources" not in to_json(results())
    slopes = BySourcesScores(**vars(quantity(0.3)), columns=("position_x",))
    written = to_json(results(evaluation(by_sources=slopes), evaluation("other")))
    read = from_json(written, PLACE)
    assert to_json(read) == written
    assert read.evaluations[0].by_sources.columns == ("position_x",)
    assert read.evaluations[0].by_sources.median_relative_error == 0.3
    assert read.evaluations[1].by_sources is None


def test_the_first_results_of_the_schema_are_read():
    """A key that was added since needs a default, as its file may lack it."""
    kept = (ROOT / "tests" / "reference" / "results-2.json").read_text()
    assert from_json(kept, PLACE).evaluations[0].subject == "run"


def test_keys_of_a_later_release_are_passed_over():
    """As the number of the schema promises: keys are added without a new one."""
    written = to_json(results())
    table = json.loads(written) | {"more": 1}
    table["evaluations"][0]["potential"]["more"] = 1
    assert to_json(from_json(json.dumps(table), PLACE)) == written


@pytest.mark.parametrize(
    ("value", "got"), [("NaN", "nan"), ("1e999", "inf"), ('"0.1"', "'0.1'"), ("true", "True")]
)
def test_numbers_that_hm_eval_never_writes_are_refused(value: str, got: str):
    text = to_json(results()).replace('"seconds": 2.0', f'"seconds": {value}')
    with refused(HypermagneticsError, "'evaluations.0.seconds' must be a ", got, "(results.json)"):
        from_json(text, PLACE)


def test_results_fit_the_schema():
    schema = json_schema()
    written = json.loads(to_json(results(evaluation(potential=quantity(ci95=None)))))
    assert written.keys() == schema["properties"].keys()
    _check(written, schema, schema["$defs"])


def _check(value: object, schema: dict, definitions: dict) -> None:
    """A small validator of what the schema uses: nothing unknown may pass it."""
    if "$ref" in schema:
        return _check(value, definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        for option in schema["anyOf"]:
            try:
                return _check(value, option, definitions)
            except AssertionError:
                continue
        raise AssertionError(f"{value!r} fits none of {schema}")
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    names = {dict: "object", list: "array", str: "string", type(None): "null"}
    name = names.get(type(value), "number")
    assert name in kinds or (type(value) is int and "integer" in kinds), f"{value!r}: {schema}"
    if isinstance(value, dict):
        known = schema.get("properties", {})
        assert set(schema.get("required", [])) <= set(value)
        for key, inner in value.items():
            other = schema.get("additionalProperties")
            assert key in known or other, f"unknown key {key!r}"
            _check(inner, known.get(key, other), definitions)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for inner in value:
            _check(inner, schema["items"], definitions)
    if "enum" in schema:
        assert value in schema["enum"]
    return None
