"""`--show`: a recipe to start from, which is read back as the same."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from program_runs import assert_refused, invoke, settings

from hypermagnetics.config import checked, load_recipe
from hypermagnetics.errors import RecipeError
from hypermagnetics.generate.recipes import DATASET_SCHEMA
from hypermagnetics.recipe_toml import recipe_toml
from hypermagnetics.recipes import RecipeKind, shipped_recipes
from hypermagnetics.train.config import TrainingRecipe

KINDS: dict[str, tuple[RecipeKind, Any]] = {
    "hm-generate": ("dataset", DATASET_SCHEMA),
    "hm-train": ("training", TrainingRecipe),
}
SHIPPED = [(program, name) for program in KINDS for name in shipped_recipes(KINDS[program][0])]

FREE = ("arguments", "settings", "weights")
"""Tables of free form, which stand in one line."""


def shown(program: str, *words: object) -> str:
    """The text that a program prints."""
    ran = invoke(program, "--show", *words)
    assert (ran.code, ran.stderr) == (0, "")
    return ran.stdout


@pytest.mark.parametrize(("program", "name"), SHIPPED)
def test_a_shown_recipe_is_read_back_as_the_same(program: str, name: str, tmp_path: Path) -> None:
    """Whole, from a file as it was printed."""
    kind, schema = KINDS[program]
    file = tmp_path / "recipe.toml"
    file.write_text(shown(program, name), encoding="utf-8")
    recipe = load_recipe(schema, kind, name)
    assert load_recipe(schema, kind, str(file)) == recipe
    assert set(leaves(recipe.model_dump())) == named_in(file.read_text(encoding="utf-8"))
    # Shown again, from the file, it is the same but for the lines about the shipped recipe.
    assert shown(program, file) in file.read_text(encoding="utf-8")


def leaves(values: dict[str, Any], above: str = "") -> Iterator[str]:
    """Yield the keys of a recipe that hold no table, also in lists of tables."""
    for name, value in values.items():
        tables = [one for one in (value if isinstance(value, tuple) else [value]) if one]
        if name in FREE or not tables or not all(isinstance(one, dict) for one in tables):
            yield above + name
            continue
        for table in tables:
            yield from leaves(table, f"{above}{name}.")


def named_in(text: str) -> set[str]:
    """Keys of a text of TOML, also those in comments."""
    found, place = set(), ""
    for line in text.splitlines():
        if header := re.fullmatch(r"\[+([^]]+)\]+", line):
            place = header[1] + "."
        elif key := re.match(r"#?(\w+) = ", line):
            found.add(place + key[1])
    return found


def test_a_shown_recipe_makes_a_dataset(tmp_path: Path) -> None:
    """As the program reads it from a file."""
    file = tmp_path / "recipe.toml"
    file.write_text(shown("hm-generate", "mixed-2d"), encoding="utf-8")
    plans = [
        invoke("hm-generate", recipe, tmp_path / "out", "--dry-run").stdout.split("free")[0]
        for recipe in ("mixed-2d", file)
    ]
    assert plans[0] == plans[1]


def test_keys_are_explained_where_they_first_stand() -> None:
    """With the choices there are, and null behind a mark of comments."""
    text = shown("hm-generate", "paper-discs-2d")
    assert text.startswith("# paper-discs-2d\n# Discs of radius 1, one or four at a time, as in")
    assert text.count("# Half the side of the box around the origin [m].\nhalf_width = 3.0\n") == 1
    assert text.count("# Number of samples.") == 1
    assert 'Others: "sphere", "aligned",\n# "constant".\ndistribution = "normal"\n' in text
    assert 'Others: "uniform", "lattice", "packed", "constant".\ndistribution = "normal"\n' in text
    assert re.search(r"\n# .* null for\n# equal shares\.\n#share = null\n", text)
    assert max(map(len, text.splitlines())) <= 100


def test_overrides_are_shown() -> None:
    """And no longer what the shipped recipe says of itself."""
    text = shown("hm-train", "demo", *settings("model.width=48", "validation.patience=3"))
    table = tomllib.loads(text)
    assert (table["model"]["width"], table["validation"]["patience"]) == (48, 3)
    assert text.startswith("# demo\n# Changed by --set.\n")


@pytest.mark.parametrize("program", KINDS)
def test_an_unknown_name_is_answered_with_all_names(program: str) -> None:
    """And the nearest, if there is one."""
    names = shipped_recipes(KINDS[program][0])
    said = f"{', '.join(names[:-1])} or {names[-1]}"
    assert_refused(invoke(program, "--show", "demp"), said, "got 'demp'. Did you mean 'demo'?")
    assert_refused(
        invoke(program, "--show", "xyz"), said, "got 'xyz'. Give one of these, or a file."
    )


def test_nothing_else_stands_beside_it(tmp_path: Path) -> None:
    """It would be passed over; and without it the arguments are needed as ever."""
    for words in (("demo",), ("--overwrite",), ("--format", "hdf5")):
        ran = invoke("hm-generate", "--show", "demo", *words)
        assert_refused(ran, "--show must stand alone or beside --set", "Leave one out.")
    for words in ((tmp_path,), ("--resume",), ("--recipe", "linear"), ("--points", "3")):
        ran = invoke("hm-train", "--show", "demo", *words)
        assert_refused(ran, "--show must stand alone or beside --set", "Leave one out.")
    for program in KINDS:
        ran = invoke(program, "demo")
        assert ran.code == 2
        assert "Error: Missing argument" in ran.stderr


def odd(**values: object) -> TrainingRecipe:
    """A recipe with phases, code of a user, and arguments of free form."""
    table = {
        "model": {
            "name": "my.module:Model",
            "settings": {"deep er": {"a": [1, 2.5e-7, True, 'q"\\']}},
        },
        "optimiser": {
            "arguments": {"text": "tab\t bell\x07 del\x7f nel\x85 \u202e \U0001f9f2", **values}
        },
        "objective": {
            "loss": "my.module:loss",
            "terms": {
                "a-b": {"of": "field", "loss": "relative", "regions": {"near": 2.0}},
                "b": {"of": "potential"},
            },
        },
        "schedule": {
            "phases": [
                {
                    "steps": 3,
                    "learning_rate": 1e-12,
                    "optimiser": {"name": "lion"},
                    "freeze": ["a"],
                },
                {"steps": 4, "learning_rate": 10.0, "weights": {"a-b": 0.0}},
            ]
        },
    }
    return checked(TrainingRecipe, table, "the test")


def test_any_recipe_can_be_written() -> None:
    """With lists of tables, tables in tables, and texts that need escapes."""
    recipe = odd(nested={"list": [[], {}]})
    assert checked(TrainingRecipe, tomllib.loads(recipe_toml(recipe)), "the text") == recipe
    with pytest.raises(RecipeError, match=r"must be .*; got None \(optimiser\.arguments\.b1\)"):
        recipe_toml(odd(b1=[None]))
