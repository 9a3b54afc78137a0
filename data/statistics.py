"""Moments of arrays, gathered block by block while a dataset is written."""

import math

import numpy as np

from hypermagnetics.config import Config
from hypermagnetics.data.layout import ArrayName, Block
from hypermagnetics.data.manifest import Statistics


class Sums(Config):
    """What the moments are made of, for each component (column, axis) of an array."""

    count: int
    total: tuple[float, ...]
    squares: tuple[float, ...]
    min: tuple[float, ...]
    max: tuple[float, ...]

    def __add__(self, other: "Sums") -> "Sums":
        """The sums over both parts."""
        return type(self)(
            count=self.count + other.count,
            total=tuple(a + b for a, b in zip(self.total, other.total, strict=True)),
            squares=tuple(a + b for a, b in zip(self.squares, other.squares, strict=True)),
            min=tuple(map(min, self.min, other.min)),
            max=tuple(map(max, self.max, other.max)),
        )

    @property
    def is_finite(self) -> bool:
        """Whether every value was a finite number; NaN and infinity reach the range."""
        return all(map(math.isfinite, (*self.min, *self.max)))

    def statistics(self) -> Statistics:
        """Mean, standard deviation and range of each component."""
        means = tuple(total / self.count for total in self.total)
        return Statistics(
            mean=means,
            std=tuple(
                math.sqrt(max(squares / self.count - mean**2, 0))
                for squares, mean in zip(self.squares, means, strict=True)
            ),
            min=self.min,
            max=self.max,
        )


def block_sums(block: Block) -> dict[ArrayName, Sums]:
    """Sums over the values of one block; padding rows of the source tables do not count."""
    is_source = np.arange(block.sources.shape[1]) < block.num_sources[:, None]
    return {
        "sources": _sums(block.sources[is_source]),
        "num_sources": _sums(block.num_sources[:, None].astype(np.float32)),
        "grid": _sums(block.grid),
        "potential": _sums(block.potential[..., None]),
        "field": _sums(block.field),
    }


def _sums(values: np.ndarray) -> Sums:
    size = values.shape[-1]
    # Summing rows of many components at once runs at memory speed; along a last axis of two
    # elements numpy is ten times slower. A row sum has few terms, so float32 will mostly do.
    rows = values.reshape(len(values), -1)
    with np.errstate(over="ignore", invalid="ignore"):
        total, squares = rows.sum(axis=0), np.square(rows).sum(axis=0)
        if not (np.isfinite(total).all() and np.isfinite(squares).all()):
            wide = rows.astype(np.float64)
            total, squares = wide.sum(axis=0), np.square(wide).sum(axis=0)
    return Sums.model_construct(
        count=rows.size // size,
        total=_floats(total.reshape(-1, size).sum(axis=0, dtype=np.float64)),
        squares=_floats(squares.reshape(-1, size).sum(axis=0, dtype=np.float64)),
        min=_floats(rows.min(axis=0).reshape(-1, size).min(axis=0)),
        max=_floats(rows.max(axis=0).reshape(-1, size).max(axis=0)),
    )


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
