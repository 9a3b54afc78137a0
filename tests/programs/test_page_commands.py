"""What the pages type is taken by the programs, as far as their words and keys go."""

import re
import shlex
from collections.abc import Mapping
from typing import Any

import click
import pytest
from packaging_facts import ROOT
from program_runs import COMMANDS

from hypermagnetics.config import load_recipe
from hypermagnetics.evaluate.results.gates import parse_gate
from hypermagnetics.generate.recipes import DATASET_SCHEMA
from hypermagnetics.subcommands import CommandOrSubcommand
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.default_recipe import default_recipe
from hypermagnetics.train.user_code import Names

PAGES = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{p.name}" for p in ROOT.glob("docs/*.md")))
PLACEHOLDERS = {"SEED_OF_DATA": "0", "SEED": "0", "RECIPE": "demo", "DATASET": "demo"}
"""Words of a page that stand for others, with one of these."""
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_SHELL = {"", "text", "sh", "bash", "console"}
"""Languages of blocks that hold commands."""
_SEPARATORS = {"|", "||", "&", "&&", ";", ">", ">>", "<"}


def lines_of(text: str) -> list[str]:
    """Lines of code that is indented, or fenced as text."""
    joined = re.sub(r" *\\\n *", " ", text)  # a command of several lines
    blocks = [block for _, language, block in _FENCE.findall(joined) if language in _SHELL]
    indented = re.findall(r"^ {4,}(.*)$", _FENCE.sub("", joined), re.MULTILINE)
    return [*indented, *(line for block in blocks for line in block.splitlines())]


def commands_of(line: str) -> list[list[str]]:
    """Words of each command of our programs in a line."""
    # [--option VALUE]... may be left out or given again; A... is one or more.
    line = re.sub(r"\[(--[^\]]*)\](?:\.\.\.)?", r"\1", line).replace("...", "")
    if not re.search(r"\bhm-\w+ ", line):
        return []
    words = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    words.whitespace_split = True
    found: list[list[str]] = [[]]
    for word in words:
        if word in _SEPARATORS:
            found.append([])
        elif found[-1] or word in COMMANDS:  # before the program stand variables, or srun
            found[-1].append(word)
    return [command for command in found if command]


TYPED = sorted(
    {
        (page, shlex.join(command))
        for page in PAGES
        for line in lines_of((ROOT / page).read_text(encoding="utf-8"))
        for command in commands_of(line)
    }
)


def parsed(name: str, words: list[str]) -> tuple[str, click.Context]:
    """Name of a command or subcommand, and its parsed words."""
    command = COMMANDS[name]
    if isinstance(command, click.Group):
        name, command, words = f"{name} {words[0]}", command.commands[words[0]], words[1:]
    elif isinstance(command, CommandOrSubcommand) and words[0] in command.subcommands:
        name, command, words = f"{name} {words[0]}", command.subcommands[words[0]], words[1:]
    return name, command.make_context(name, words)


def shipped(recipe: str) -> str:
    """A shipped recipe, or one for which a placeholder or a file of the user stands."""
    return "demo" if recipe.endswith(".toml") else PLACEHOLDERS.get(recipe, recipe)


def check_dataset_recipe(given: Mapping[str, Any], overrides: tuple[str, ...]) -> None:
    """Refuse keys that the recipe of hm-generate does not have."""
    load_recipe(DATASET_SCHEMA, "dataset", shipped(given["shown"] or given["recipe"]), overrides)


def check_training_recipe(given: Mapping[str, Any], overrides: tuple[str, ...]) -> None:
    """Refuse keys that the recipe of hm-train does not have."""
    names = Names(*(given[key] for key in ("model", "objectives", "physics", "normalisation")))
    overrides = (*names.overrides, *overrides)

    def changed(name: str) -> TrainingRecipe:
        return load_recipe(TrainingRecipe, "training", shipped(name), overrides)

    if recipe := given["shown"] or given["recipe"]:
        changed(recipe)
        return
    pairs = (text.partition("=") for text in overrides)
    assert default_recipe({key: value for key, _, value in pairs}, changed).recipe


def test_every_program_is_typed() -> None:
    """By some page, and every page of commands is looked at."""
    assert {shlex.split(command)[0] for _, command in TYPED} == {*COMMANDS}
    assert {"README.md", "docs/sharing.md", "docs/metrics.md"} <= {page for page, _ in TYPED}


@pytest.mark.parametrize(
    ("line", "commands"),
    [
        ("hm-eval A... [--split NAME]... # and", [["hm-eval", "A", "--split", "NAME"]]),
        ("JAX_PLATFORMS=cpu hm-data info x", [["hm-data", "info", "x"]]),
        ("hm-data info x && hm-data head y", [["hm-data", "info", "x"], ["hm-data", "head", "y"]]),
        ("hm-eval a --gate 'b < 1' | jq '.c | d'", [["hm-eval", "a", "--gate", "b < 1"]]),
        ("hm-train --show demo > my.toml", [["hm-train", "--show", "demo"]]),
        ("make demo", []),
    ],
)
def test_commands_of_a_line(line: str, commands: list[list[str]]) -> None:
    """Without comments, other programs, and the marks of what may be left out."""
    assert commands_of(line) == commands


@pytest.mark.parametrize(("page", "command"), TYPED)
def test_what_pages_type_is_taken(page: str, command: str) -> None:
    """Every option exists, every argument is there, and every --set names a key."""
    program, *words = shlex.split(command)
    try:
        name, context = parsed(program, words)
    except click.exceptions.Exit as done:
        if done.exit_code:
            raise
        return  # --list has been answered
    given = context.params
    overrides = tuple(
        f"{key}={PLACEHOLDERS.get(value, value)}"
        for key, _, value in (text.partition("=") for text in given.get("overrides", ()))
    )
    if name == "hm-generate":
        check_dataset_recipe(given, overrides)
    elif name == "hm-train":
        check_training_recipe(given, overrides)
    for gate in given.get("gate_texts", ()):
        parse_gate(gate)
