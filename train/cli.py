"""The command line of hm-train."""

import json
import os
import shlex
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

import click
import jax

import hypermagnetics
from hypermagnetics.config import load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.device_failures import failures_of_program_named
from hypermagnetics.errors import (
    HypermagneticsError,
    InterruptedRunError,
    OtherProcessError,
    RecipeError,
    RunError,
    RunWriteError,
)
from hypermagnetics.jax_setup import refuse_missing_platform, set_up_program
from hypermagnetics.log import errors_in_one_line, say
from hypermagnetics.models import GridSplit
from hypermagnetics.models.user import import_user_model
from hypermagnetics.recipe_toml import shown_recipe
from hypermagnetics.recipes import describe_recipe, shipped_recipes
from hypermagnetics.run_files import RunFiles, Validation
from hypermagnetics.subcommands import (
    DATASET,
    FILE_PATH,
    SHOW,
    CommandOrSubcommand,
    FiniteRange,
    UnlessGiven,
    echo,
    refuse_beside,
    refuse_beside_show,
    refuse_without,
)
from hypermagnetics.table import BODIES, DIMENSIONS, BodyName, SourceColumns
from hypermagnetics.train.checkpoint import full_disk_named
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.default_recipe import ACCURATE, LEARNED, DefaultRecipe, default_recipe
from hypermagnetics.train.devices import Devices
from hypermagnetics.train.directory import IfExists, check_run, goes_on, recipe_of
from hypermagnetics.train.domain_run import Wanted, make_domain_run
from hypermagnetics.train.export import export_run
from hypermagnetics.train.notebook import make_run
from hypermagnetics.train.plotting.cli import plot
from hypermagnetics.train.processes import Membership, is_first, parse_distributed, together
from hypermagnetics.train.run import Outcome
from hypermagnetics.train.signals import end_on_signals, exit_code
from hypermagnetics.train.sweep.cli import sweep_command
from hypermagnetics.train.user_code import Names

_BESIDE_DOMAIN = ("accuracy", "dim", "bodies")
"""Options that mean something beside `--domain` alone."""


