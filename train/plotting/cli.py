"""The command line of hm-train plot."""

from pathlib import Path

import click

from hypermagnetics.errors import RunError
from hypermagnetics.files import atomic_file
from hypermagnetics.log import errors_in_one_line
from hypermagnetics.run_files import RunFiles
from hypermagnetics.subcommands import FILE_PATH, echo
from hypermagnetics.train.plotting.history import read_history

_SEVERAL = Path("plot.png")


@click.command(name="plot", epilog="Example:  hm-train plot run other-run --out compared.png")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=FILE_PATH)
@click.option(
    "--out",
    metavar="FILE.png",
    type=FILE_PATH,
    help=f"File of the picture.  [default: plot.png in RUN, or ./{_SEVERAL} for several]",
)
def plot(runs: tuple[Path, ...], out: Path | None) -> None:
    """Draw the curves of one or several runs, finished or not, as PNG.

    Loss and its terms, validation errors, learning rate, samples per second, and the share of time
    that steps waited for the loader, against the step.
    """
    with errors_in_one_line("hm-train"):
        if out is not None and out.suffix.lower() != ".png":
            raise RunError(
                f"--out must name a PNG file; got {str(out)!r}. Give a name that ends with .png."
            )
        from hypermagnetics.train.plotting.figure import plot_runs  # with matplotlib

        png = plot_runs([read_history(run) for run in runs])
        target = out or (RunFiles(runs[0]).plot if len(runs) == 1 else _SEVERAL)
        with atomic_file(target) as file:
            file.write(png)
        echo(f"Wrote {target}.")
