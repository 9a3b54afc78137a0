"""The command line of hm-eval."""

import json
import time
from pathlib import Path

import click

import hypermagnetics
from hypermagnetics.evaluate.config import MODEL_NAME, open_subject
from hypermagnetics.evaluate.results import Results
from hypermagnetics.evaluate.run import RESULTS_NAME, evaluate, picture_path
from hypermagnetics.log import Progress, errors_in_one_line
from hypermagnetics.models import Model, import_user_model
from hypermagnetics.user_code import look_in_working_directory


@click.command(epilog="Example:  hm-eval RUN discs --split test-multi")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option(
    "--split",
    "splits",
    metavar="NAME",
    multiple=True,
    help="Evaluate on this split; may be given again.  [default: every split named test..., or "
    "all but train]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Where results.json and the pictures go.  [default: RUN/eval]",
)
@click.option(
    "--model",
    metavar="MODULE:CLASS",
    help="Class of a model of your own, in any module that can be imported.",
)
@click.version_option(hypermagnetics.__version__, prog_name="hm-eval")
def main(
    run: Path, dataset: Path, splits: tuple[str, ...], out: Path | None, model: str | None
) -> None:
    """Evaluate the model of RUN, a directory made by hm-train, on DATASET.

    Reports relative errors of potential and field, and pictures one sample of each split.
    """
    with errors_in_one_line("hm-eval"):
        start = time.monotonic()
        subject = open_subject(run, dataset, splits, _user_model(model))
        out = run / "eval" if out is None else out
        total = sum(len(subject.dataset.split(name)) for name in subject.splits)
        with Progress("hm-eval", total, "samples") as progress:
            results = evaluate(subject, out, progress.advance)
        click.echo(results.to_text())
        click.echo(_written(results, out, time.monotonic() - start))
        arguments = json.dumps(str(run / MODEL_NAME))
        if model is not None:
            arguments += f", user_model={model.partition(':')[2]}"
        click.echo(f"Next, in Python: hypermagnetics.models.load({arguments})(sources, points)")


def _user_model(name: str | None) -> type[Model] | None:
    if name is None:
        return None
    look_in_working_directory()
    return import_user_model(name, "--model")


def _written(results: Results, out: Path, seconds: float) -> str:
    splits = results.splits.values()
    samples = sum(split.num_samples for split in splits)
    rate = samples / sum(split.predict_seconds for split in splits)
    pictures = "".join(f"\n      {picture_path(out, name)}" for name in results.splits)
    return (
        f"\nWrote {out / RESULTS_NAME}{pictures}\n"
        f"{samples} samples in {seconds:.1f} s; the model predicts {rate:.0f} samples/s."
    )
