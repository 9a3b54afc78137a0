"""Recipes: TOML or JSON in, frozen and checked values out.

A recipe is parsed once, at the edge of a program. Unknown keys are refused with the nearest known
name, and `--set key=value` overrides any key before the check.
"""

import difflib
import json
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic_core import PydanticCustomError

from hypermagnetics.errors import RecipeError
from hypermagnetics.input_files import FileKind
from hypermagnetics.recipes import RecipeKind, shipped_recipe_text, shipped_recipes
from hypermagnetics.validation_errors import Misfit, first_misfit


class Config(BaseModel):
    """A part of a recipe: frozen, strictly typed, unknown keys refused, numbers finite.

    The docstring of a key is its description, in the schema and wherever a recipe is explained.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""A count, at least one."""

_FILE = FileKind("The recipe", 1 << 24, RecipeError, 1 << 16)
_Config = TypeVar("_Config", bound=Config)
_Table = dict[str, JsonValue]


@dataclass(frozen=True)
class SchemaChoice(Generic[_Config]):
    """Choice of the schema of a recipe by its tables."""

    of: Callable[[Mapping[str, JsonValue], str], type[_Config]]
    """Schema of a parsed recipe, whose source is named for messages."""


def load_recipe(
    schema: type[_Config] | SchemaChoice[_Config],
    kind: RecipeKind,
    recipe: str,
    overrides: Sequence[str] = (),
) -> _Config:
    """Read a recipe, apply overrides and check it.

    Args:
        schema: Schema of the recipe, or the choice of one.
        kind: Kind of the shipped recipes among which a bare name is looked up.
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


def checked(
    schema: type[_Config] | SchemaChoice[_Config], table: Mapping[str, JsonValue], where: str
) -> _Config:
    """Turn a parsed table into a checked value.

    Args:
        schema: Schema of the table, or the choice of one.
        table: Plain values.
        where: Source of the table, for messages.

    Returns:
        The checked value.

    Raises:
        RecipeError: With the first thing that does not fit.
    """
    if isinstance(schema, SchemaChoice):
        schema = schema.of(table, where)
    try:
        return schema.model_validate_json(json.dumps(table, default=str))
    except ValidationError as error:
        misfit = first_misfit(error, schema.model_json_schema(), "The recipe")
        raise RecipeError(f"{misfit.text} ({where}). {_remedy(misfit)}") from error


def with_values(recipe: _Config, values: Mapping[str, JsonValue], where: str) -> _Config:
    """A recipe with some of its values replaced.

    Args:
        recipe: A checked recipe.
        values: By key; dots separate tables.
        where: Source of the values, for messages.

    Returns:
        The checked recipe.

    Raises:
        RecipeError: If a key is unknown, or a value does not fit.
    """
    table = recipe.model_dump(mode="json")
    for key, value in values.items():
        _put(table, key, value, where)
    return checked(type(recipe), table, where)


def changed_recipe(
    schema: type[_Config] | SchemaChoice[_Config],
    kind: RecipeKind,
    recipe: str | _Config,
    changes: Mapping[str, Any],
) -> _Config:
    """A recipe with some of its values replaced, for Python.

    Args:
        schema: Schema of the recipe, or the choice of one.
        kind: Kind of the shipped recipes among which a bare name is looked up.
        recipe: A path, the name of a shipped recipe, or a checked recipe.
        changes: Values by key; also settings, as of a model, and numbers of numpy. A table changes
            the keys that it names; one of another `kind`, or a model of another `name`, takes the
            place of the whole table.

    Returns:
        The checked recipe.

    Raises:
        RecipeError: If there is no such recipe, a key is unknown, or a value does not fit.
    """
    if isinstance(recipe, str):
        before, where = load_recipe(schema, kind, recipe), f"recipe {recipe}"
    else:
        before, where = recipe, "the recipe"
    table = before.model_dump(mode="json")
    if changes:
        where += f" with {', '.join(changes)}"
    plain: _Table = json.loads(json.dumps(changes, default=_plain))
    return checked(schema, _merged(table, plain), where)


def refusal(key: str, rule: str, got: object, todo: str = "Change it.") -> PydanticCustomError:
    """Error about one key, for a validator of a whole table.

    Args:
        key: The key, below the table; dots separate tables.
        rule: The rule after "must".
        got: The value of the key.
        todo: The sentence that says how to mend it in a recipe; a file that a program wrote has a
            remedy of its own.

    Returns:
        The error, of which `validation_errors.first_misfit` makes a message.
    """
    about = {"key": key, "rule": rule, "got": got, "hint": todo}
    return PydanticCustomError("refused", "{rule}", about)


def unknown_name(rule: str, name: str, known: Sequence[str]) -> PydanticCustomError:
    """Error about an unknown name, for a validator.

    Args:
        rule: The rule after "must be", which lists them.
        name: The name that was given.
        known: The known ones.

    Returns:
        The error, of which a `RecipeError` is made that says the nearest.
    """
    hint = _meant(name, known) or "Change it."
    return PydanticCustomError("unknown_name", "{rule}", {"rule": rule, "hint": hint})


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that names the known word closest to `name`, or lists the known words."""
    words = sorted(known)
    return _meant(name, words) or f"Known: {', '.join(words)}."


