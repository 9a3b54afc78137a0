"""Numbers at the ends of their ranges, and empty texts, in every place of every command line."""

from pathlib import Path
from typing import NamedTuple

import click
import pytest
from program_runs import (
    COMMANDS,
    ONE_SPLIT_RECIPE,
    TRAINING_RECIPE,
    finished_dataset,
    finished_run,
    invoke,
    settings,
)

from hypermagnetics.subcommands import CommandOrSubcommand

NUMBERS = ("inf", "-inf", "nan", "1e308", "1" + "0" * 400, "-1", "0", "1e-320", "")
OF_NUMBERS = (click.types.IntParamType, click.types.FloatParamType)

ONE_STEP = settings("schedule.max_steps=1", "checkpoint.every=1", "validation.every=1")
BASES = {
    "hm-data info": ("DATA",),
    "hm-data head": ("DATA",),
    "hm-data verify": ("DATA", "--recompute", "0.01"),
    "hm-data convert": ("DATA", "out"),
    "hm-data import": ("absent.h5", "out"),
    "hm-data import-arrays": ("out", "--inputs", "absent.npy", "--targets", "absent.npy"),
    "hm-data upload": ("DATA", "ftp://host/data"),
    "hm-data download": ("ftp://host/data", "out"),
    "hm-data export": ("hf", "DATA", "out"),
    "hm-generate": (*ONE_SPLIT_RECIPE, "out", "--dry-run"),
    "hm-train": ("DATA", "out", *TRAINING_RECIPE, *ONE_STEP),
    "hm-train export": ("RUN", "out"),
    "hm-train plot": ("RUN",),
    "hm-train sweep": ("demo", "absent.toml", "out"),
    "hm-eval": ("RUN", "DATA", "--split", "test_single", "--metrics-only", "--out", "out"),
    "hm-eval compare": ("RUN/eval",),
}
"""Arguments with which a command does little."""


class Place(NamedTuple):
    """An argument or an option of a command."""

    command: str
    parameter: click.Parameter

    def __str__(self) -> str:
        return f"{self.command} {self.parameter.name}"

    def filled(self, value: str) -> tuple[str, ...]:
        """The base of the command with a value in this place."""
        base = BASES[self.command]
        if isinstance(self.parameter, click.Option):
            return (*base, self.parameter.opts[0], value)
        arguments = [
            one for one in commands()[self.command].params if isinstance(one, click.Argument)
        ]
        number = arguments.index(self.parameter)
        return (*base[:number], value, *base[number + 1 :])


def commands() -> dict[str, click.Command]:
    """All commands by the words that begin them."""
    found: dict[str, click.Command] = {}
    for name, command in COMMANDS.items():
        if isinstance(command, click.Group):
            below = command.commands
        else:
            assert isinstance(command, click.Command)
            found[name] = command
            below = dict(command.subcommands) if isinstance(command, CommandOrSubcommand) else {}
        found |= {f"{name} {word}": one for word, one in below.items()}
    return found


PLACES = [
    Place(words, parameter)
    for words, command in commands().items()
    for parameter in command.params
    if not (isinstance(parameter, click.Option) and parameter.is_flag)
]
"""Every place with a value."""


def assert_answered(place: Place, value: str) -> None:
    """Success, or one line with the error; `invoke` raises what would be a traceback."""
    given = {"DATA": finished_dataset("zarr").path, "RUN": finished_run("zarr").path}
    name, *below = place.command.split()
    ran = invoke(name, *below, *(given.get(word, word) for word in place.filled(value)))
    complaints = [line for line in ran.complaints if not line.startswith(("Usage:", "Try '"))]
    assert ran.code in (0, 2), (value, ran)
    assert len([line for line in complaints if line]) == (ran.code == 2), (value, ran)


@pytest.mark.slow_cases
@pytest.mark.parametrize(
    "place",
    [place for place in PLACES if isinstance(place.parameter.type, OF_NUMBERS)],
    ids=str,
)
def test_a_number_is_taken_or_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Place
) -> None:
    """Also where it is infinite, or none."""
    for number, value in enumerate(NUMBERS):
        (directory := tmp_path / str(number)).mkdir()
        monkeypatch.chdir(directory)
        assert_answered(place, value)


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_an_empty_text_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Place
) -> None:
    """As of a variable of a shell that is not set: it does not mean the working directory."""
    monkeypatch.chdir(tmp_path)
    assert_answered(place, "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", ["inf", "nan", "1e308", "-1", "0", "1e-320"])
def test_a_size_of_shards_in_a_recipe_is_taken_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = invoke("hm-generate", *ONE_SPLIT_RECIPE, *settings(f"storage.shard_mb={value}"), "out")
    assert (ran.code == 0) == (value in ("1e308", "1e-320")), ran
