"""The run directory: its only writer, and the agreement needed to go on with it."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Literal

from pydantic import JsonValue

from hypermagnetics.config import Config, load_recipe
from hypermagnetics.data import Dataset
from hypermagnetics.errors import RunError, raise_refusal
from hypermagnetics.files import (
    first_foreign_file,
    is_aside,
    name_in_text,
    only_writer,
    remove_contents,
    restore,
    write_text_atomically,
)
from hypermagnetics.input_files import FileKind
from hypermagnetics.run_files import LOCK_NAME, RunFiles
from hypermagnetics.train.config import TrainingRecipe, changeable_keys, changed_keys
from hypermagnetics.train.devices import Devices

_PROVENANCE = FileKind("The run.json of a run", 1 << 20, RunError, 1 << 12)
_SOFTWARE = ("hypermagnetics", "jax", "jaxlib", "equinox", "optax")
_MOST_KEYS = 3
"""Most changed keys in a message."""
IfExists = Literal["refuse", "resume", "overwrite"]


class Provenance(Config):
    """Origin of a run."""

    dataset: str | None
    """Path as given to hm-train; null for a model that was made for a domain, without one."""
    dataset_title: str | None
    dataset_sha256: str | None
    """Of its manifest, which names every byte."""
    seed: int
    software: dict[str, str]
    device: str
    """Kind and number of the devices on which the run began."""

    @classmethod
    def of(cls, recipe: TrainingRecipe, dataset: Dataset | None) -> "Provenance":
        """Origin of a run that begins here and now."""
        return cls(
            dataset=None if dataset is None else name_in_text(dataset.place),
            dataset_title=None if dataset is None else dataset.manifest.title,
            dataset_sha256=None if dataset is None else dataset.sha256,
            seed=recipe.seed,
            software={name: version(name) for name in _SOFTWARE},
            device=Devices.local(recipe.compute.devices).in_words,
        )

    def for_model_file(self) -> dict[str, JsonValue]:
        """The part for model files: all but the path of the dataset and the device."""
        return self.model_dump(mode="json", exclude={"dataset", "device"}, exclude_none=True)


def goes_on(files: RunFiles, if_exists: IfExists) -> bool:
    """Whether a run goes on with the recipe that it has.

    Args:
        files: The run.
        if_exists: Treatment of an existing run.

    Returns:
        False also for a run that was killed before its recipe was written: the same command begins
        it, as it did then.

    Raises:
        RunError: If a run is to go on that is not there.
    """
    if is_aside(files.recipe):  # never by a writer at work, which holds the lock
        with only_writer(files.directory / LOCK_NAME, "A run"):
            restore(files.recipe)
    if if_exists != "resume":
        return False
    if not files.recipe.exists() and not _has_just_begun(files):
        raise RunError(
            f"A run to be resumed must exist; got {str(files.directory)!r}, which holds no "
            f"{files.recipe.name}. Check the path, or leave out --resume (if_exists='resume' in "
            "Python)."
        )
    return files.recipe.exists()


def recipe_of(files: RunFiles, overrides: Sequence[str] = ()) -> TrainingRecipe:
    """The recipe of an existing run.

    Args:
        files: The run.
        overrides: `key=value` texts.

    Returns:
        The recipe.
    """
    return load_recipe(TrainingRecipe, "training", str(files.recipe), overrides)


def check_run(
    files: RunFiles, recipe: TrainingRecipe, dataset: Dataset | None, if_exists: IfExists
) -> Provenance:
    """See whether a run can begin or go on; nothing is changed.

    Args:
        files: The run.
        recipe: Its recipe.
        dataset: Its dataset; None for a model that is made for a domain, which never goes on.
        if_exists: Treatment of an existing run.

    Returns:
        The origin of the run.

    Raises:
        RunError: If something is there that must not be, or the run is another one.
    """
    provenance = Provenance.of(recipe, dataset)
    directory = files.directory
    if goes_on(files, if_exists):
        _refuse_another_run(files, recipe, provenance)
    elif not directory.exists() or _has_just_begun(files):
        return provenance
    elif if_exists == "refuse":
        raise RunError(
            f"The directory of a new run must not exist; got {str(directory)!r}, which does. Go on "
            "with it (--resume, or if_exists='resume' in Python), start it anew (--overwrite, or "
            "if_exists='overwrite'), or choose another directory."
        )
    elif not files.recipe.is_file():
        raise RunError(
            f"A directory to be overwritten must be a run; got {str(directory)!r}, which holds no "
            f"{files.recipe.name}. Choose another directory."
        )
    else:
        _refuse_foreign(files)
    return provenance


def dataset_sha256_of(files: RunFiles) -> str | None:
    """The sha256 of the dataset that an existing run was begun with.

    Args:
        files: The run.

    Returns:
        The sha256 of its manifest; None if the run has no run.json.

    Raises:
        RunError: If run.json names no dataset, as that of a model which was made for a domain.
    """
    if not files.provenance.exists():
        return None
    try:
        sha256 = json.loads(_PROVENANCE.read(files.provenance))["dataset_sha256"]
        if sha256 is None:
            raise RunError(
                "A training must go on with the dataset it was begun with; got a run that was made "
                f"for a domain, without one ({files.directory}). Train in another directory, or "
                "start anew (--overwrite, or if_exists='overwrite' in Python)."
            )
        if not isinstance(sha256, str):
            raise TypeError("a sha256 is a text")
    except RunError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise_refusal(error, files.provenance)
        raise RunError(
            f"A run must name its dataset; got an unreadable {files.provenance}. Start it anew "
            "(--overwrite, or if_exists='overwrite' in Python)."
        ) from error
    return sha256


@contextmanager
def open_run(
    files: RunFiles, recipe: TrainingRecipe, dataset: Dataset | None, if_exists: IfExists
) -> Iterator[Provenance]:
    """Begin a run or go on with one, as its only writer; arguments and errors as `check_run`.

    Yields:
        The origin of the run.

    Raises:
        HypermagneticsError: If another process writes the run.
    """
    check_run(files, recipe, dataset, if_exists)
    files.directory.mkdir(parents=True, exist_ok=True)
    with only_writer(files.directory / LOCK_NAME, "A run"):
        provenance = check_run(files, recipe, dataset, if_exists)
        if if_exists == "overwrite":
            _remove_run(files)
        # A resumed run may have been given a later end.
        write_text_atomically(files.recipe, recipe.resolved.model_dump_json(indent=1) + "\n")
        if not files.provenance.exists():
            write_text_atomically(files.provenance, provenance.model_dump_json(indent=1) + "\n")
        yield provenance


def _refuse_another_run(files: RunFiles, recipe: TrainingRecipe, now: Provenance) -> None:
    # A recipe that leaves `outside` open is of a release without soft bodies.
    begun, wanted = (one.for_bodies(None).resolved for one in (recipe_of(files), recipe))
    if changed := changed_keys(begun, wanted):
        free = ", ".join(changeable_keys(TrainingRecipe))
        some = ", ".join(changed[:_MOST_KEYS]) + ", ..." * (len(changed) > _MOST_KEYS)
        raise RunError(
            f"A resumed run must keep its recipe, except for {free}; got another {some} than "
            f"{files.recipe}. Leave out --recipe and other --set (in Python, recipe and other "
            "keys), or choose another directory."
        )
    before = dataset_sha256_of(files)
    # Without run.json it was killed between its first two files. Had it a checkpoint, that says
    # its dataset.
    assert now.dataset_sha256 is not None, "a model made for a domain never goes on"
    if before is not None and before != now.dataset_sha256:
        raise RunError(
            f"A resumed run must keep its dataset, sha256 {before[:12]}...; got "
            f"{now.dataset_sha256[:12]}... ({now.dataset}). Give the dataset it was begun with."
        )


def _refuse_foreign(files: RunFiles) -> None:
    """Refuse to overwrite a directory in which there is more than a run."""
    ours = re.compile("|".join((LOCK_NAME, files.pattern)))
    if foreign := first_foreign_file(files.directory, ours):
        raise RunError(
            f"A run to be overwritten must hold only files of the run; got {foreign!r} "
            f"({files.directory}). Move it away, or choose another directory."
        )


def _remove_run(files: RunFiles) -> None:
    """Delete all but the lock, and the recipe last: until then it can be overwritten again."""
    remove_contents(files.directory, LOCK_NAME, files.recipe.name)
    files.recipe.unlink(missing_ok=True)


def _has_just_begun(files: RunFiles) -> bool:
    """Whether nothing is there but leftovers of a process that ended before it wrote the recipe."""
    if not files.directory.is_dir():
        return False
    names = {path.name for path in files.directory.iterdir()}
    return names <= {LOCK_NAME, f"{files.recipe.name}.part"}
