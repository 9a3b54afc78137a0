"""Checkpoints: the state needed to resume a run, one file each, the newest of them kept."""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import equinox as eqx
import jax
from pydantic import JsonValue, ValidationError

from hypermagnetics.config import Config
from hypermagnetics.errors import (
    DamagedFileError,
    DivergenceError,
    ModelFileError,
    RunWriteError,
)
from hypermagnetics.log import SILENT, Listener
from hypermagnetics.models import Model
from hypermagnetics.models.store import (
    Header,
    model_template,
    read_file,
    read_leaves,
    write_tree,
)
from hypermagnetics.run_files import RunFiles
from hypermagnetics.train.phases import Phase, phase_of
from hypermagnetics.train.step import State
from hypermagnetics.validation_errors import first_misfit

_RESUME = " with --resume, or if_exists='resume' in Python"

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Errors of a full or failing disk; missing permissions or directories are another matter."""

_START_AGAIN = "Start the run again (--overwrite, or if_exists='overwrite' in Python)."


class Reached(Config):
    """Progress of a run; with the recipe, all that a resumed run needs beside the arrays."""

    step: int = 0
    """Steps done."""
    best_step: int | None = None
    best_loss: float | None = None
    """Smallest loss of all regular validations, and the number of steps before it."""
    seconds: float | None = None
    """Time of training so far, of all processes, if the run has a time limit."""


def save_checkpoint(
    files: RunFiles,
    state: State,
    progress: Reached,
    provenance: dict[str, JsonValue],
    keep: int,
) -> None:
    """Write a checkpoint, whole or not at all, and then delete the oldest ones.

    Best models stay that a kept checkpoint knows of: a run that goes on from it does not know of
    better ones, which it has yet to come to.

    Args:
        files: The run.
        state: The arrays.
        progress: Progress of the run.
        provenance: Origin of the run, with its recipe.
        keep: Number of newest checkpoints kept.
    """
    about = {**provenance, **progress.model_dump(mode="json")}
    write_tree(
        files.checkpoint(progress.step), "hypermagnetics checkpoint", state.model, state, about
    )
    steps = files.checkpoint_steps()
    for step in steps[:-keep]:
        files.checkpoint(step).unlink(missing_ok=True)
    known = {_best_step_of(files.checkpoint(step)) for step in steps[-keep:]}
    for step in files.best_steps():
        if step not in known:
            files.best(step).unlink(missing_ok=True)


def load_newest(
    files: RunFiles,
    phases: Sequence[Phase],
    listener: Listener = SILENT,
    user_model: type[Model] | None = None,
) -> tuple[State, Reached] | None:
    """Read the newest sound checkpoint.

    Args:
        files: The run.
        phases: The phases of its recipe, which decide the structure.
        listener: Receives a line about each checkpoint that is passed over.
        user_model: The class of its model, if that is a user's.

    Returns:
        The state, and how far it is; None if there is no checkpoint.

    Raises:
        DamagedFileError: If there are checkpoints, and none is sound.
        ModelFileError: If one is of another version or of another class.
    """
    steps = files.checkpoint_steps()
    for step in reversed(steps):
        try:
            return _load(files, step, phases, user_model)
        except DamagedFileError as error:
            if step == steps[0]:
                raise DamagedFileError(
                    f"A run must have a sound checkpoint to go on from; got {len(steps)} that are "
                    f"damaged, the oldest with this error: {error} {_START_AGAIN}"
                ) from error
            listener.tell(f"{error} The checkpoint before it is used.")
    return None


def _load(
    files: RunFiles, step: int, phases: Sequence[Phase], user_model: type[Model] | None
) -> tuple[State, Reached]:
    path = files.checkpoint(step)
    header, leaves = read_file(path, "hypermagnetics checkpoint")
    model = model_template(header, path, user_model)
    # The state is that of the phase of the last step that was made.
    method = phase_of(phases, max(step - 1, 0)).method
    template = eqx.filter_eval_shape(lambda: method.begin(_materialise(model)))
    state = read_leaves(leaves, template, path)
    known = {key: header.training[key] for key in Reached.model_fields if key in header.training}
    if len(known) != len(Reached.model_fields):
        raise ModelFileError(
            f"A checkpoint must hold {', '.join(Reached.model_fields)}; got "
            f"{', '.join(sorted(header.training)) or 'nothing'} ({path}). {_START_AGAIN}"
        )
    try:
        return state, Reached.model_validate(known)
    except ValidationError as error:
        misfit = first_misfit(error, Reached.model_json_schema(), "The progress of a run")
        raise ModelFileError(f"{misfit.text} (first line of {path}). {_START_AGAIN}") from error


@contextmanager
def divergence_named(files: RunFiles) -> Iterator[None]:
    """Add the kept checkpoint and the remedy to an error of divergence.

    Args:
        files: The run.

    Raises:
        DivergenceError: With that.
    """
    try:
        yield
    except DivergenceError as error:
        raise DivergenceError(
            f"{error} ({files.directory}; {_kept(files)}). Begin another run with a lower "
            "schedule.learning_rate, or with optimiser.clip_norm set."
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
        if error.errno not in _NO_ROOM:
            raise
        raise RunWriteError(
            f"The directory of a run must be writable; got {error.strerror} "
            f"({error.filename or files.directory}; {_kept(files)}). Make room, then give the same "
            f"command again{_RESUME if files.provenance.exists() else ''}."
        ) from error


def _kept(files: RunFiles) -> str:
    steps = files.checkpoint_steps()
    if steps:
        return f"the last good checkpoint is {files.checkpoint(steps[-1])}"
    return "no checkpoint had been made"


def _best_step_of(path: Path) -> JsonValue:
    """Best step recorded in a checkpoint; None if it is damaged."""
    with path.open("rb") as file:
        line = file.readline()
    try:
        return Header.model_validate_json(line).training.get("best_step")
    except ValidationError:
        return None


def _materialise(template: Model) -> Model:
    """Arrays for the shapes; inside eval_shape none is ever made."""
    model: Model = jax.tree.map(
        lambda leaf: (
            jax.numpy.zeros(leaf.shape, leaf.dtype)
            if isinstance(leaf, jax.ShapeDtypeStruct)
            else leaf
        ),
        template,
    )
    return model
