"""Recipes: TOML or JSON in, frozen and checked values out.

A recipe is parsed once, at the edge of a program. Unknown keys are refused with the nearest known
name, and `--set key=value` overrides any key before the check.
"""

import difflib
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic_core import ErrorDetails

from hypermagnetics.errors import RecipeError
from hypermagnetics.recipes import RecipeKind, shipped_recipe_text, shipped_recipes


class Config(BaseModel):
    """A part of a recipe: frozen, strictly typed, unknown keys refused, numbers finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


_Config = TypeVar("_Config", bound=Config)
_Table = dict[str, JsonValue]
_Schema = dict[str, Any]
"""A JSON schema, as pydantic writes it."""


def load_recipe(
    schema: type[_Config], kind: RecipeKind, recipe: str, overrides: Sequence[str] = ()
) -> _Config:
    """Read a recipe, apply overrides and check it.

    Args:
        schema: What the recipe must look like.
        kind: Which shipped recipes a bare name is looked up in.
        recipe: A path to a .toml or .json file, or the name of a shipped recipe.
        overrides: `key=value` texts; dots separate tables, the value is read as TOML and taken
            as plain text where it is none.

    Returns:
        The checked recipe.

    Raises:
        RecipeError: If there is no such recipe, or it or an override does not fit.
    """
    table = _read(kind, recipe)
    where = f"recipe {recipe}"
    if overrides:
        # Every key of the checked recipe is there, also those left at their defaults, so an
        # override may name any of them.
        table = checked(schema, table, where).model_dump(mode="json")
        for text in overrides:
            _override(table, text)
        where += " with --set"
    return checked(schema, table, where)


def checked(schema: type[_Config], table: Mapping[str, JsonValue], where: str) -> _Config:
    """Turn a parsed table into a checked value.

    Args:
        schema: What the table must look like.
        table: Plain values.
        where: What the table was read from, for messages.

    Returns:
        The checked value.

    Raises:
        RecipeError: With the first thing that does not fit.
    """
    try:
        return schema.model_validate_json(json.dumps(table))
    except ValidationError as error:
        raise RecipeError(_explain(error.errors(), schema, where)) from error


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that names the known word closest to `name`, or lists the known words."""
    words = sorted(known)
    close = difflib.get_close_matches(name, words, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(words)}."


def _read(kind: RecipeKind, recipe: str) -> _Table:
    path = Path(recipe)
    if path.suffix not in (".toml", ".json"):
        names = shipped_recipes(kind)
        if recipe not in names:
            raise RecipeError(
                f"The recipe must be a .toml or .json file or the name of a shipped {kind} recipe; "
                f"got {recipe!r}. {nearest(recipe, names)}"
            )
        return tomllib.loads(shipped_recipe_text(recipe, kind))
    if not path.is_file():
        raise RecipeError(
            f"The recipe file must exist; got {recipe!r}. "
            f"Check the path, or take a shipped recipe: {', '.join(shipped_recipes(kind))}."
        )
    try:
        text = path.read_text(encoding="utf-8")
        table = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (UnicodeDecodeError, json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(
            f"The recipe must be valid {path.suffix[1:].upper()}; got: {error} ({recipe}). "
            "Mend the file at that place."
        ) from error
    if not isinstance(table, dict):
        raise RecipeError(
            f"The recipe must be a table; got {type(table).__name__} ({recipe}). "
            "Write `key = value` lines."
        )
    return table


def _override(table: _Table, text: str) -> None:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise RecipeError(
            f"An override must read key=value; got {text!r} (--set). "
            "Write for example --set seed=7."
        )
    *parents, leaf = key.split(".")
    inner = table
    for depth, name in enumerate(parents):
        child = inner.get(name)
        if not isinstance(child, dict):
            place = ".".join(parents[: depth + 1])
            raise RecipeError(
                f"An override must name a table of the recipe; got {place!r} (--set {text}). "
                f"{nearest(name, (k for k, v in inner.items() if isinstance(v, dict)))}"
            )
        inner = child
    inner[leaf] = _toml_value(value)


def _toml_value(text: str) -> Any:
    try:
        value = tomllib.loads(f"value = {text}")["value"]
        json.dumps(value)
    except (tomllib.TOMLDecodeError, TypeError):
        return text
    return value


def _explain(errors: Sequence[ErrorDetails], schema: type[Config], where: str) -> str:
    # An unknown key says more than the missing one it was meant to be.
    first = min(errors, key=lambda error: error["type"] != "extra_forbidden")
    place = ".".join(str(part) for part in first["loc"]) or "the recipe"
    if first["type"] == "extra_forbidden":
        return (
            f"{place!r} must be a known key; got {first['input']!r} ({where}). "
            f"{nearest(str(first['loc'][-1]), _known_keys(schema, first['loc']))}"
        )
    if first["type"] == "missing":
        return f"{place!r} must be given; it is absent ({where}). Add it to the recipe."
    rule = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{place!r} must be {rule}; got {first['input']!r} ({where}). Change it."


def _known_keys(schema: type[Config], location: Sequence[int | str]) -> list[str]:
    """The keys that the table at `location` may have, found by walking the JSON schema."""
    root = schema.model_json_schema()
    nodes = [root]
    for part in location[:-1]:
        children = []
        for node in _tables(nodes, root):
            if part in node.get("properties", {}):
                children.append(node["properties"][part])
            elif isinstance(node.get("additionalProperties"), dict):
                children.append(node["additionalProperties"])
        # The name of the chosen member of a union is part of the location, but no key.
        nodes = children or nodes
    return [key for node in _tables(nodes, root) for key in node.get("properties", {})]


def _tables(nodes: Iterable[_Schema], root: _Schema) -> list[_Schema]:
    """Follow references and unions of a JSON schema to the tables they stand for."""
    tables = []
    for node in nodes:
        if "$ref" in node:
            tables += _tables([root["$defs"][node["$ref"].rpartition("/")[2]]], root)
        elif options := node.get("anyOf", node.get("oneOf")):
            tables += _tables(options, root)
        else:
            tables.append(node)
    return tables
