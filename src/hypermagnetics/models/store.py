"""Models in files: one JSON line, then the arrays. No pickle.

The line holds everything needed to build the model again. It begins with a sha256, of every byte of
the file behind it, so that no byte that decides a value can change without being noticed.
Checkpoints of a training are the same kind of file with more arrays.
"""

import hashlib
import io
import json
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, Literal, TypeVar

import equinox as eqx
import jax.random as jr
import numpy as np
from pydantic import Discriminator, Field, JsonValue, Tag, ValidationError

from hypermagnetics.config import Config
from hypermagnetics.errors import (
    DamagedFileError,
    HypermagneticsWarning,
    ModelFileError,
    SourceError,
)
from hypermagnetics.files import atomic_file
from hypermagnetics.input_files import FileKind
from hypermagnetics.jax_setup import fixed_settings
from hypermagnetics.models.array_inputs import ArrayInputs
from hypermagnetics.models.array_model import ArrayModel
from hypermagnetics.models.inputs import (
    ModelInputs,
    MomentUnit,
    Outside,
    Scales,
    TrainedRange,
    ValuesAs,
)
from hypermagnetics.models.model import Model
from hypermagnetics.models.registry import (
    AnyModel,
    ModelConfig,
    build_array_model,
    build_model,
    config_of,
)
from hypermagnetics.models.user import UserModel, UserModelConfig, class_name
from hypermagnetics.table import BodyName, SourceColumns
from hypermagnetics.validation_errors import first_misfit

MODEL_FILE_VERSION: Literal[2] = 2
OLD_VERSION: Literal[1] = 1
"""Form of files whose sha256, at the end of the first line, is of the arrays alone."""
_MAX_HEADER_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 20
_BEGINNING = re.compile(rb'{"sha256":"([0-9a-f]{64})"')
"""Beginning of a file; the sha256 is that of all bytes behind it."""
_NO_SHA256 = "0" * 64

_FILE = FileKind("A model file", 1 << 40, ModelFileError)
"""However large: no more is read at once than one array that its model has."""

Kind = Literal["hypermagnetics model", "hypermagnetics checkpoint"]
_Tree = TypeVar("_Tree")


class OldFormWarning(HypermagneticsWarning):
    """A file of an earlier form, of whose first line no sha256 is kept."""


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
    outside: Outside = "exact"

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
            outside=inputs.outside,
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
            outside=self.outside,
        )


def _kind_of_inputs(value: object) -> str:
    """Member of the union of inputs that a table or a checked value belongs to."""
    is_table = isinstance(value, dict) and "target" in value
    return (ArrayInputs if is_table or isinstance(value, ArrayInputs) else InputsInFile).__name__


_AnyInputs = Annotated[
    Annotated[InputsInFile, Tag(InputsInFile.__name__)]
    | Annotated[ArrayInputs, Tag(ArrayInputs.__name__)],
    Discriminator(_kind_of_inputs),
]


class Header(Config):
    """The first line of a file."""

    sha256: str
    """Of all bytes behind it; in a file of version 1, of the arrays."""
    format: Kind
    version: Literal[1, 2] = MODEL_FILE_VERSION
    model: ModelConfig
    inputs: _AnyInputs
    training: dict[str, JsonValue]
    """Origin of the parameters: dataset, step, versions."""
    bytes: Annotated[int, Field(ge=0)]
    """Size of the arrays."""


def save_model(path: Path, model: AnyModel, training: dict[str, JsonValue]) -> str:
    """Write a model, whole or not at all.

    Args:
        path: The file.
        model: The model.
        training: Origin of its parameters; kept beside them.

    Returns:
        The sha256 in its first line, which no other model has.
    """
    return write_tree(path, "hypermagnetics model", model, model, training)


