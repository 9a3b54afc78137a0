"""The command line of hm-train sweep."""

import math
import shlex
from pathlib import Path

import click

from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset, is_url
from hypermagnetics.errors import InterruptedRunError, RecipeError, RunError, RunWriteError
from hypermagnetics.log import Progress, errors_in_one_line, say
from hypermagnetics.subcommands import DATASET, FILE_PATH, echo
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.signals import exit_code
from hypermagnetics.train.sweep.config import read_sweep
from hypermagnetics.train.sweep.ledger import Trial, ranked
from hypermagnetics.train.sweep.plan import Plan
from hypermagnetics.train.sweep.report import text_table, write_report
from hypermagnetics.train.sweep.run import sweep
from hypermagnetics.train.sweep.search import search_of
from hypermagnetics.train.sweep.sweep_files import SweepFiles
from hypermagnetics.train.user_code import Names


@click.command(name="sweep", epilog="Example:  hm-train sweep demo widths.toml widths")
@click.argument("recipe", metavar="RECIPE")
@click.argument("file", metavar="SWEEP.toml", type=FILE_PATH)
@click.argument("directory", metavar="DIR", type=FILE_PATH)
@click.option(
    "--data",
    metavar="DATASET",
    type=DATASET,
    help="Train on this dataset instead of the one that SWEEP.toml names.",
)
@click.option(
    "--set", "overrides", metavar="KEY=VALUE", multiple=True, help="Override one key in all trials."
)
@click.option("--retry-failed", is_flag=True, help="Go on with trials that failed before.")
def sweep_command(
    recipe: str,
    file: Path,
    directory: Path,
    data: Path | str | None,
    overrides: tuple[str, ...],
    retry_failed: bool,
) -> None:
    """Train RECIPE many times, vary the keys named in SWEEP.toml, and compare the trials.

    Every trial is a run in DIR. The same command goes on after a kill. Started several times, it
    trains several trials at once. See docs/sweeps.md.
    """
    with errors_in_one_line("hm-train"):
        plan = _plan(recipe, file, data, overrides)
        plan.check()
        files, propose = SweepFiles(directory), search_of(plan)
        try:
            with Progress("hm-train", plan.num_trials, "trials") as listener:
                found = sweep(plan, propose, files, listener, retry_failed=retry_failed)
        except (InterruptedRunError, RunWriteError) as error:
            say(f"hm-train: {error}")
            raise SystemExit(exit_code(error)) from error
        trials = ranked(found, plan.search.metric)
        if math.isinf(trials[0].score(plan.search.metric)):
            say(text_table(trials, list(plan.keys)))
            raise RunError(
                f"A sweep must have a finished trial; got none among {len(trials)} ({directory}). "
                "Mend the errors listed above and give the same command with --retry-failed, or "
                "begin another sweep."
            )
        write_report(plan, files, trials)
        echo(_summary(plan, files, trials))


def _plan(recipe: str, file: Path, data: Path | str | None, overrides: tuple[str, ...]) -> Plan:
    base = load_recipe(TrainingRecipe, "training", recipe, overrides)
    config, keys = read_sweep(file)
    if data is None and config.dataset is None:
        raise RecipeError(
            f'A sweep must have a dataset; got none ({file}). Write dataset = "PATH" as its '
            "first line, or give --data PATH."
        )
    named = str(config.dataset)
    dataset = data or (named if is_url(named) else file.parent / named)
    return Plan(base, keys, config.sweep, Dataset.open(dataset))


def _summary(plan: Plan, files: SweepFiles, trials: list[Trial]) -> str:
    best = files.trial(trials[0].number)
    data = plan.dataset.place
    longer = ["hm-train", data, "RUN", "--recipe", str(best.recipe)]
    then = ["hm-eval", str(best.directory), data]
    if own := Names.of(plan.recipe_of(trials[0].values)).of_users.get("--model"):
        then += ["--model", own]
    return "\n".join(
        [
            text_table(trials, list(plan.keys)),
            "",
            f"Wrote {files.csv}, {files.markdown.name} and {files.picture.name}. The best trial is "
            f"{best.directory}.",
            "Its recipe, for another run: " + shlex.join(longer),
            "Next: " + shlex.join(then),
        ]
    )
