"""Write docs/recipes.md: every key of all kinds of recipe, from their schemas.

    python docs/write_recipes.py

`page` is its text, which a test compares with the file.
"""

import inspect
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_origin

from pydantic.fields import FieldInfo

from hypermagnetics.config import Config
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.states import StatesRecipe
from hypermagnetics.models.user import UserModelConfig
from hypermagnetics.recipe_toml import Tag, alternatives, tag_of, tags_of
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.losses import UserLoss

FILE = Path(__file__).with_name("recipes.md")
INTRODUCTION = """\
# Recipes

Every key of a recipe. `make docs` writes this page from the docstrings and bounds in the code; a
change by hand is lost.

    hm-generate --list                              # the shipped recipes
    hm-generate --show paper-discs-2d > my.toml     # one of them, complete and explained
    hm-generate my.toml discs
    hm-train --show split-5min > mine.toml          # the same for a training
    hm-train discs run --recipe mine.toml

A recipe is a TOML or JSON file, or the name of a shipped one, and `--set key=value` overrides any
of its keys, as in `--set splits.train.num_samples=50000`. A key that is left out has its default;
an unknown one is refused, and the nearest known one named. Which recipe hm-train takes without
`--recipe` is said in [training.md](training.md#without---recipe).

- **Datasets** are of sources, their potential and field, or, with a table `states` in place of
  `sources` and `grid`, of trajectories of states.
- **null** means not set. TOML has no word for it: there the key is left out. `--set` and JSON say
  `null`.
- **Choices**: a table with a `kind`, a `distribution` or a `name` has the keys of that choice and
  no others. The place of a table is its header in TOML; `[[...]]` is one of a list of tables, and
  NAME a name of yours.
- **Units**: lengths are in m, moments in A m², in two dimensions in A m. A model reads lengths in
  length scales: the root mean square of the coordinates of all points, 1.73 m for points between
  -3 and 3 m, unless `normalisation.scales` says otherwise.
"""
OWN = (UserLoss, UserModelConfig)
"""Choices that stand for code of a user."""
PLURALS = {"number": "numbers", "whole number": "whole numbers", "text": "texts"}
_TYPES = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
}
Schema = Mapping[str, Any]
"""A JSON schema, as pydantic writes it."""


class Section(NamedTuple):
    """The keys of a table."""

    schema: type[Config]
    places: tuple[str, ...]
    """Headers in TOML; none for the whole recipe."""
    owner: Tag | None
    """The choice that alone has such a table."""
    repeated: int = 0
    """Number of sections above with the same heading, in other kinds of recipe."""

    @property
    def heading(self) -> str:
        """Heading of the section."""
        places = _listed(tuple(f"`{place}`" for place in self.places))
        tags = [f"`{tag.key} = {json.dumps(tag.value)}`" for tag in tags_of(self.schema)]
        choice = f" with {' and '.join(tags)}" if tags else ""
        own = ", one of your own" if self.schema in OWN else ""
        owner = f", of `{json.dumps(self.owner.value)}`" if self.owner else ""
        return f"{places}{choice}{own}{owner}"

    @property
    def link(self) -> str:
        """A link to the section."""
        own = "one of your own" if self.schema in OWN else "table"
        texts = ", ".join(json.dumps(tag.value) for tag in tags_of(self.schema))
        return f"[{texts or own}](#{self.anchor})"

    @property
    def anchor(self) -> str:
        """Anchor of the heading, as GitHub makes it."""
        anchor = re.sub(r"[^\w\- ]", "", self.heading.lower()).replace(" ", "-")
        return f"{anchor}-{self.repeated}" if self.repeated else anchor


class Allowed(NamedTuple):
    """The values of a key, in words."""

    types: tuple[str, ...]
    bounds: tuple[str, ...] = ()


def page() -> str:
    """The text of docs/recipes.md."""
    parts = [INTRODUCTION]
    headings: Counter[str] = Counter()
    for title, recipe in (
        ("Recipes of datasets, for hm-generate", DatasetRecipe),
        ("Recipes of datasets of states, for hm-generate", StatesRecipe),
        ("Recipes of trainings, for hm-train", TrainingRecipe),
    ):
        sections = [one._replace(repeated=headings[one.heading]) for one in _sections(recipe)]
        headings.update(section.heading for section in sections)
        links = {section.schema.__name__: section for section in sections}
        assert len(links) == len({section.anchor for section in sections}) == len(sections)
        parts.append(f"## {title}\n")
        for section in sections:
            if section.places:
                parts.append(f"### {section.heading}\n")
                if tag_of(section.schema) is None:  # else the choice itself says so
                    parts.append(_about(section.schema) + "\n")
            parts.append("\n".join(_table(section.schema, links)) + "\n")
    return "\n".join(parts)


def _sections(recipe: type[Config]) -> list[Section]:
    """The tables of a recipe, each schema where it stands first, followed by those inside of it."""
    # By schema: its headers, and the schemas of the tables around it.
    found: dict[type[Config], tuple[list[str], list[type[Config]]]] = {recipe: ([], [])}

    def walk(place: str, schema: type[Config]) -> None:
        for name, field in schema.model_fields.items():
            for table in alternatives(field.annotation):
                below = _below(place, name, field)
                is_new = table not in found
                places, parents = found.setdefault(table, ([], []))
                places.append(below)
                parents.append(schema)
                if is_new:
                    walk(below, table)

    walk("", recipe)
    return [
        Section(
            schema,
            tuple(dict.fromkeys(places)),
            tag_of(parents[0]) if len(set(parents)) == 1 else None,
        )
        for schema, (places, parents) in found.items()
    ]