def _list_recipes(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        for name in shipped_recipes("training"):
            mark = " [default]" if name == ACCURATE else ""
            echo(f"{name:<20} {describe_recipe(name, 'training')}{mark}")
        context.exit()


@click.command(name="export", epilog="Example:  hm-train export run run-export")
@click.argument("run", type=FILE_PATH)
@click.argument("out", type=FILE_PATH)
@click.option("--overwrite", is_flag=True, help="Replace the export at OUT.")
@click.option("--model", metavar="MODULE:CLASS", help="The class of a model of your own.")
def _export(run: Path, out: Path, overwrite: bool, model: str | None) -> None:
    """Write the model of RUN as the directory OUT, for plain JAX without this package.

    OUT holds potential.jaxexport and field.jaxexport, functions of (sources, points) in StableHLO
    for CPU and CUDA and for any number of both, and a README.md with the four lines that call them.
    Of a network from arrays to arrays it holds targets.jaxexport and jacobian.jaxexport.
    """
    with errors_in_one_line("hm-train"), failures_of_program_named():
        refuse_missing_platform()
        # Else the paths of this machine's files would be written into the export.
        jax.config.update("jax_traceback_in_locations_limit", 0)
        user_model = None if model is None else import_user_model(model, "--model")
        made = export_run(run, out, overwrite=overwrite, user_model=user_model)
        echo(f"Wrote {out}: {' and '.join(made)}.")
        echo(f"Next: read {out / 'README.md'}, which shows how to call them.")


_COMMANDS: dict[str, click.Command] = {"export": _export, "plot": plot, "sweep": sweep_command}
"""Commands by first word, other than a dataset."""


@click.command(
    cls=CommandOrSubcommand,
    subcommands=_COMMANDS,
    epilog="""\b
Example:  hm-train discs run
By steps: hm-train discs run --recipe hyper-layer --set model.width=256
After it: hm-train plot run                 (see hm-train plot --help)
          hm-train export run run-export    (see hm-train export --help)
Many:     hm-train sweep demo widths.toml widths    (see hm-train sweep --help)
Your own: hm-train --show split-5min > my.toml
No data:  hm-train --domain 3 --accuracy 1e-5 run
""",
)
@click.argument("dataset", type=DATASET, cls=UnlessGiven, unless=("shown", "domain"))
@click.argument("run", type=FILE_PATH, cls=UnlessGiven, unless=("shown", "domain"))
@click.option(
    "--recipe",
    metavar="NAME|FILE",
    help=f"A .toml or .json file or a shipped recipe.  [default: {ACCURATE}, which makes no step; "
    f"{LEARNED} where it does not serve, or another option needs steps]",
)
@click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True, help="Override one key.")
@click.option(
    "--model",
    metavar="NAME|MODULE:CLASS",
    help="Take this model instead of the recipe's: a shipped one, or a class of your own.",
)
@click.option(
    "--objective",
    "objectives",
    metavar="[TERM=]NAME|MODULE:FUNCTION",
    multiple=True,
    help="Take this loss (objective.loss), or for one term of the recipe (objective.terms.TERM).",
)
@click.option(
    "--physics",
    metavar="TERM=MODULE:FUNCTION",
    multiple=True,
    help="Take this reference physics of a rollout (objective.terms.TERM.physics).",
)
@click.option(
    "--normalisation",
    metavar="NAME|MODULE:FUNCTION",
    help="Take these scales (normalisation.scales).",
)
@click.option(
    "--mode",
    type=click.Choice(["auto", "device", "stream"]),
    help="Place of the training split: the device, or mapped files (data.mode).",
)
@click.option("--points", type=click.IntRange(1), help="Points of each grid in a step, drawn anew.")
@click.option(
    "--div-data", is_flag=True, help="Read shards nearly in order: for data larger than the memory."
)
@click.option(
    "--div-shuffle-dist",
    type=click.IntRange(0),
    help="With --div-data: largest displacement of a block, in shards.",
)
@click.option(
    "--dataset-sha256",
    metavar="HEX",
    help="Refuse another dataset than that whose manifest.json has this sha256.",
)
@click.option(
    "--domain",
    type=FiniteRange(min=0, min_open=True),
    metavar="H",
    is_eager=True,  # so that `UnlessGiven` knows of it
    help="Make RUN without a dataset: a model fitted to the box from -H to H [m].",
)
@click.option(
    "--accuracy",
    type=FiniteRange(),
    metavar="A",
    help="With --domain: error of the smooth part over its own size.",
)
@click.option(
    "--dim", type=click.IntRange(2, 3), default=3, help="With --domain: dimension.  [default: 3]"
)
@click.option(
    "--body",
    "bodies",
    type=click.Choice(BODIES),
    multiple=True,
    help="With --domain: of this body; may be given again.  [default: all of the dimension]",
)
@click.option(
    "--distributed",
    metavar="HOST:PORT,RANK,WORLD|slurm",
    help="Train together with WORLD - 1 others that give the same command with another RANK; they "
    "meet at the address of the first. slurm: as srun says.",
)
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint of RUN.")
@click.option("--overwrite", is_flag=True, help="Delete the run at RUN first.")
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_recipes,
    help="List the shipped recipes.",
)
@SHOW
@click.version_option(hypermagnetics.__version__, prog_name="hm-train")
@click.pass_context
def main(
    context: click.Context,
    dataset: Path | str | None,
    run: Path | None,
    shown: str | None,
    recipe: str | None,
    overrides: tuple[str, ...],
    model: str | None,
    objectives: tuple[str, ...],
    physics: tuple[str, ...],
    normalisation: str | None,
    mode: str | None,
    points: int | None,
    div_data: bool,
    div_shuffle_dist: int | None,
    dataset_sha256: str | None,
    domain: float | None,
    accuracy: float | None,
    dim: int,
    bodies: tuple[BodyName, ...],
    distributed: str | None,
    resume: bool,
    overwrite: bool,
) -> None:
    """Train a model on DATASET and keep everything about it in the directory RUN.

    SIGINT, SIGTERM or SIGUSR1 finish the step, make a checkpoint and end with exit code 75. A
    directory that cannot be written to, as on a full disk, ends with 74; the last checkpoint stays.

    Without --recipe and without an option that needs steps, hm-train takes the most accurate
    recipe, which knows the field of a single source; it says the recipe.

    `--resume` takes the recipe of the run. With it, --set may extend a finished run:
    --resume --set schedule.max_steps=20000.

    `hm-train --domain H RUN` takes no dataset: it makes a model of exact kernels in seconds.

    `hm-train plot RUN...` draws the curves of runs. `hm-train export RUN OUT` writes a trained
    model for plain JAX. `hm-train sweep RECIPE SWEEP.toml DIR` compares many trainings. A dataset
    named like a command is given as ./export.
    """
    with errors_in_one_line("hm-train"), failures_of_program_named():
        if shown is not None:
            refuse_beside_show(context)
            echo(shown_recipe(TrainingRecipe, "training", shown, overrides))
            return
        if domain is not None:
            _refuse_beside_domain(context, dataset, run)
            assert dataset is not None, "the one argument, and else refused"
            wanted = Wanted(_columns(dim, bodies), domain, accuracy)
            _make_of_domain(wanted, RunFiles(Path(dataset)), "overwrite" if overwrite else "refuse")
            return
        refuse_without(context, "domain", _BESIDE_DOMAIN)
        assert dataset is not None, "needed unless a recipe is shown"
        assert run is not None, "needed unless a recipe is shown"
        for given_physics in physics:
            if not all(given_physics.partition("=")[::2]):
                raise RecipeError(
                    "Reference physics must be given as TERM=MODULE:FUNCTION, with the name of a "
                    f"term of the recipe; got {given_physics!r} (--physics). Write for example "
                    "--physics rollout=my_physics:step."
                )
        files, names = RunFiles(run), Names(model, objectives, physics, normalisation)
        given = {
            "mode": mode,
            "points_per_step": points,
            "div_data": "true" if div_data else None,
            "div_shuffle_dist": None if div_shuffle_dist is None else str(div_shuffle_dist),
        }
        overrides += tuple(
            f"data.{key}={value}" for key, value in given.items() if value is not None
        )
        if resume and overwrite:
            raise RunError(
                "A run must be either resumed or overwritten; got both (--resume, --overwrite). "
                "Leave one out."
            )
        choice: IfExists = "resume" if resume else "overwrite" if overwrite else "refuse"
        # A model that replaces another comes before the overrides of its settings.
        all_overrides = (*names.overrides, *overrides)
        default = None
        if goes_on(files, choice) and recipe is None:
            parsed = recipe_of(files, overrides)
            Names.of(parsed).refuse_to_resume(names, files.recipe)
        elif recipe is None:
            default = _default_recipe(all_overrides)
            parsed = default.recipe
        else:
            parsed = load_recipe(TrainingRecipe, "training", recipe, all_overrides)
        Names.of(parsed).refuse_lost(names)
        place = None if distributed is None else parse_distributed(distributed)
        try:
            with _joined(place), end_on_signals(run), full_disk_named(files):
                opened = together(partial(_opened, dataset, dataset_sha256))
                _train(parsed, default, opened, files, choice)
        except (InterruptedRunError, RunWriteError) as error:
            say(f"hm-train: {error}")
            raise SystemExit(exit_code(error)) from error


