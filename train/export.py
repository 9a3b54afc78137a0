"""A trained model as a directory that plain JAX reads, without this package."""

import re
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import get_args

from hypermagnetics.errors import RunError
from hypermagnetics.files import (
    aside_of,
    first_foreign_file,
    is_aside,
    put_in_place,
    restore,
    sync_directories,
    sync_directory,
    whole_file,
    write_text_atomically,
)
from hypermagnetics.input_files import FileKind
from hypermagnetics.models import (
    AnyModel,
    ArrayModel,
    Model,
    UserModel,
    array_to_jax_export,
    load,
    to_jax_export,
)
from hypermagnetics.models.card import array_card, usage_card
from hypermagnetics.models.export import PLATFORMS, ArrayQuantity, Quantity
from hypermagnetics.run_files import RunFiles

_README = "README.md"
_CARD = FileKind("The card of a model", 1 << 24, RunError)
_QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)
_ARRAY_QUANTITIES: tuple[ArrayQuantity, ...] = get_args(ArrayQuantity)


def export_run(
    run: Path, out: Path, *, overwrite: bool, user_model: UserModel | None = None
) -> tuple[str, ...]:
    """Write the model of a run through `jax.export`, whole or not at all.

    Args:
        run: The directory of a finished run.
        out: The directory to be made: potential.jaxexport and field.jaxexport, or, of a network
            from arrays to arrays, targets.jaxexport and jacobian.jaxexport; a README.md that shows
            how to call them, and the model's card.
        overwrite: Whether an export at `out` may be replaced.
        user_model: The class, if the model is a user's.

    Returns:
        Names of the exported functions' files.

    Raises:
        RunError: If the run has no model, or `out` exists and must not be replaced.
        ModelFileError: If the model cannot be read.
    """
    files = RunFiles(run)
    _refuse_without_model(files)
    if is_aside(out):
        _refuse_foreign(aside_of(out), files)
        restore(out)
    _refuse_existing(out, files, overwrite)
    out, model = out.resolve(), load(files.model, user_model=user_model)
    card = _CARD.read(files.card).decode() if files.card.exists() else None
    part = out.with_name(out.name + ".part")
    _remove_export(part, files)
    names = []
    try:
        for quantity, content in _functions(model):
            names.append(f"{quantity}.jaxexport")
            with whole_file(part / names[-1]) as file:
                file.write(content)
        if card is not None:
            write_text_atomically(part / files.card.name, card)
        text = _array_readme(model) if isinstance(model, ArrayModel) else _readme(model)
        write_text_atomically(part / _README, text)
        sync_directories(part)
        if out.exists():
            _refuse_foreign(out, files)  # again, as compiling took a while
        put_in_place(part, out)
        sync_directory(out.parent)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return tuple(names)


def _refuse_without_model(files: RunFiles) -> None:
    if not files.model.is_file():
        raise RunError(
            f"RUN must have a {files.model.name}; got {str(files.directory)!r}, which has none. "
            "Check the path, or finish the run: hm-train with --resume completes it."
        )


def _refuse_existing(out: Path, files: RunFiles, overwrite: bool) -> None:
    if not out.exists() and not out.is_symlink():
        return
    if not overwrite:
        raise RunError(
            f"OUT must not exist; got {str(out)!r}, which does. Replace it with --overwrite, or "
            "choose another OUT."
        )
    if out.is_symlink() or not out.is_dir():
        raise RunError(
            f"An export to be overwritten must be a directory; got {str(out)!r}, which is a file "
            "or a link. Choose another OUT."
        )
    _refuse_foreign(out, files)


def _refuse_foreign(directory: Path, files: RunFiles) -> None:
    quantities = (*_QUANTITIES, *_ARRAY_QUANTITIES)
    names = [_README, files.card.name, *(f"{quantity}.jaxexport" for quantity in quantities)]
    foreign = first_foreign_file(directory, re.compile("|".join(map(re.escape, names))))
    if foreign:
        raise RunError(
            f"An export to be overwritten must hold only files of the export; got {foreign!r} "
            f"({directory}). Move it away, or choose another OUT."
        )


def _remove_export(directory: Path, files: RunFiles) -> None:
    """Delete an export, or the remains of one left by a killed process."""
    if directory.exists():
        _refuse_foreign(directory, files)
        shutil.rmtree(directory)


def _functions(model: AnyModel) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each exported function, one at a time."""
    if isinstance(model, ArrayModel):
        for of_arrays in _ARRAY_QUANTITIES:
            yield of_arrays, array_to_jax_export(model, of_arrays)
        return
    for quantity in _QUANTITIES:
        yield quantity, to_jax_export(model, quantity)


def _array_readme(model: ArrayModel) -> str:
    shape = ", ".join(map(str, model.inputs.input.shape))
    return "\n".join(
        (
            "# A network from arrays to arrays for plain JAX",
            "",
            "`targets.jaxexport` and `jacobian.jaxexport` are functions of "
            f"{model.inputs.input.name}, written as StableHLO by `jax.export` of jax "
            f"{version('jax')} for "
            f"{' and '.join(PLATFORMS)}, parameters included. They need `pip install jax "
            "flatbuffers` and nothing else:",
            "",
            "```python",
            "import jax, pathlib",
            'data = bytearray(pathlib.Path("targets.jaxexport").read_bytes())',
            "targets = jax.jit(jax.export.deserialize(data).call)",
            f"print(targets(inputs))  # float32 (samples, {shape}) -> (samples, "
            f"{', '.join(map(str, model.inputs.target.shape))}), {model.inputs.target.name}",
            "```",
            "",
            "Any number of samples will do, at least one; each new one compiles once. Nothing is "
            "checked, and nothing warns.",
            "",
            array_card(model),
        )
    )


def _readme(model: Model) -> str:
    return "\n".join(
        (
            "# A magnetostatic model for plain JAX",
            "",
            f"`potential.jaxexport` and `field.jaxexport` are functions of (sources, points), "
            f"written as StableHLO by `jax.export` of jax {version('jax')} for "
            f"{' and '.join(PLATFORMS)}, parameters included. They need `pip install jax "
            "flatbuffers` and nothing else:",
            "",
            "```python",
            "import jax, pathlib",
            'data = bytearray(pathlib.Path("field.jaxexport").read_bytes())',
            "field = jax.jit(jax.export.deserialize(data).call)",
            f"print(field(sources, points))  # float32 (sources, {model.inputs.columns.size}) and "
            f"(points, {model.dim}) -> H [A/m]",
            "```",
            "",
            "Any number of sources and points will do, at least one of each; each new one compiles "
            "once. Nothing is checked, and nothing warns.",
            "",
            usage_card(model),
        )
    )