def load(path: str | Path, *, user_model: UserModel | None = None) -> AnyModel:
    """Read a model.

    Args:
        path: A file written by hm-train, such as `run/model.hm`.
        user_model: The class, if the file holds a model of a user. The file only names it, and
            nothing is ever imported because a file names it.

    Returns:
        The model, ready for `model(sources, points)` and `model.field(sources, points)`; or a
        network from arrays to arrays, ready for `model(inputs)` and `model.jacobian(inputs)`.

    Warns:
        OldFormWarning: If the file is of an earlier form, so that a change of its first line would
            not be noticed.

    Raises:
        ModelFileError: If the file is absent, damaged, of another version, no model, or a model of
            another class than the given one.
        ExtensionError: If the given class does not take the settings in the file.
    """
    with open_tree(Path(path), "hypermagnetics model") as (header, arrays), fixed_settings():
        if header.version == OLD_VERSION:
            warnings.warn(old_form(Path(path)), OldFormWarning, stacklevel=2)
        return read_leaves(arrays, model_template(header, Path(path), user_model), Path(path))


def load_of_sources(path: Path, *, user_model: UserModel | None = None) -> Model:
    """Read a model of sources; arguments and errors as of `load`.

    Raises:
        ModelFileError: If it is a network from arrays to arrays.
    """
    found = load(path, user_model=user_model)
    if isinstance(found, ArrayModel):
        raise ModelFileError(
            "The model must be one of sources, which gives potential and field; got a network "
            f"from {found.inputs.input.name} to {found.inputs.target.name} ({path}). Call it in "
            "Python, hypermagnetics.load(path)(inputs), or evaluate its run with hm-eval."
        )
    return found


def old_form(path: Path) -> str:
    """Statement about a file of version 1, for people."""
    return (
        f"{path} is of an earlier form (version {OLD_VERSION}): its arrays are those that were "
        "written, but its first line has no sha256 that could tell a change."
    )


def write_tree(
    path: Path, kind: Kind, model: AnyModel, tree: object, training: dict[str, JsonValue]
) -> str:
    """Write the arrays of `tree` behind a header that describes `model`; return its sha256."""
    buffer = io.BytesIO()
    eqx.tree_serialise_leaves(buffer, tree)
    header = Header.model_validate(
        {
            "sha256": _NO_SHA256,
            "format": kind,
            "model": config_of(model),
            "inputs": _in_file(model),
            "training": training,
            "bytes": len(buffer.getvalue()),
        }
    )
    line = header.model_dump_json().encode() + b"\n"
    begun = _BEGINNING.match(line)
    assert begun is not None, "a header begins with its sha256"
    digest = hashlib.sha256(line[begun.end() :])
    digest.update(buffer.getbuffer())
    with atomic_file(path) as file:
        file.write(line.replace(_NO_SHA256.encode(), digest.hexdigest().encode(), 1))
        file.write(buffer.getbuffer())
    return digest.hexdigest()


@contextmanager
def open_tree(path: Path, kind: Kind) -> Iterator[tuple[Header, IO[bytes]]]:
    """Open a file after comparing its bytes with their sha256.

    Args:
        path: The file.
        kind: What it must be.

    Yields:
        Its header, and the file at its first array.

    Raises:
        DamagedFileError: If its bytes are not those that were written.
        ModelFileError: If the file is absent, of another version or of another kind.
    """
    if not path.exists():
        raise ModelFileError(
            f"A model file must exist; got {str(path)!r}, which does not. "
            "Check the path, or train a model with hm-train."
        )
    with _FILE.open(path) as file:
        line = file.readline(_MAX_HEADER_BYTES)
        content = _content(line, path)
        begun = _BEGINNING.match(line)
        behind = os.fstat(file.fileno()).st_size - len(line)
        hashed = b"" if begun is None else line[begun.end() :]
        # Sizes first, so that nothing is read that the first line does not promise.
        if behind != content.get("bytes") or _sha256(hashed, file) != content.get("sha256"):
            changed = " of another sha256" if behind == content.get("bytes") else ""
            raise DamagedFileError(
                f"A model file must hold the {content.get('bytes')} bytes its first line promises; "
                f"got {behind} bytes{changed} ({path}). Copy it from its source again, or train "
                "the model again (hm-train --overwrite)."
            )
        header = _header(line, content["version"], path)
        if (begun is None) != (header.version == OLD_VERSION):
            raise DamagedFileError(
                f"A model file of version {MODEL_FILE_VERSION}, and no earlier one, must begin "
                f"with its sha256; got version {header.version} ({path}). Copy it from its source "
                "again."
            )
        if header.format != kind:
            raise ModelFileError(
                f"The file must be a {kind}; got a {header.format} ({path}). "
                + ("Give a .hm file." if kind == "hypermagnetics model" else "Give a .ckpt file.")
            )
        file.seek(len(line))
        yield header, file


