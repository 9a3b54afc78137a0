"""Checkpoints: the state needed to resume a run, one file each, the newest of them kept."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import equinox as eqx
import jax
from pydantic import JsonValue, ValidationError

from hypermagnetics.config import Config
from hypermagnetics.errors import (
    AnotherRunError,
    DamagedFileError,
    DivergenceError,
    ModelFileError,
    RunWriteError,
)
from hypermagnetics.log import SILENT, Listener
from hypermagnetics.models import AnyModel
from hypermagnetics.models.store import (
    OLD_VERSION,
    Header,
    model_template,
    old_form,
    open_tree,
    read_header,
    read_leaves,
    write_tree,
)
from hypermagnetics.run_files import RunFiles
from hypermagnetics.train import processes
from hypermagnetics.train.config import TrainingRecipe, changed_keys
from hypermagnetics.train.phases import phase_of
from hypermagnetics.train.setup import Setup
from hypermagnetics.train.signals import NO_ROOM
from hypermagnetics.train.step import State
from hypermagnetics.validation_errors import first_misfit

_RESUME = " with --resume, or if_exists='resume' in Python"

_START_AGAIN = "Start the run again (--overwrite, or if_exists='overwrite' in Python)."


class Reached(Config):
    """Progress of a run; with the recipe, all that a resumed run needs beside the arrays."""

    step: int = 0
    """Steps done."""
    best_step: int | None = None
    best_loss: float | None = None
    """Smallest loss of all regular validations, and the number of steps before it."""
    best_sha256: str | None = None
    """That in the first line of the model of that step; checkpoints of earlier forms have none."""
    seconds: float | None = None
    """Time of training so far, of all processes, if the run has a time limit."""


def save_checkpoint(
    files: RunFiles,
    state: State,
    progress: Reached,
    setup: Setup,
    provenance: dict[str, JsonValue],
) -> None:
    """Write a checkpoint, whole or not at all, and then delete the oldest ones.

    Best models stay that a kept checkpoint knows of: a run that goes on from it does not know of
    better ones, which it has yet to come to. Checkpoints of later steps, which were passed over
    when the run went on, are not counted: it will come to their steps, and write them anew.

    Args:
        files: The run.
        state: The arrays.
        progress: Progress of the run.
        setup: The parts of the training; a checkpoint says of which recipe and dataset it is.
        provenance: Origin of the run beside these.
    """
    about = {
        **provenance,
        "dataset_sha256": setup.dataset.sha256,
        "recipe": setup.recipe.resolved.model_dump(mode="json"),
        **progress.model_dump(mode="json"),
    }
    write_tree(
        files.checkpoint(progress.step), "hypermagnetics checkpoint", state.model, state, about
    )
    keep = setup.recipe.checkpoint.keep
    steps = [step for step in files.checkpoint_steps() if step <= progress.step]
    for step in steps[:-keep]:
        files.checkpoint(step).unlink(missing_ok=True)
    known = {_best_step_of(files.checkpoint(step)) for step in steps[-keep:]}
    for step in files.best_steps():
        if step not in known:
            files.best(step).unlink(missing_ok=True)


def load_newest(
    files: RunFiles, setup: Setup, listener: Listener = SILENT
) -> tuple[State, Reached] | None:
    """Read the newest sound checkpoint of a run.

    Args:
        files: The run.
        setup: The parts of its training.
        listener: Receives a line about each checkpoint that is passed over.

    Returns:
        The state, and how far it is; None if there is no checkpoint.

    Raises:
        DamagedFileError: If there are checkpoints, and none is sound and of this run.
        ModelFileError: If one is of another version or of another class.
    """
    steps = files.checkpoint_steps()
    for step in reversed(steps):
        try:
            found = _load(files, step, setup, listener)
        except (DamagedFileError, AnotherRunError) as error:
            if step == steps[0]:
                raise DamagedFileError(
                    f"A run must have a sound checkpoint of its own to go on from; got "
                    f"{len(steps)} that are not, the oldest with this error: {error} {_START_AGAIN}"
                ) from error
            listener.tell(f"{error} The checkpoint before it is used.")
        else:
            return found
    return None


def load_agreed(
    files: RunFiles, setup: Setup, listener: Listener = SILENT
) -> tuple[State, Reached] | None:
    """Read the checkpoint that is the newest sound one to the first of all processes.

    Errors and arguments as of `load_newest`.
    """
    found: list[tuple[State, Reached] | None] = []

    def newest() -> str:
        found.append(load_newest(files, setup, listener))
        return "" if found[0] is None else str(found[0][1].step)

    step = processes.of_first(newest)
    if processes.is_first():
        return found[0]
    return _load(files, int(step), setup, listener) if step else None


def _load(files: RunFiles, step: int, setup: Setup, listener: Listener) -> tuple[State, Reached]:
    path = files.checkpoint(step)
    with open_tree(path, "hypermagnetics checkpoint") as (header, arrays):
        progress = _progress(header, path)
        _refuse_another_run(header, progress, step, setup, path)
        model = model_template(header, path, setup.code.model)
        # The state is that of the phase of the last step that was made.
        method = phase_of(setup.phases, max(step - 1, 0)).method
        template = eqx.filter_eval_shape(lambda: method.begin(_materialise(model)))
        state = read_leaves(arrays, template, path)
    _refuse_another_best(files, progress, path)
    if header.version == OLD_VERSION:
        listener.tell(old_form(path))
    return state, progress


def _progress(header: Header, path: Path) -> Reached:
    known = {key: header.training[key] for key in Reached.model_fields if key in header.training}
    if header.version == OLD_VERSION:
        known.setdefault("best_sha256", None)
    if len(known) != len(Reached.model_fields):
        raise ModelFileError(
            f"A checkpoint must hold {', '.join(Reached.model_fields)}; got "
            f"{', '.join(sorted(header.training)) or 'nothing'} ({path}). {_START_AGAIN}"
        )
    try:
        return Reached.model_validate(known)
    except ValidationError as error:
        misfit = first_misfit(error, Reached.model_json_schema(), "The progress of a run")
        raise ModelFileError(f"{misfit.text} (first line of {path}). {_START_AGAIN}") from error


def _refuse_another_run(
    header: Header, progress: Reached, step: int, setup: Setup, path: Path
) -> None:
    """Refuse a checkpoint of another recipe or dataset: from it, another model would come."""
    if header.training.get("dataset_sha256") != setup.dataset.sha256:
        found = ["another dataset"]
    elif progress.step != step:
        found = [f"another step, {progress.step}"]
    else:
        try:
            recipe = TrainingRecipe.model_validate_json(json.dumps(header.training.get("recipe")))
            # One that leaves `outside` open is of a release without soft bodies.
            begun, now = recipe.for_bodies(None), setup.recipe.for_bodies(None).resolved
            found = [f"another {key}" for key in changed_keys(begun, now)]
        except ValidationError:
            found = ["another recipe"]
    if found:
        raise AnotherRunError(
            f"A checkpoint must be of the recipe and dataset of its run; got {found[0]} ({path}). "
            "Move it away."
        )


def _refuse_another_best(files: RunFiles, progress: Reached, path: Path) -> None:
    """Refuse a checkpoint whose best model, perhaps the result of the run, is not there as it was.

    Raises:
        AnotherRunError: If it is another one, damaged, or gone.
    """
    if progress.best_step is None:
        return
    best = files.best(progress.best_step)
    try:
        sha256 = read_header(best, "hypermagnetics model").sha256
    except ModelFileError as error:
        raise AnotherRunError(f"{error} {path} needs it.") from error
    if progress.best_sha256 not in (None, sha256):
        raise AnotherRunError(
            f"The best model of a run must be the one that its checkpoint names; got another "
            f"sha256 ({best}, {path}). Move it away."
        )


@contextmanager
def divergence_named(files: RunFiles, remedy: str) -> Iterator[None]:
    """Add the kept checkpoint and the remedy to an error of divergence.

    Args:
        files: The run.
        remedy: Remedy, of the objective.

    Raises:
        DivergenceError: With that.
    """
    try:
        yield
    except DivergenceError as error:
        raise DivergenceError(
            f"{error} ({files.directory}; {_kept(files)}). Begin another run {remedy}."
        ) from error


@contextmanager
def full_disk_named(files: RunFiles) -> Iterator[None]:
    """Add the kept checkpoint and the remedy to an error of a full disk.

    Args:
        files: The run.

    Raises:
        RunWriteError: In place of the OSError.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise RunWriteError(
            f"The directory of a run must be writable; got {error.strerror} "
            f"({error.filename or files.directory}; {_kept(files)}). Make room, then give the same "
            f"command again{_RESUME if files.recipe.exists() else ''}."
        ) from error


def _kept(files: RunFiles) -> str:
    steps = files.checkpoint_steps()
    if steps:
        return f"the last good checkpoint is {files.checkpoint(steps[-1])}"
    return "no checkpoint had been made"


def _best_step_of(path: Path) -> JsonValue:
    """Best step recorded in a checkpoint; None if it is damaged."""
    try:
        return read_header(path, "hypermagnetics checkpoint").training.get("best_step")
    except ModelFileError:
        return None


def _materialise(template: AnyModel) -> AnyModel:
    """Arrays for the shapes; inside eval_shape none is ever made."""
    model: AnyModel = jax.tree.map(
        lambda leaf: (
            jax.numpy.zeros(leaf.shape, leaf.dtype)
            if isinstance(leaf, jax.ShapeDtypeStruct)
            else leaf
        ),
        template,
    )
    return model
