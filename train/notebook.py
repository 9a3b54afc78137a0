"""hm-train for notebooks and scripts, and the parts shared with the command line."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from hypermagnetics.config import changed_recipe, with_values
from hypermagnetics.data import Dataset
from hypermagnetics.errors import RunError
from hypermagnetics.jax_setup import fixed_settings
from hypermagnetics.log import progress, say
from hypermagnetics.models import UserModel, load
from hypermagnetics.run_files import RunFiles
from hypermagnetics.train import processes
from hypermagnetics.train import run as runs
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.default_recipe import default_recipe
from hypermagnetics.train.directory import (
    IfExists,
    Provenance,
    check_run,
    goes_on,
    open_run,
    recipe_of,
)
from hypermagnetics.train.run import Outcome
from hypermagnetics.train.setup import Setup, make_setup
from hypermagnetics.train.user_code import Names


class TrainedRun:
    """A finished training: its directory, its outcome, and the model."""

    def __init__(self, files: RunFiles, outcome: Outcome, user_model: UserModel | None) -> None:
        """Open a run that has its model file."""
        self.directory, self.outcome = files.directory, outcome
        self.model = load(files.model, user_model=user_model)
        """The best model, for `model(sources, points)` and `model.field(sources, points)`."""

    def __repr__(self) -> str:
        """The directory, the model, and the errors of the last validation."""
        found = f"{type(self.model).__name__} of step {self.outcome.model_step}"
        if (last := self.outcome.validation) is not None:
            found += f"; last validation, {last.in_words}"
        return f"TrainedRun({str(self.directory)!r}): {found}"

    def __fspath__(self) -> str:
        """The directory, so that a run serves where a path does."""
        return str(self.directory)


def train(
    dataset: str | Path | Dataset,
    run: str | Path,
    recipe: str | Path | TrainingRecipe | None = None,
    *,
    if_exists: IfExists = "refuse",
    quiet: bool = True,
    **changes: Any,
) -> TrainedRun:
    """Train a model, and keep everything about it in a directory.

    Args:
        dataset: A dataset, or its directory.
        run: The directory of the run.
        recipe: The name of a shipped recipe, a .toml or .json file, or a checked recipe. If None,
            that of the run if it goes on, or else the most accurate that serves the dataset and
            has a use for the changed keys: "split", or "demo".
        if_exists: Refuse a run that is there, go on with it, or delete it first.
        quiet: Show no progress.
        **changes: Keys of the recipe with other values. A dictionary changes the keys that it
            names, and leaves the others of its table; one of another `name` takes its place.

    Returns:
        The run.

    Raises:
        RecipeError: If a key is unknown, or a value does not fit.
        RunError: If the run is there, is another one, or diverges.
        InterruptedRunError: After Ctrl-C, SIGTERM or SIGUSR1; `if_exists="resume"` goes on. Signals
            stop a training in the main thread alone.
    """
    files = RunFiles(Path(run))
    takes_up = goes_on(files, if_exists) and recipe is None
    default = None
    if recipe is not None or takes_up:
        parsed = _changed(recipe_of(files) if recipe is None else recipe, changes)
    else:
        default = default_recipe(dict(_by_key(changes)), lambda name: _changed(name, changes))
        parsed = default.recipe
    if takes_up:
        _refuse_unnamed_code(parsed, changes, files)
    opened = dataset if isinstance(dataset, Dataset) else Dataset.open(dataset)
    if default is not None:
        check_run(files, parsed, opened, if_exists)  # before a fit, which takes seconds
        default = default.for_dataset(opened)
        parsed = default.recipe
        if not quiet:
            say(f"hm-train: {default.line}")
    with fixed_settings():
        outcome, user_model = make_run(parsed, opened, files, if_exists, quiet=quiet)
    return TrainedRun(files, outcome, user_model)


def _changed(recipe: str | Path | TrainingRecipe, changes: Mapping[str, Any]) -> TrainingRecipe:
    given = recipe if isinstance(recipe, TrainingRecipe) else str(recipe)
    return changed_recipe(TrainingRecipe, "training", given, changes)


def _by_key(changes: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the changed keys with their values; dots separate tables from keys of them."""
    for name, value in changes.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{key}", inner) for key, inner in value.items())
        else:
            yield name, value


def _refuse_unnamed_code(recipe: TrainingRecipe, changes: Any, files: RunFiles) -> None:
    """Refuse to import code that the recipe of a run alone names; it may come from anyone."""
    given = json.dumps(changes, default=str)
    unnamed = [n for n in Names.of(recipe).of_users.values() if json.dumps(n) not in given]
    if unnamed:
        raise RunError(
            "A run with user code must be resumed with the names of that code, as no module is "
            f"imported just because a file names it; got no {', '.join(unnamed)} ({files.recipe}). "
            "If you trust that code, pass the keys that name it again, as in model={'name': ...}."
        )


def make_run(
    recipe: TrainingRecipe, dataset: Dataset, files: RunFiles, if_exists: IfExists, *, quiet: bool
) -> tuple[Outcome, UserModel | None]:
    """Check everything, then begin a run or resume one; errors as of `train`.

    Args:
        recipe: The training.
        dataset: The dataset.
        files: Files of the run.
        if_exists: Treatment of an existing run.
        quiet: Show no progress.

    Returns:
        The outcome, and the class of a user's model.
    """
    recipe = recipe.for_bodies(dataset.columns if dataset.has_sources else None)
    quiet = quiet or not processes.is_first()
    with processes.lost_processes_named(files.directory), ExitStack() as stack:
        words = {"recipe": recipe.model_dump_json(), "dataset": dataset.sha256}
        processes.refuse_differing(words | {"RUN": str(files.directory)})
        # Quick checks, then the slow ones of the setup, then the first file.
        processes.on_first(lambda: check_run(files, recipe, dataset, if_exists))
        setup = processes.together(partial(_checked_setup, recipe, dataset, quiet))
        origin: list[Provenance] = []
        opened = open_run(files, recipe, dataset, if_exists)
        processes.on_first(lambda: origin.append(stack.enter_context(opened)))
        provenance = origin[0].for_model_file() if origin else {}
        bar = progress("hm-train", recipe.schedule.num_steps, "steps", quiet=quiet)
        outcome = runs.train(setup, files, provenance, stack.enter_context(bar))
    return outcome, setup.code.model


def _checked_setup(recipe: TrainingRecipe, dataset: Dataset, quiet: bool) -> Setup:
    """The parts of a training; the first of several processes checks the bytes of the dataset."""
    names = {recipe.data.train, recipe.data.valid}
    total = sum(entry.bytes for name in names for entry in dataset.any_split(name).files())
    if not processes.is_first():
        recipe = with_values(recipe, {"data.check": "sizes"}, "the check of the first process")
    checks = recipe.data.check == "all"
    with progress("checking the dataset", total, "B", quiet=quiet or not checks) as listener:
        return make_setup(recipe, dataset, listener)