@contextmanager
def _joined(place: Membership | None) -> Iterator[None]:
    """Train together with other processes, if there is a place among them.

    An error that all agreed upon passes. After one of this process alone the others may wait for
    it: it says so and ends at once, without waiting for them.
    """
    if place is None:
        yield
        return
    place.join()
    try:
        with failures_of_program_named():
            yield
        jax.distributed.shutdown()
    except OtherProcessError as error:
        raise SystemExit(error.code) from error
    except BaseException as error:
        if not jax.distributed.is_initialized():
            raise
        which = f"(process {place.rank} of {place.world})"
        if isinstance(error, HypermagneticsError | OSError):
            say(f"hm-train: {error} {which}")
        elif isinstance(error, KeyboardInterrupt):
            say(f"hm-train: interrupted; finished work is kept {which}.")
        else:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(exit_code(error))


def _opened(place: Path | str, sha256: str | None) -> Dataset:
    dataset = Dataset.open(place)
    if sha256 is not None:
        dataset.refuse_unless(sha256)
    return dataset


def _default_recipe(overrides: tuple[str, ...]) -> DefaultRecipe:
    def changed(name: str) -> TrainingRecipe:
        return load_recipe(TrainingRecipe, "training", name, overrides)

    pairs = (text.partition("=") for text in overrides)
    return default_recipe({key: value for key, _, value in pairs}, changed)