def _meant(name: str, known: Sequence[str]) -> str | None:
    close = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]!r}?" if close else None


def _remedy(misfit: Misfit) -> str:
    if misfit.kind == "extra_forbidden":
        return nearest(misfit.key.rpartition(".")[2], misfit.known)
    if misfit.kind == "missing":
        return "Add it to the recipe."
    return misfit.remedy or "Change it."


def _read(kind: RecipeKind, recipe: str) -> _Table:
    path = Path(recipe)
    if path.suffix not in (".toml", ".json"):
        names = shipped_recipes(kind)
        if recipe not in names:
            raise RecipeError(
                f"The recipe must be a .toml or .json file or a shipped {kind} recipe, "
                f"{', '.join(names[:-1])} or {names[-1]}; got {recipe!r}. "
                f"{_meant(recipe, names) or 'Give one of these, or a file.'}"
            )
        return tomllib.loads(shipped_recipe_text(recipe, kind))
    if not path.exists():
        raise RecipeError(
            f"The recipe file must exist; got {recipe!r}. "
            f"Check the path, or take a shipped recipe: {', '.join(shipped_recipes(kind))}."
        )
    try:
        text = _FILE.read(path).decode("utf-8-sig")  # some editors write a byte order mark
        table = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except RecipeError:
        raise
    except (ValueError, RecursionError) as error:
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
    _put(table, key, _toml_value(value), f"--set {text}")


def _put(table: _Table, key: str, value: Any, where: str) -> None:
    *parents, leaf = key.split(".")
    inner = table
    for depth, name in enumerate(parents):
        child = inner.get(name)
        if not isinstance(child, dict):
            place = ".".join(parents[: depth + 1])
            tables = [key for key, value in inner.items() if isinstance(value, dict)]
            hint = nearest(name, tables) if tables else "Give a whole table there."
            raise RecipeError(
                f"An override must name a table of the recipe; got {place!r} ({where}). {hint}"
            )
        inner = child
    inner[leaf] = value


def _merged(table: _Table, changes: _Table) -> _Table:
    merged = dict(table)
    for key, value in changes.items():
        before = table.get(key)
        tags = ("name",) if key == "model" else ("kind", "distribution")
        if (
            isinstance(before, dict)
            and isinstance(value, dict)
            and not any(tag in value and value[tag] != before.get(tag) for tag in tags)
        ):
            merged[key] = _merged(before, value)
        else:
            merged[key] = value
    return merged


def _plain(value: Any) -> Any:
    """Settings, and numbers of numpy, as values of JSON."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _toml_value(text: str) -> Any:
    if text == "null":  # which some keys may be, and TOML cannot say
        return None
    try:
        value = tomllib.loads(f"value = {text}")["value"]
        json.dumps(value)
    except (ValueError, TypeError, RecursionError):
        return text
    return value
