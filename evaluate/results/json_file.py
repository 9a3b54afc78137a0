"""results.json: written for programs, with a schema, and read again by `hm-eval compare`."""

import dataclasses
import json
import math
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from hypermagnetics.evaluate.results.records import SCHEMA_VERSION, Results


def to_json(results: Results) -> str:
    """The text of results.json; a number that is not finite becomes null."""
    table = {"schema": SCHEMA_VERSION} | dataclasses.asdict(results)
    return json.dumps(plain(table), indent=1, allow_nan=False) + "\n"


def json_schema() -> dict[str, Any]:
    """The JSON schema of results.json, as docs/results.schema.json holds it."""
    schema = TypeAdapter(Results).json_schema(schema_generator=_WithNull, mode="serialization")
    schema["properties"] = {"schema": {"const": SCHEMA_VERSION, "type": "integer"}} | schema[
        "properties"
    ]
    schema["required"] = ["schema", *schema["required"]]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema


class _WithNull(GenerateJsonSchema):
    """JSON schemas in which a number may be null, as JSON has no infinity and no NaN."""

    def float_schema(self, schema: core_schema.FloatSchema) -> dict[str, Any]:
        return {"type": ["number", "null"]}


def plain(value: object) -> object:
    """Values in the types of JSON; a number that is not finite becomes null."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    assert value is None or isinstance(value, str | int), f"not a plain value: {value!r}"
    return value
