"""Command lines: one that runs by itself and has subcommands besides, its values and its output.

Also the option `--show`, by which a program prints a recipe in place of its work.
"""

import math
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from hypermagnetics.errors import RecipeError, printable


class _FilePath(click.Path):
    """A path, but for the empty text, which would mean the working directory."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check and convert a text."""
        if value == "":
            self.fail("A path must name a file or directory; got an empty text.", param, ctx)
        if isinstance(value, str) and "://" in value:
            scheme = value.partition("://")[0]
            self.fail(
                f"A path must be on this machine; got a URL of {scheme}://. Copy a dataset with "
                "hm-data download first.",
                param,
                ctx,
            )
        return super().convert(value, param, ctx)


FILE_PATH = _FilePath(path_type=Path)
"""Type of every path on a command line."""


class _DatasetPlace(_FilePath):
    """The directory of a dataset, or its URL in a store, whose slashes a path would lose."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check and convert a text."""
        if isinstance(value, str) and "://" in value:
            return value
        return super().convert(value, param, ctx)


DATASET = _DatasetPlace(path_type=Path)
"""Type of every dataset that is read."""


class FiniteRange(click.FloatRange):
    """A range of numbers without infinities and NaN, which pass the comparisons of click."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check and convert a text."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"A number must be finite; got {number}.", param, ctx)
        return number


SHOW = click.option(
    "--show",
    "shown",
    metavar="NAME|FILE",
    is_eager=True,  # so that `UnlessGiven` knows of it
    help="Print a recipe to start from, every key explained; with --set, as changed by it.",
)
"""The option that prints a recipe; see `refuse_beside_show`."""


CLUSTER = click.option(
    "--cluster",
    metavar="local:N|tcp://HOST:PORT|FILE.toml",
    help="Workers of Dask that do the work: N on this machine, those of a scheduler, or batch jobs "
    "(docs/clusters.md).",
)
"""The option that gives work to a cluster."""


class UnlessGiven(click.Argument):
    """An argument that is needed unless one of some eager options is given."""

    def __init__(self, *args: Any, unless: Collection[str] = ("shown",), **options: Any) -> None:
        """Make the argument.

        Args:
            args: As for `click.Argument`.
            unless: Names of the options.
            options: As for `click.Argument`.
        """
        super().__init__(*args, **options)
        self.unless = unless

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """Convert and check a value."""
        try:
            return super().process_value(ctx, value)
        except click.MissingParameter:
            if not any(_is_given(ctx, name) for name in self.unless):
                raise
            return None


def refuse_beside_show(context: click.Context) -> None:
    """Refuse any argument or option beside `--show` that it would pass over in silence.

    Args:
        context: Context of a command with the option `SHOW`.

    Raises:
        RecipeError: If there is something but `--set`.
    """
    for found in _given_but(context, "shown", "overrides"):
        raise RecipeError(
            "The option --show must stand alone or beside --set, as it prints a recipe and "
            f"makes nothing; got {found} too. Leave one out."
        )


def refuse_beside(context: click.Context, option: str, beside: Collection[str], why: str) -> None:
    """Refuse any option beside another one that this would pass over in silence.

    Args:
        context: Context of the command.
        option: Name of the other one.
        beside: Names of the options and arguments that may stand beside it.
        why: The reason, after "as".

    Raises:
        RecipeError: If there is something else.
    """
    options = {one.name: one for one in context.command.params if isinstance(one, click.Option)}
    allowed = ", ".join(one.opts[0] for name, one in options.items() if name in beside)
    for found in _given_but(context, option, *beside):
        raise RecipeError(
            f"Beside the option {options[option].opts[0]} no others must stand than {allowed}, as "
            f"{why}; got {found} too. Leave one out."
        )


def refuse_without(context: click.Context, option: str, needing: Collection[str]) -> None:
    """Refuse options that mean something beside another one alone, where that is not given.

    Args:
        context: Context of the command.
        option: Name of the other one.
        needing: Names of the options that need it.

    Raises:
        RecipeError: If one of them is given.
    """
    if _is_given(context, option):
        return
    (needed,) = (one.opts[0] for one in context.command.params if one.name == option)
    others = [one.name or "" for one in context.command.params if one.name not in needing]
    for found in _given_but(context, *others):
        raise RecipeError(
            f"The option {found} must stand beside {needed}; got it without. Add "
            f"{needed}, or leave it out."
        )


def _given_but(context: click.Context, *names: str) -> Iterator[str]:
    """Yield the given arguments and options as messages name them, but for some."""
    for parameter in context.command.params:
        if parameter.name not in names and _is_given(context, parameter.name or ""):
            yield parameter.get_error_hint(context)


def _is_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


class CommandOrSubcommand(click.Command):
    """A command that delegates to a subcommand named by its first word.

    No click.Group: one that works by default would take a first argument for the name of a command,
    and change what its messages say.
    """

    def __init__(
        self, *args: Any, subcommands: Mapping[str, click.Command], **options: Any
    ) -> None:
        """Make the command.

        Args:
            args: As for `click.Command`.
            subcommands: Subcommands by first word.
            options: As for `click.Command`.
        """
        super().__init__(*args, **options)
        self.subcommands = subcommands

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Context of this command, or of the named subcommand."""
        _draw_into_files()
        if args and (command := self.subcommands.get(args[0])):
            return command.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command of the context."""
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)


def _draw_into_files() -> None:
    """Let matplotlib draw into files, whatever screen or notebook the environment names.

    A notebook names one of its own to all that it starts, which need not be installed here, and
    without which matplotlib cannot even be imported.
    """
    os.environ["MPLBACKEND"] = "agg"


def echo(text: str) -> None:
    """Write lines to stdout; control characters are escaped, as text of files may hold some."""
    click.echo(printable(text))
