"""The command line of hm-eval compare."""

from pathlib import Path
from typing import Literal

import click

from hypermagnetics.evaluate.compare.files import read_contestants
from hypermagnetics.evaluate.compare.report import (
    compare_all,
    compared_json,
    compared_table,
    kind_lines,
    sentences,
    withheld_lines,
)
from hypermagnetics.evaluate.results.tables import TableFormat, table_text
from hypermagnetics.log import errors_in_one_line
from hypermagnetics.subcommands import FILE_PATH, echo


@click.command(name="compare", epilog="Example:  hm-eval compare first/eval second/eval")
@click.argument("files", nargs=-1, required=True, type=FILE_PATH)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json", "markdown", "latex"]),
    default="table",
    show_default=True,
    help="Format of the comparison on stdout.",
)
def compare(files: tuple[Path, ...], output_format: TableFormat | Literal["json"]) -> None:
    """Compare the subjects of FILES, each a results.json or its directory, with the first of them.

    Both are compared on the same samples: a paired bootstrap over these says which is better, by
    how much, and how sure that is. The global L2 decides nothing where one sample holds more than
    1.5 % of a norm. It needs samples.zarr beside each file, as hm-eval writes it.
    """
    with errors_in_one_line("hm-eval"):
        rows = compare_all(read_contestants(files))
        if output_format == "json":
            click.echo(compared_json(rows))
            return
        echo(table_text(compared_table(rows), output_format))
        if output_format == "table":
            echo("\n" + "\n".join([*sentences(rows), *kind_lines(rows), *withheld_lines(rows)]))
