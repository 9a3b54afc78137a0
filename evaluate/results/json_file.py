"""results.json: written for programs, with a schema, and read again by `hm-eval compare`."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import SchemaValidator, core_schema

from hypermagnetics.errors import HypermagneticsError, raise_refusal
from hypermagnetics.evaluate.results.records import SCHEMA_VERSION, Results
from hypermagnetics.input_files import FileKind
from hypermagnetics.run_files import RESULTS_NAME
from hypermagnetics.validation_errors import first_misfit


def to_json(results: Results) -> str:
    """The text of results.json; a number that is not finite becomes null."""
    table = {"schema": SCHEMA_VERSION} | dataclasses.asdict(results)
    for evaluation in table["evaluations"]:
        if evaluation["by_sources"] is None:
            del evaluation["by_sources"]
    return json.dumps(plain(table), indent=1, allow_nan=False) + "\n"


def from_json(text: str, path: Path) -> Results:
    """Parse the text of results.json; a number that is null becomes NaN.

    Args:
        text: From `to_json`, of this release or of another one with the same schema. Keys that
            are not in the records are passed over.
        path: Path of the file, for messages.

    Returns:
        The results.

    Raises:
        HypermagneticsError: If the text is not that of a results.json, or is of another schema.
    """
    try:
        found = _Version.model_validate_json(text)
        version = found.schema_
        if found.content != "sources":
            raise HypermagneticsError(
                f"A {RESULTS_NAME} to be read again must be of models of sources; got one of "
                f"{found.content} ({path}). Read its numbers as JSON."
            )
        if version != SCHEMA_VERSION:
            raise HypermagneticsError(
                f"A {RESULTS_NAME} must be of schema {SCHEMA_VERSION}; got schema {version} "
                f"({path}). Run hm-eval again."
            )
        validator = SchemaValidator(_with_null(TypeAdapter(Results).core_schema))
        results: Results = validator.validate_json(text, strict=True)
    except ValidationError as error:
        misfit = first_misfit(error, json_schema(), f"A {RESULTS_NAME}")
        raise HypermagneticsError(
            f"{misfit.text} ({path}). Check the path, or run hm-eval again."
        ) from error
    return results


RESULTS_FILE = FileKind(f"A {RESULTS_NAME}", 1 << 25, HypermagneticsError, 1 << 20)


def is_results(path: Path) -> bool:
    """Whether a file is a results.json of hm-eval, of any schema."""
    try:
        table = json.loads(RESULTS_FILE.read(path))
    except (OSError, ValueError, RecursionError) as error:
        raise_refusal(error, path)
        return False
    return isinstance(table, dict) and {"schema", "software"} <= set(table)


def json_schema() -> dict[str, Any]:
    """The JSON schema of results.json, as docs/results.schema.json holds it."""
    schema = TypeAdapter(Results).json_schema(schema_generator=_WithNull, mode="serialization")
    schema["properties"] = {"schema": {"const": SCHEMA_VERSION, "type": "integer"}} | schema[
        "properties"
    ]
    schema["required"] = ["schema", *schema["required"]]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema


class _Version(BaseModel):
    """The part of results.json that all schemas share."""

    schema_: int = Field(alias="schema", strict=True)
    content: str = "sources"


def _with_null(schema: Any) -> Any:
    """A schema of pydantic-core in which a number may be null, which is read as NaN."""
    if isinstance(schema, list):
        return [_with_null(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "float":
        number = core_schema.float_schema(allow_inf_nan=False)
        return core_schema.no_info_wrap_validator_function(
            lambda value, check: math.nan if value is None else check(value), number
        )
    return {key: _with_null(inner) for key, inner in schema.items()}


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