def _below(place: str, name: str, field: FieldInfo) -> str:
    path = ".".join(filter(None, (place.strip("[]"), name)))
    kind = get_origin(field.annotation)
    if kind is tuple:
        return f"[[{path}]]"
    return f"[{path}.NAME]" if kind is dict else f"[{path}]"


def _about(schema: type[Config]) -> str:
    text = (inspect.getdoc(schema) or "").partition("\n\nReferences:")[0]
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _table(schema: type[Config], links: Mapping[str, Section]) -> Iterator[str]:
    yield "| key | type | bounds | default | description |"
    yield "|---|---|---|---|---|"
    nodes = schema.model_json_schema()["properties"]
    for name, field in schema.model_fields.items():
        allowed = _allowed(nodes[name], links)
        cells = (
            f"`{name}`",
            _listed(allowed.types),
            "; ".join(dict.fromkeys(allowed.bounds)),
            _default(field),
            " ".join(str(field.description).split()),
        )
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _allowed(node: Schema, links: Mapping[str, Section]) -> Allowed:
    if "$ref" in node:
        section = links.get(node["$ref"].rpartition("/")[2])
        return Allowed((section.link if section else "any value",))
    if options := node.get("anyOf", node.get("oneOf")):
        parts = [_allowed(option, links) for option in options]
        return Allowed(
            tuple(kind for part in parts for kind in part.types),
            tuple(bound for part in parts for bound in part.bounds),
        )
    if values := [node["const"]] if "const" in node else node.get("enum"):
        return Allowed(tuple(f"`{json.dumps(value)}`" for value in values))
    match node.get("type"):
        case "array":
            return _array(node, links)
        case "object":
            return _object(node, links)
        case None:
            return Allowed(("any value",))
        case kind:
            return Allowed((_TYPES[kind],), tuple(_bounds(node)))


def _array(node: Schema, links: Mapping[str, Section]) -> Allowed:
    if "items" not in node:  # a fixed number of entries, all alike
        node = {**node, "items": node["prefixItems"][0]}
    entry = _allowed(node["items"], links)
    least, most = node.get("minItems"), node.get("maxItems")
    of = _listed(tuple(_plural(kind) for kind in entry.types))
    bounds = [f"each {bound}" for bound in entry.bounds]
    if least is not None and least == most:
        return Allowed((f"list of {least} {of}",), tuple(bounds))
    if least is not None:
        bounds.append(f"{least} to {most} entries" if most else f"at least {least} entries")
    return Allowed((f"list of {of}",), tuple(bounds))


def _plural(kind: str) -> str:
    return PLURALS.get(kind, re.sub("^list ", "lists ", kind))


def _object(node: Schema, links: Mapping[str, Section]) -> Allowed:
    patterns = node.get("patternProperties", {})
    values = [*patterns.values(), node.get("additionalProperties")]
    entry = _allowed(next(value for value in values if isinstance(value, dict)), links)
    bounds = [f"names match `{pattern}`" for pattern in patterns]
    if "minProperties" in node:
        bounds.append("at least one")
    of = _listed(tuple(_plural(kind) for kind in entry.types))
    return Allowed((f"table of {of} by name",), (*bounds, *(f"each {b}" for b in entry.bounds)))


def _bounds(node: Schema) -> Iterator[str]:
    match node:
        case {"minimum": least, "maximum": most}:
            yield f"{_number(least)} to {_number(most)}"
        case _:
            signs = {
                "exclusiveMinimum": ">",
                "minimum": "≥",
                "exclusiveMaximum": "<",
                "maximum": "≤",
            }
            limits = [f"{sign} {_number(node[key])}" for key, sign in signs.items() if key in node]
            if limits:
                yield " and ".join(limits)
    if "maxLength" in node:
        yield f"{node.get('minLength', 0)} to {node['maxLength']} characters"
    elif "minLength" in node:
        yield "not empty"
    if "pattern" in node:
        yield f"matches `{node['pattern']}`"


def _number(value: float) -> str:
    """A number; large powers of two, and one less, as such."""
    if isinstance(value, int) and value >= 2**20:
        for number, rest in ((value, ""), (value + 1, " - 1")):
            if number & (number - 1) == 0:
                return f"2^{number.bit_length() - 1}{rest}"
    return f"{value:g}".replace("e-0", "e-") if isinstance(value, float) else str(value)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    match field.get_default(call_default_factory=True):
        case Config() as table:
            tag = tag_of(type(table))
            return f"`{json.dumps(tag.value)}`" if tag else "its defaults"
        case dict() as tables if tables:
            return " and ".join(f"`{name}`" for name in tables)
        case None:
            return "null"
        case value:
            return f"`{json.dumps(value)}`"


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(words[:-1]) + " or " * (len(words) > 1) + "".join(words[-1:])


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
