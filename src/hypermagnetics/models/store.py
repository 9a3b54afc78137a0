"""Models in files: one JSON line, then the arrays. No pickle.

The line holds everything needed to build the model again, and the sha256 of what follows it.
Checkpoints of a training are the same kind of file with more arrays.
"""

import hashlib
import io
import json
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import equinox as eqx
import jax.random as jr
from pydantic import Field, JsonValue, ValidationError

from hypermagnetics.config import Config
from hypermagnetics.errors import DamagedFileError, ModelFileError, SourceError
from hypermagnetics.files import atomic_file
from hypermagnetics.jax_setup import fixed_settings
from hypermagnetics.models.inputs import (
    ModelInputs,
    MomentUnit,
    Scales,
    TrainedRange,
    ValuesAs,
)
from hypermagnetics.models.model import Model
from hypermagnetics.models.registry import ModelConfig, build_model, config_of
from hypermagnetics.models.user import UserModelConfig, class_name
from hypermagnetics.table import BodyName, SourceColumns
from hypermagnetics.validation_errors import first_misfit

MODEL_FILE_VERSION: Literal[1] = 1
_MAX_HEADER_BYTES = 1 << 20
_Tree = TypeVar("_Tree")


class InputsInFile(Config):
    """The inputs of a model, with the keys of the file format."""

    dim: int
    source_size: int
    columns: tuple[str, ...]
    bodies: tuple[BodyName, ...]
    constants: tuple[tuple[str, float], ...]
    trained: TrainedRange | None = None
    scales: Scales = Scales()
    values: ValuesAs = "linear"
    moment: MomentUnit = "dataset"

    @classmethod
    def of(cls, inputs: ModelInputs) -> "InputsInFile":
        """Inputs of a model, in the form of the file."""
        columns = inputs.columns
        return cls(
            dim=columns.dim,
            source_size=columns.size,
            columns=columns.names,
            bodies=columns.bodies,
            constants=columns.constants,
            trained=inputs.trained,
            scales=inputs.scales,
            values=inputs.values,
            moment=inputs.moment,
        )

    def model_inputs(self) -> ModelInputs:
        """Inputs of a model, from the form of the file.

        Raises:
            SourceError: If they describe no source table.
        """
        if len(self.columns) != self.source_size:
            raise SourceError(
                f"A source table must have as many columns as its source_size, {self.source_size}; "
                f"got {', '.join(self.columns)}. Name each once."
            )
        return ModelInputs(
            columns=SourceColumns(self.dim, self.bodies, self.columns, self.constants),
            trained=self.trained,
            scales=self.scales,
            values=self.values,
            moment=self.moment,
        )


class Header(Config):
    """The first line of a file."""

    format: Literal["hypermagnetics model", "hypermagnetics checkpoint"]
    version: Literal[1] = MODEL_FILE_VERSION
    model: ModelConfig
    inputs: InputsInFile
    training: dict[str, JsonValue]
    """Origin of the parameters: dataset, step, versions."""
    bytes: Annotated[int, Field(ge=0)]
    sha256: str


def save_model(path: Path, model: Model, training: dict[str, JsonValue]) -> None:
    """Write a model, whole or not at all.

    Args:
        path: The file.
        model: The model.
        training: Origin of its parameters; kept beside them.
    """
    write_tree(path, "hypermagnetics model", model, model, training)


def load(path: str | Path, *, user_model: type[Model] | None = None) -> Model:
    """Read a model.

    Args:
        path: A file written by hm-train, such as `run/model.hm`.
        user_model: The class, if the file holds a model of a user. The file only names it, and
            nothing is ever imported because a file names it.

    Returns:
        The model, ready for `model(sources, points)` and `model.field(sources, points)`.

    Raises:
        ModelFileError: If the file is absent, damaged, of another version, no model, or a model of
            another class than the given one.
        ExtensionError: If the given class does not take the settings in the file.
    """
    header, leaves = read_file(Path(path), "hypermagnetics model")
    with fixed_settings():
        return read_leaves(leaves, model_template(header, Path(path), user_model), Path(path))


def write_tree(
    path: Path,
    kind: Literal["hypermagnetics model", "hypermagnetics checkpoint"],
    model: Model,
    tree: object,
    training: dict[str, JsonValue],
) -> None:
    """Write the arrays of `tree` behind a header that describes `model`."""
    buffer = io.BytesIO()
    eqx.tree_serialise_leaves(buffer, tree)
    leaves = buffer.getvalue()
    header = Header.model_validate(
        {
            "format": kind,
            "model": config_of(model),
            "inputs": InputsInFile.of(model.inputs),
            "training": training,
            "bytes": len(leaves),
            "sha256": hashlib.sha256(leaves).hexdigest(),
        }
    )
    with atomic_file(path) as file:
        file.write(header.model_dump_json().encode() + b"\n")
        file.write(leaves)


