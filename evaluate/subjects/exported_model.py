"""Models exported for plain JAX, as subjects."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import export
from jaxtyping import Float
from numpy import ndarray

from hypermagnetics.errors import RunError
from hypermagnetics.evaluate.subjects.subject import PotentialAndField, TableSize, filled_up
from hypermagnetics.input_files import FileKind
from hypermagnetics.jax_setup import own_program
from hypermagnetics.shapes import BlockField, BlockPotential, Points, SourceTable, SourceTables

EXPORT_NAMES = ("potential.jaxexport", "field.jaxexport")
"""The files of an export that are evaluated."""
_FILE = FileKind("A file of an export", 1 << 30, RunError)
_REPAIR = "Make it again with hm-train export."


class ExportedModel:
    """The two functions of an export, which take one configuration at a time."""

    def __init__(self, directory: Path) -> None:
        """Read both files; nothing is compiled yet.

        Args:
            directory: The export. The code in its files is compiled and run, so it must be trusted.

        Raises:
            RunError: If a file is absent, damaged, or a function of something else.
        """
        self._directory = directory
        contents = {name: _content(directory / name) for name in EXPORT_NAMES}
        self.sha256 = sha256_of_sums(
            {n: hashlib.sha256(c).hexdigest() for n, c in contents.items()}
        )
        """The `sha256_of_sums` of the bytes that were read."""
        potential, field = (_exported(directory / name, contents[name]) for name in EXPORT_NAMES)
        self.table = _table_size(potential, directory / EXPORT_NAMES[0])
        other = _table_size(field, directory / EXPORT_NAMES[1])
        if other != self.table:
            raise RunError(
                f"The functions of an export must read the same tables; got {self.table.dim} "
                f"dimensions and {self.table.size} columns for the potential, {other.dim} "
                f"and {other.size} for the field ({directory}). {_REPAIR}"
            )

        def block(sources: SourceTables, points: Points) -> tuple[BlockPotential, BlockField]:
            def both(table: SourceTable) -> tuple[jax.Array, jax.Array]:
                return potential.call(table, points), field.call(table, points)

            # JAX has no vmap of what was exported.
            values: tuple[BlockPotential, BlockField] = jax.lax.map(both, sources)
            return values

        self._block = own_program(block)

    def predict(
        self,
        sources: Float[ndarray, "samples sources columns"],
        points: Float[ndarray, "points dim"],
        num_samples: int,
    ) -> PotentialAndField:
        """See `PointModel`.

        Raises:
            RunError: If JAX cannot run the code in the files.
        """
        filled = jnp.asarray(filled_up(sources, num_samples), jnp.float32)
        try:
            potential, field = self._block(filled, jnp.asarray(points, jnp.float32))
            values = PotentialAndField(np.asarray(potential), np.asarray(field))
        except (ValueError, TypeError, RuntimeError) as error:
            raise RunError(
                f"The functions of an export must run here; got {_first_line(error)} "
                f"({self._directory}). {_REPAIR}"
            ) from error
        return PotentialAndField(values.potential[: len(sources)], values.field[: len(sources)])


def sha256_of_sums(sums: Mapping[str, str]) -> str:
    """One sha256 for several files: that of the output of `sha256sum` for them, in order.

    Args:
        sums: The sha256 of each file, by its path.

    Returns:
        64 hexadecimal digits.
    """
    lines = [f"{sums[name]}  {name}\n" for name in sorted(sums)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _content(path: Path) -> bytes:
    if not path.exists():
        raise RunError(
            f"An export must have the files {' and '.join(EXPORT_NAMES)}; got no "
            f"{path.name} ({path.parent}). {_REPAIR}"
        )
    return _FILE.read(path)


def _exported(path: Path, content: bytes) -> export.Exported:
    try:
        return export.deserialize(bytearray(content))
    except Exception as error:  # whatever comes of reading other bytes by offsets found in them
        raise RunError(
            "A file of an export must come from jax.export, in a version that this JAX reads; "
            f"got {_first_line(error)} ({path}). {_REPAIR}"
        ) from error


def _table_size(exported: export.Exported, path: Path) -> TableSize:
    """Table size of a function, which must take any number of sources and points in float32."""
    shapes = [array.shape for array in exported.in_avals]
    is_ours = [len(shape) for shape in shapes] == [2, 2] and all(
        export.is_symbolic_dim(count) and isinstance(size, int) and array.dtype == jnp.float32
        for array, (count, size) in zip(exported.in_avals, shapes, strict=True)
    )
    if is_ours:
        (_, num_columns), (num_points, dim) = shapes
        gives = (num_points,) if path.name == EXPORT_NAMES[0] else (num_points, dim)
        is_ours = [array.shape for array in exported.out_avals] == [gives]
    if not is_ours:
        raise RunError(
            "A function of an export must take sources (sources, columns) and points (points, "
            "dim), any number of each in float32, and give one value or vector for each point; "
            f"got {', '.join(map(str, exported.in_avals))} to "
            f"{', '.join(map(str, exported.out_avals))} ({path}). {_REPAIR}"
        )
    return TableSize(dim, num_columns)


def _first_line(error: Exception) -> str:
    text = str(error).strip().partition("\n")[0].rstrip(".")
    return f"{type(error).__name__}: {text[:300]}"