def _train(
    recipe: TrainingRecipe,
    default: DefaultRecipe | None,
    dataset: Dataset,
    files: RunFiles,
    choice: IfExists,
) -> None:
    start = time.monotonic()
    set_up_program()
    tell = say if is_first() else _silent
    tell(f"hm-train: computing on {Devices.local(recipe.compute.devices).in_words}.")
    if default is not None:
        known = recipe.for_bodies(dataset.columns if dataset.has_sources else None)
        check_run(files, known, dataset, choice)  # before a fit, which takes seconds
        default = default.for_dataset(dataset)
        recipe = default.recipe
        tell(f"hm-train: {default.line}")
    outcome, _ = make_run(recipe, dataset, files, choice, quiet=False)
    if is_first():
        echo(_summary(outcome, recipe, dataset, files, time.monotonic() - start))


def _silent(text: str) -> None:
    """Say nothing: the first of all processes does."""


def _refuse_beside_domain(
    context: click.Context, first: Path | str | None, second: Path | None
) -> None:
    """Refuse whatever `--domain` would pass over, and more or fewer arguments than RUN."""
    if first is None:
        raise RunError(
            "A model made for a domain must have a directory, RUN; got none (--domain). Name one "
            "that does not exist."
        )
    if second is not None:
        raise RunError(
            f"A model made for a domain must have one argument, RUN, and no dataset; got {first} "
            f"and {second} (--domain). Leave the dataset out; a training on it has another domain "
            "by --recipe split --set model.domain=3."
        )
    beside = ("dataset", *_BESIDE_DOMAIN, "overwrite")
    refuse_beside(context, "domain", beside, "a model of a domain has no dataset and no steps")


def _columns(dim: int, bodies: tuple[BodyName, ...]) -> SourceColumns:
    known = [body for body in BODIES if dim in DIMENSIONS[body]]
    for body in bodies:
        if body not in known:
            raise RunError(
                f"A body must exist in {dim} dimensions, as {', '.join(known)} do; got {body!r} "
                f"(--body). Choose one of these, or --dim {5 - dim}."
            )
    return SourceColumns.with_all_varying(dim, *bodies)


def _make_of_domain(
    wanted: Wanted, files: RunFiles, if_exists: Literal["refuse", "overwrite"]
) -> None:
    start = time.monotonic()
    set_up_program()
    model = make_domain_run(wanted, files, if_exists)
    echo(_summary_of_domain(model, wanted, files, time.monotonic() - start))


def _summary_of_domain(model: GridSplit, wanted: Wanted, files: RunFiles, seconds: float) -> str:
    length, config = model.inputs.scales.length, model.config
    harmonics = " x ".join(map(str, model.waves.coefficients.shape))
    period = " x ".join(f"{length * each:.4g}" for each in model.waves.period)
    load = f"hypermagnetics.load({json.dumps(str(files.model))})"
    return "\n".join(
        (
            f"Wrote {files.model}: {', '.join(wanted.columns.bodies)}, points and centres of "
            f"sources from {-wanted.domain:g} to {wanted.domain:g} m along each axis.",
            f"Waves: {harmonics} harmonics of a period of {period} m; exact within a cutoff of "
            f"{model.smoothing.cutoff:.4g} m.",
            f"Fit error {model.fit_error:.2g}, {config.accuracy:.2g} was allowed; {seconds:.1f} s.",
            f"In Python: {load}(sources, points)",
            f"Next: {shlex.join(['hm-eval', str(files.directory)])} DATASET",
        )
    )


def _summary(
    outcome: Outcome, recipe: TrainingRecipe, dataset: Dataset, files: RunFiles, seconds: float
) -> str:
    verb = "Wrote" if outcome.wrote_model else "There is"
    lines = [f"{verb} {files.model}: the best model, of step {outcome.model_step}."]
    found = outcome.validation
    if found is not None:
        lines += [
            f"Finished: {outcome.ending}.",
            f"Last validation, {found.in_words}.",
            f"{seconds:.0f} s, {outcome.samples_per_second:.0f} samples/s ({outcome.placement}). "
            f"{outcome.shares.verdict(has_points=isinstance(found, Validation))}"
            if outcome.progress.step
            else f"{seconds:.0f} s. No step was made: the model is as it was fitted.",
        ]
    elif outcome.wrote_model:
        lines.append(f"All steps had been made ({outcome.ending}); the model file was missing.")
    else:
        lines.append(f"The run was finished already ({outcome.ending}); no step was made.")
    command = ["hm-eval", str(files.directory), dataset.place]
    if own := Names.of(recipe).of_users.get("--model"):
        command += ["--model", own]
    lines.append("Next: " + shlex.join(command))
    return "\n".join(lines)
