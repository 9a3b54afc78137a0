"""The files of a run, and going on from them."""

from dataclasses import dataclass
from pathlib import Path

import equinox as eqx
import jax
import optax
from pydantic import JsonValue

from hypermagnetics.config import Config
from hypermagnetics.errors import ModelFileError
from hypermagnetics.models import Model, save_model
from hypermagnetics.models.store import model_template, read_file, read_leaves, write_tree
from hypermagnetics.train.step import State, initial_state


class Reached(Config):
    """How far a run has come; with the recipe, all that a resumed run needs beside the arrays."""

    step: int = 0
    """Steps done."""
    best_step: int | None = None
    best_loss: float | None = None
    """Smallest validation loss, and after how many steps."""


@dataclass(frozen=True)
class RunFiles:
    """Where the parts of a run are."""

    directory: Path

    @property
    def recipe(self) -> Path:
        """The recipe with every default filled in; itself a recipe."""
        return self.directory / "recipe.json"

    @property
    def provenance(self) -> Path:
        """Dataset, its sha256, seed and versions."""
        return self.directory / "run.json"

    @property
    def metrics(self) -> Path:
        """Loss and validation errors as JSON lines."""
        return self.directory / "metrics.jsonl"

    @property
    def last(self) -> Path:
        """The newest checkpoint."""
        return self.directory / "checkpoints" / "last.ckpt"

    @property
    def best(self) -> Path:
        """The model with the smallest validation loss so far."""
        return self.directory / "checkpoints" / "best.hm"

    @property
    def card(self) -> Path:
        """What the model is, for people; written when the run is finished."""
        return self.directory / "model.md"

    @property
    def model(self) -> Path:
        """The result, a copy of the best model; there only when the run is finished."""
        return self.directory / "model.hm"


def save_checkpoint(
    files: RunFiles, state: State, progress: Reached, provenance: dict[str, JsonValue]
) -> None:
    """Write the newest checkpoint over the one before, whole or not at all."""
    write_tree(
        files.last,
        "hypermagnetics checkpoint",
        state.model,
        state,
        {**provenance, **progress.model_dump(mode="json")},
    )


def save_best(
    files: RunFiles, model: Model, progress: Reached, provenance: dict[str, JsonValue]
) -> None:
    """Write the best model over the one before, whole or not at all."""
    save_model(files.best, model, {**provenance, **progress.model_dump(mode="json")})


def load_checkpoint(
    files: RunFiles,
    optimiser: optax.GradientTransformation,
    user_model: type[Model] | None = None,
) -> tuple[State, Reached]:
    """Read the newest checkpoint.

    Args:
        files: The run.
        optimiser: The optimiser of its recipe, which decides the structure.
        user_model: The class of its model, if that is a user's.

    Returns:
        The state, and how far it is.

    Raises:
        ModelFileError: If the file is damaged, of another version or of another class.
    """
    header, leaves = read_file(files.last, "hypermagnetics checkpoint")
    model = model_template(header, files.last, user_model)
    template = eqx.filter_eval_shape(lambda: initial_state(_materialise(model), optimiser))
    state = read_leaves(leaves, template, files.last)
    known = {key: header.training[key] for key in Reached.model_fields if key in header.training}
    if len(known) != len(Reached.model_fields):
        raise ModelFileError(
            f"A checkpoint must say how far it is; got {sorted(header.training)} ({files.last}). "
            "Start the run again with --overwrite."
        )
    return state, Reached.model_validate(known)


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
