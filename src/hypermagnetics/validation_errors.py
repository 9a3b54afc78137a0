"""Validation errors of pydantic, in the form that all messages of this package have."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

Schema = dict[str, Any]
"""A JSON schema, as pydantic writes it."""

_MAX_SHOWN = 100
"""Most characters of a value in a message."""


class Misfit(NamedTuple):
    """A value that does not fit a schema."""

    text: str
    """`<key> must <rule>; got <value>`, to which the caller adds the place and the remedy."""
    kind: str
    """Type of the error, as pydantic names it; "missing" for all kinds of absence."""
    key: str
    """Dots separate tables; empty for the whole."""
    known: tuple[str, ...]
    """Keys that could stand in place of an unknown one."""
    remedy: str | None
    """The remedy of a `config.refusal`."""


def first_misfit(error: ValidationError, schema: Schema, whole: str) -> Misfit:
    """Put the first error of a validation into words.

    Args:
        error: Errors of the validation.
        schema: JSON schema of the whole, which tells keys from the names of members of unions.
        whole: Name of the whole, such as "The recipe", for errors that are about no key.

    Returns:
        The first error. An unknown key comes before all others: it says more than the missing one
        that it was meant to be.
    """
    first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    kind, context, got = first["type"], first.get("ctx", {}), _shown(first["input"])
    is_unknown = kind == "extra_forbidden"
    keys, tables = _follow(schema, first["loc"][:-1] if is_unknown else first["loc"])
    known: list[str] = []
    match = re.fullmatch(r"\w+ should (.+?)( after validation, not \d+)?", first["msg"])
    rule = match[1] if match else "be " + first["msg"].removeprefix("Value error, ")
    if is_unknown:
        unknown = str(first["loc"][-1])
        keys.append(unknown)
        rule = "be a known key"
        # Of members of a union with the same name, one that has the key is not the one meant.
        of_tables = [table.get("properties", {}) for table in tables]
        known = [name for names in of_tables if unknown not in names for name in names]
    elif kind.startswith("union_tag"):
        keys.append(context["discriminator"].strip("'"))
        rule, got = f"be one of {context.get('expected_tags')}", _shown(context.get("tag"))
    elif kind == "refused":
        keys.append(context["key"])
        rule, got = context["rule"], _shown(context["got"])
    elif kind.startswith("unexpected_"):  # as older releases of pydantic say of a row
        rule = "have no further entry"
    elif kind == "json_invalid":
        rule, got = "be JSON", f"invalid JSON: {context['error']}"
    if kind in ("missing", "missing_argument", "union_tag_not_found"):
        kind, rule, got = "missing", "be given", "nothing"
    key = ".".join(keys)
    text = f"{repr(key) if key else whole} must {rule}; got {got}"
    return Misfit(text, kind, key, tuple(known), context.get("hint"))


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]} ..."


def _follow(root: Schema, location: Sequence[int | str]) -> tuple[list[str], list[Schema]]:
    """Walk a JSON schema along a location.

    Returns:
        The keys of the location that exist (the name of a member of a union is part of it, but no
        key), and the tables at the last of them.
    """
    tables, keys = [root], []
    for part in location:
        members = [table for table in tables if _is_member(table, part)]
        if len(tables) > 1 and members:
            # Also of a kind that is named as one of its keys.
            tables = members
            continue
        children = [child for table in tables for child in _children(table, part)]
        if children:
            # An entry of a NamedTuple has a name, which is its title.
            titled = isinstance(part, int) and "title" in children[0]
            keys.append(_name(children[0]) if titled else str(part))
            tables = _tables(children, root)
        else:
            tables = members or tables
    return keys, tables


def _children(table: Schema, part: int | str) -> list[Schema]:
    """The nodes of a JSON schema below one of its tables."""
    rows = table.get("prefixItems", ())
    if isinstance(part, int):
        return [rows[part]] if part < len(rows) else [table["items"]] if "items" in table else []
    if named := [row for row in rows if _name(row) == part]:
        return named
    if part in table.get("properties", {}):
        return [table["properties"][part]]
    if isinstance(others := table.get("additionalProperties"), dict):
        return [others]
    patterns = table.get("patternProperties", {})
    return [node for rule, node in patterns.items() if re.search(rule, part)]


def _name(entry: Schema) -> str:
    """Name of an entry of a row, from its title."""
    return str(entry.get("title", "")).lower().replace(" ", "_")


def _is_member(table: Schema, name: int | str) -> bool:
    """Whether a table is the member of a union with this name, its own or that of a key."""
    properties = table.get("properties", {}).values()
    return table.get("title") == name or any(node.get("const") == name for node in properties)


def _tables(nodes: Iterable[Schema], root: Schema) -> list[Schema]:
    """Resolve references and unions of a JSON schema to tables."""
    tables = []
    for node in nodes:
        if "$ref" in node:
            tables += _tables([root["$defs"][node["$ref"].rpartition("/")[2]]], root)
        elif options := node.get("anyOf", node.get("oneOf")):
            tables += _tables(options, root)
        else:
            tables.append(node)
    return tables
