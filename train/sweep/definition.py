"""sweep.json: definition of a sweep, which must agree for it to go on."""

import json
from typing import Literal

from pydantic import JsonValue, ValidationError

from hypermagnetics.config import Config
from hypermagnetics.errors import DatasetError, RunError
from hypermagnetics.files import is_aside, name_in_text, only_writer, restore, write_text_atomically
from hypermagnetics.input_files import FileKind
from hypermagnetics.train.directory import dataset_sha256_of
from hypermagnetics.train.sweep.config import SearchConfig
from hypermagnetics.train.sweep.dimensions import Range
from hypermagnetics.train.sweep.ledger import Trial
from hypermagnetics.train.sweep.plan import Plan
from hypermagnetics.train.sweep.sweep_files import SweepFiles
from hypermagnetics.validation_errors import first_misfit

_FILE = FileKind("The definition of a sweep", 1 << 26, RunError, 1 << 18)


class Definition(Config):
    """Definition of a sweep."""

    version: Literal[1] = 1
    dataset: str
    """Path as given."""
    dataset_sha256: str
    """sha256 of its manifest, which names every byte."""
    search: SearchConfig
    keys: dict[str, JsonValue]
    recipe: JsonValue


def open_sweep(plan: Plan, files: SweepFiles) -> None:
    """Begin a sweep, or check that the existing one is the same.

    Args:
        plan: Plan of the sweep.
        files: Where.

    Raises:
        RunError: If something else is there.
    """
    directory = files.directory
    if is_aside(files.definition):
        with only_writer(files.lock, "A sweep that is opened"):
            restore(files.definition)
    if directory.exists() and not (directory.is_dir() and _is_sweep_or_empty(files)):
        raise RunError(
            f"DIR must be a sweep, or not exist; got {str(directory)!r}, which holds no "
            f"{files.definition.name}. Choose another DIR."
        )
    directory.mkdir(parents=True, exist_ok=True)
    with only_writer(files.lock, "A sweep that is opened"):
        now = _definition(plan)
        if files.definition.exists():
            _refuse_another(_read(files), now, files)
        write_text_atomically(files.definition, now.model_dump_json(indent=1) + "\n")


def refuse_another_dataset(plan: Plan) -> None:
    """Refuse to go on when the dataset of a sweep has been replaced or moved away.

    Raises:
        RunError: If the manifest in its place is not the one that the sweep began with.
    """
    dataset = plan.dataset
    try:
        dataset.files.refuse_another_manifest(dataset.sha256)
    except DatasetError as error:
        raise RunError(
            f"A sweep must keep its dataset, sha256 {dataset.sha256[:12]}..., until its last trial "
            f"has ended; got another one, or none, in its place ({dataset.directory}). Put it back "
            "and give the same command again, or choose another DIR."
        ) from error


def refuse_trials_of_another_dataset(plan: Plan, files: SweepFiles, trials: list[Trial]) -> None:
    """Refuse to compare trials that earlier releases have trained on another dataset.

    Args:
        plan: Plan of the sweep.
        files: Where.
        trials: All trials.

    Raises:
        RunError: If the run of a finished trial names another dataset than the sweep.
    """
    ours = plan.dataset.sha256
    for trial in trials:
        if trial.state != "finished":
            continue  # hm-train itself refuses to resume its run
        run = files.trial(trial.number)
        if (sha256 := dataset_sha256_of(run)) not in (None, ours):
            raise RunError(
                f"All trials of a sweep must have its dataset, sha256 {ours[:12]}...; got "
                f"{str(sha256)[:12]}... for trial {trial.number} ({run.provenance}). Choose "
                "another DIR."
            )


def _is_sweep_or_empty(files: SweepFiles) -> bool:
    names = {path.name for path in files.directory.iterdir()}
    begun = {files.lock.name, files.definition.name + ".part"}
    return files.definition.name in names or names <= begun


def _definition(plan: Plan) -> Definition:
    keys: dict[str, JsonValue] = {
        key: dimension.model_dump(mode="json", by_alias=True)
        if isinstance(dimension, Range)
        else list(dimension.values)
        for key, dimension in plan.keys.items()
    }
    return Definition(
        dataset=name_in_text(plan.dataset.place),
        dataset_sha256=plan.dataset.sha256,
        search=plan.search,
        keys=keys,
        recipe=plan.recipe.model_dump(mode="json"),
    )


def _read(files: SweepFiles) -> Definition:
    try:
        return Definition.model_validate_json(_FILE.read(files.definition))
    except ValidationError as error:
        misfit = first_misfit(error, Definition.model_json_schema(), "The definition of a sweep")
        raise RunError(f"{misfit.text} ({files.definition}). Choose another DIR.") from error


def _refuse_another(before: Definition, now: Definition, files: SweepFiles) -> None:
    """Refuse another sweep: only the place and the number of trials may change."""
    ours, theirs = (_what_stays(definition) for definition in (now, before))
    if changed := [name for name in ours if ours[name] != theirs[name]]:
        raise RunError(
            "A sweep that goes on must keep its recipe, dataset, [keys] and [sweep], except for "
            f"trials; got another {', '.join(changed)} than before ({files.definition}). Give the "
            "same as in its first command, or choose another DIR."
        )


def _what_stays(definition: Definition) -> dict[str, str]:
    return {
        "recipe": json.dumps(definition.recipe),
        "dataset": definition.dataset_sha256,
        # The order of keys is that of a grid.
        "[keys]": json.dumps(definition.keys),
        "[sweep]": repr(definition.search.model_copy(update={"trials": None})),
    }
