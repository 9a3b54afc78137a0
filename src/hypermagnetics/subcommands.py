"""Command lines: one that runs by itself and has subcommands besides, and its output."""

from collections.abc import Mapping
from typing import Any

import click

from hypermagnetics.errors import printable


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
        self._subcommands = subcommands

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Context of this command, or of the named subcommand."""
        if args and (command := self._subcommands.get(args[0])):
            return command.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command of the context."""
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)


def echo(text: str) -> None:
    """Write lines to stdout; control characters are escaped, as text of files may hold some."""
    click.echo(printable(text))