def read_header(path: Path, kind: Kind) -> Header:
    """Read the header of a file after comparing its bytes; arguments and errors as `open_tree`."""
    with open_tree(path, kind) as (header, _):
        return header


def model_template(header: Header, path: Path, user_model: UserModel | None) -> AnyModel:
    """Template of a model: its structure, with shapes in place of arrays.

    Raises:
        ModelFileError: If the file is of another class than the given one, or of one not given, or
            for sources that this release does not know.
    """
    _refuse_another_class(header, path, user_model)
    if isinstance(header.inputs, ArrayInputs):
        of_arrays = header.inputs
        network: ArrayModel = eqx.filter_eval_shape(
            lambda: build_array_model(header.model, of_arrays, jr.key(0), user_model)
        )
        return network
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


def _in_file(model: AnyModel) -> InputsInFile | ArrayInputs:
    if isinstance(model, ArrayModel):
        return model.inputs
    return InputsInFile.of(model.inputs)


def _refuse_another_class(header: Header, path: Path, user_model: UserModel | None) -> None:
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


def read_leaves(arrays: IO[bytes], template: _Tree, path: Path) -> _Tree:
    """Fill the arrays of a template.

    Raises:
        ModelFileError: If the arrays are not those of the template.
    """
    try:
        tree: _Tree = eqx.tree_deserialise_leaves(arrays, template, _read_leaf)
        if arrays.read(1):
            raise ValueError("more arrays than the model has")
    except (RuntimeError, ValueError, EOFError) as error:
        reason: BaseException = error
        while isinstance(reason, RuntimeError) and reason.__cause__ is not None:
            reason = reason.__cause__  # equinox tells the place alone
        raise ModelFileError(
            f"The arrays of a model file must fit its settings; got: {reason} ({path}). "
            "Read it with the release of hypermagnetics that wrote it."
        ) from error
    return tree


def _read_leaf(file: Any, leaf: Any) -> Any:
    """Read an array, after a look at its size: no memory is taken for more than the model has."""
    if eqx.is_array_like(leaf) or hasattr(leaf, "dtype"):
        start = file.tell()
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("an array of another form")
        shape, _, _ = np.lib.format.read_array_header_1_0(file)
        if shape != np.shape(leaf):
            raise ValueError(f"an array of shape {shape} in place of {np.shape(leaf)}")
        file.seek(start)
    return eqx.default_deserialise_filter_spec(file, leaf)


def _sha256(beginning: bytes, file: IO[bytes]) -> str:
    """Hexadecimal sha256 of some bytes and the rest of a file."""
    digest = hashlib.sha256(beginning)
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def _content(line: bytes, path: Path) -> dict[str, Any]:
    """The parsed first line, of which nothing is known but that it names a format and a version."""
    try:
        content = json.loads(line)
        content["format"].index("hypermagnetics")
        content["version"] + 1
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedFileError(
            f"A model file must begin with a JSON line; got other bytes ({path}). "
            "Give a file written by hm-train."
        ) from error
    assert isinstance(content, dict), "only a table has keys"
    return content


def _header(line: bytes, version: object, path: Path) -> Header:
    if version not in (MODEL_FILE_VERSION, OLD_VERSION):
        raise ModelFileError(
            f"The version of a model file must be {OLD_VERSION} or {MODEL_FILE_VERSION}; got "
            f"{version!r} ({path}). Read it with the release of hypermagnetics that wrote it."
        )
    try:
        return Header.model_validate_json(line)
    except ValidationError as error:
        misfit = first_misfit(error, Header.model_json_schema(), "The first line of a model file")
        # Version 1 has no sha256 of its first line, so a misfit there may be damage.
        kind = DamagedFileError if version == OLD_VERSION else ModelFileError
        raise kind(
            f"{misfit.text} (first line of {path}). Copy it from its source again."
        ) from error
