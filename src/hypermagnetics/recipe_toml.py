"""A checked recipe as TOML: every key with its value, and its description as a comment."""

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar, get_args

from hypermagnetics.config import Config, SchemaChoice, load_recipe
from hypermagnetics.errors import RecipeError, printable
from hypermagnetics.recipes import RecipeKind, describe_recipe, shipped_recipes

_WIDTH = 100
"""Most characters of a line of a comment."""
_COMMANDS: dict[RecipeKind, str] = {
    "dataset": "hm-generate FILE.toml OUT",
    "training": "hm-train DATASET RUN --recipe FILE.toml",
}
_Recipe = TypeVar("_Recipe", bound=Config)


def shown_recipe(
    schema: type[_Recipe] | SchemaChoice[_Recipe],
    kind: RecipeKind,
    recipe: str,
    overrides: Sequence[str] = (),
) -> str:
    """Write a recipe to start from: complete, explained, and read back as the same.

    Args:
        schema: Schema of the recipe, or the choice of one.
        kind: Kind of the shipped recipes among which a bare name is looked up.
        recipe: A path to a .toml or .json file, or the name of a shipped recipe.
        overrides: `key=value` texts, as for `load_recipe`.

    Returns:
        TOML.

    Raises:
        RecipeError: If there is no such recipe, or it or an override does not fit.
    """
    text = recipe_toml(load_recipe(schema, kind, recipe, overrides))
    heading = []
    if recipe in shipped_recipes(kind):
        about = "Changed by --set." if overrides else describe_recipe(recipe, kind)
        heading = [f"# {recipe}", *_comment(about), "#"]
    heading += _comment(
        f"All keys of the recipe, for {_COMMANDS[kind]}. A key that is left out has its default. "
        "One behind a # is null, not set, for which TOML has no word: remove the # and give it a "
        "value. docs/recipes.md has the keys of other choices."
    )
    return "\n".join([*heading, "", text])


def recipe_toml(recipe: Config) -> str:
    """Write all keys of a recipe, those left at their defaults too.

    A key is described where it stands first. TOML has no null, so a key without a value stands in
    a comment, `#key = null`.

    Args:
        recipe: A checked recipe.

    Returns:
        TOML that is read as the same recipe.

    Raises:
        RecipeError: If a list, or a table of free form, holds a null.
    """
    return "\n".join(_lines(recipe, "", (), set())) + "\n"


def alternatives(annotation: object) -> tuple[type[Config], ...]:
    """The tables that a key of some type may hold, by their schemas; none for a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return (annotation,)
    return tuple(table for part in get_args(annotation) for table in alternatives(part))


class Tag(NamedTuple):
    """The key that tells a table from its alternatives."""

    key: str
    value: str


def tag_of(schema: type[Config]) -> Tag | None:
    """The first key of a table that can have one text alone; None if there is no such key."""
    return next(iter(tags_of(schema)), None)


def tags_of(schema: type[Config]) -> tuple[Tag, ...]:
    """The keys of a table that can have one text alone."""
    found = []
    for key, field in schema.model_fields.items():
        match get_args(field.annotation):
            case (str(value),):
                found.append(Tag(key, value))
    return tuple(found)


class _Part(NamedTuple):
    """A table inside of a recipe."""

    header: str
    place: str
    table: Config


def _lines(
    table: Config, place: str, choices: Sequence[type[Config]], described: set[type[Config]]
) -> Iterator[str]:
    """Yield the lines below the header of a table: its values, then the tables inside of it."""
    schema, describes = type(table), type(table) not in described
    described.add(schema)
    inner = []
    for name, field in schema.model_fields.items():
        value = getattr(table, name)
        if parts := _parts(value, place + name):
            inner.append((field, parts))
            continue
        yield from _comment(
            f"{field.description if describes else ''} {_others(schema, name, choices)}"
        )
        yield f"#{name} = null" if value is None else f"{name} = {_value(value, place + name)}"
    for field, parts in inner:
        for number, part in enumerate(parts):
            yield ""
            if describes and number == 0:
                yield from _comment(str(field.description))
            yield part.header
            choices = alternatives(field.annotation) if describes else ()
            yield from _lines(part.table, f"{part.place}.", choices, described)


def _parts(value: object, place: str) -> list[_Part]:
    """The tables that a value consists of; none if it is a plain value."""
    match value:
        case Config():
            return [_Part(f"[{place}]", place, value)]
        case Mapping():
            named = {f"{place}.{_key(name)}": table for name, table in value.items()}
            return [
                _Part(f"[{below}]", below, table)
                for below, table in named.items()
                if isinstance(table, Config)
            ]
        case tuple():
            return [
                _Part(f"[[{place}]]", place, table) for table in value if isinstance(table, Config)
            ]
    return []


def _others(schema: type[Config], name: str, choices: Sequence[type[Config]]) -> str:
    """A sentence about the alternatives to a table, at the key that tells it from them."""
    own = tag_of(schema)
    if own is None or own.key != name:
        return ""
    tags = [tag for choice in choices if choice is not schema and (tag := tag_of(choice))]
    return f"Others: {', '.join(json.dumps(tag.value) for tag in tags)}." if tags else ""


def _comment(text: str) -> list[str]:
    return [
        f"# {line}"
        for line in textwrap.wrap(text, _WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    ]


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _value(value: object, place: str) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value).replace("e-0", "e-")
        case str():
            return _text(value)
        case Mapping():
            entries = [f"{_key(k)} = {_value(v, f'{place}.{k}')}" for k, v in value.items()]
            return f"{{ {', '.join(entries)} }}" if entries else "{}"
        case tuple() | list():
            return f"[{', '.join(_value(entry, place) for entry in value)}]"
    raise RecipeError(
        f"A recipe in TOML must be made of texts, numbers, lists and tables; got {value!r} "
        f"({place}). Give it another value, or write the recipe as JSON."
    )


def _text(text: str) -> str:
    """A text of TOML: one of JSON, but for control characters that JSON leaves as they are."""
    return "".join(
        character if printable(character, "") == character else f"\\U{ord(character):08x}"
        for character in json.dumps(text, ensure_ascii=False)
    )