def read_file(
    path: Path, kind: Literal["hypermagnetics model", "hypermagnetics checkpoint"]
) -> tuple[Header, bytes]:
    """Read and check the header, and the bytes of the arrays.

    Raises:
        DamagedFileError: If its bytes are not those that were written.
        ModelFileError: If the file is absent, of another version or of another kind.
    """
    if not path.is_file():
        raise ModelFileError(
            f"A model file must exist; got {str(path)!r}, which does not. "
            "Check the path, or train a model with hm-train."
        )
    with path.open("rb") as file:
        line = file.readline(_MAX_HEADER_BYTES)
        leaves = file.read()
    header = _parse(line, path)
    if header.format != kind:
        raise ModelFileError(
            f"The file must be a {kind}; got a {header.format} ({path}). "
            + ("Give a .hm file." if kind == "hypermagnetics model" else "Give a .ckpt file.")
        )
    if len(leaves) != header.bytes or hashlib.sha256(leaves).hexdigest() != header.sha256:
        changed = " of another sha256" if len(leaves) == header.bytes else ""
        raise DamagedFileError(
            f"A model file must hold the {header.bytes} bytes its first line promises; got "
            f"{len(leaves)} bytes{changed} ({path}). Copy it from its source again, or train the "
            "model again (hm-train --overwrite)."
        )
    return header, leaves


def model_template(header: Header, path: Path, user_model: type[Model] | None) -> Model:
    """Template of a model: its structure, with shapes in place of arrays.

    Raises:
        ModelFileError: If the file is of another class than the given one, or of one not given, or
            for sources that this release does not know.
    """
    _refuse_another_class(header, path, user_model)
    try:
        inputs = header.inputs.model_inputs()
    except SourceError as error:
        finding, _, _ = str(error).rpartition(". ")
        raise ModelFileError(
            "The inputs in a model file must describe a source table that this release knows; got: "
            f"{finding} ({path}). Read it with the release of hypermagnetics that wrote it."
        ) from error
    template: Model = eqx.filter_eval_shape(
        lambda: build_model(header.model, inputs, jr.key(0), user_model)
    )
    return template


def _refuse_another_class(header: Header, path: Path, user_model: type[Model] | None) -> None:
    name, own = header.model.name, isinstance(header.model, UserModelConfig)
    if own and user_model is None:
        raise ModelFileError(
            f"A file of a user's model must be read with its class, as no module is imported just "
            f"because a file names it; got the name {name} alone ({path}). If you trust that "
            f"module, give --model {name}, or in Python load(path, "
            f"user_model={name.partition(':')[2]})."
        )
    if user_model is not None and (not own or class_name(user_model) != name):
        raise ModelFileError(
            f"A model file must be of the requested class, {class_name(user_model)}; got one "
            f"of {name} ({path}). "
            + (f"Give {name}." if own else "It is a shipped model: give no class.")
        )


def read_leaves(leaves: bytes, template: _Tree, path: Path) -> _Tree:
    """Fill the arrays of a template.

    Raises:
        ModelFileError: If the arrays are not those of the template.
    """
    try:
        tree: _Tree = eqx.tree_deserialise_leaves(io.BytesIO(leaves), template)
    except (RuntimeError, ValueError, EOFError) as error:
        raise ModelFileError(
            f"The arrays of a model file must fit its settings; got: {error} ({path}). "
            "Read it with the release of hypermagnetics that wrote it."
        ) from error
    return tree


def _parse(line: bytes, path: Path) -> Header:
    try:
        content = json.loads(line)
        version = content["version"]
        content["format"].index("hypermagnetics")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedFileError(
            f"A model file must begin with a JSON line; got other bytes ({path}). "
            "Give a file written by hm-train."
        ) from error
    if version != MODEL_FILE_VERSION:
        raise ModelFileError(
            f"The version of a model file must be {MODEL_FILE_VERSION}; got {version!r} ({path}). "
            "Read it with the release of hypermagnetics that wrote it."
        )
    try:
        return Header.model_validate_json(line)
    except ValidationError as error:
        misfit = first_misfit(error, Header.model_json_schema(), "The first line of a model file")
        raise ModelFileError(
            f"{misfit.text} (first line of {path}). Copy it from its source again."
        ) from error
