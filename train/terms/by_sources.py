"""The error of derivatives by the sources, as a term."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple, assert_never

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, UInt32
from pydantic import Field

from hypermagnetics.data import Split
from hypermagnetics.errors import RecipeError
from hypermagnetics.models import Model
from hypermagnetics.shapes import AnyKey, BlockField, BlockPotential, SourceTable, SourceTables
from hypermagnetics.sources import (
    Directions,
    SourceColumns,
    block_derivative,
    chosen_columns,
    derivative_labels,
    labels,
)
from hypermagnetics.train.losses import RegionWeights, SampleLoss
from hypermagnetics.train.losses.loss import SampleLosses
from hypermagnetics.train.sample_keys import DIRECTIONS
from hypermagnetics.train.terms.evaluation import Evaluation
from hypermagnetics.train.terms.kinks import kinked_functions
from hypermagnetics.train.terms.term import Facts, Term, TermConfig
from hypermagnetics.train.terms.values import Quantity

# Not strict: behind a validator of a whole table the list of a recipe is one of Python.
_Names = Annotated[tuple[str, ...], Field(min_length=1, strict=False)]

_UNIT_SAMPLES = 1024
"""Random directions that the unit of a term is taken from, in the first samples."""
_IMPORTED_DIFFER = 0.01
"""Root mean square difference of imported labels from exact sums, in units of these, from which on
they are of something else."""

_UNIT_PAIRS = 1 << 23
"""Pairs of source and point that it is taken from at most."""
_UNIT_SEED = 0


class BySourcesTermConfig(TermConfig):
    """One term: a loss of the error of derivatives of potential or field by the sources.

    Labels are made in each step, by forward differentiation of the exact sum along directions in
    which the bodies change: all chosen columns of all bodies of a sample at once, each by a normal
    number times its unit, the model's scale of moments or of lengths, or 1 rad.
    """

    of: Quantity
    """Quantity whose derivatives are learned: "potential" or "field"."""
    by: Literal["sources"]
    """Derivatives by the columns of the sources."""
    columns: _Names | None = None
    """Columns by which is differentiated: "moment", "position", "size", "rotation", or names of
    columns; null for all that vary, but for those in which the model is right by construction, such
    as moments where it is linear in them."""
    directions: Annotated[int, Field(ge=1)] | Literal["all"] = 1
    """Number of random directions, drawn anew for each step and sample; "all" for the whole
    Jacobian, one direction for each column of each body."""

    def term(self, loss: SampleLoss, facts: Facts) -> "BySourcesTerm":
        """Make the term; see `TermConfig`."""
        split, _ = _known(facts)
        along = self._along(facts, "objective")
        rms = slope_rms(along, split, self.of)
        if not rms > 0:
            raise RecipeError(
                "Derivatives by the sources must differ from zero somewhere to be learned from; "
                f"got zeros only (split {split.name!r} of {split.directory}). Leave the term out."
            )
        return BySourcesTerm(
            weight=self.weight,
            of=self.of,
            along=along,
            count=self.directions,
            loss=loss,
            rms=rms,
            regions=self.regions,
        )

    def check(self, facts: Facts, where: str) -> None:
        """Refuse a term that says nothing, or is not defined for the dataset; see `TermConfig`."""
        split, model = _known(facts)
        along = self._along(facts, where)
        place = f"{where}, split {split.name!r} of {split.directory}"
        if not along.names:
            raise RecipeError(
                "A term by sources must have a column that varies, and in which the model is not "
                f"right by construction; got none ({place}). Leave the term out."
            )
        settled = set(model.settled_columns)
        if settled >= set(along.names):
            raise RecipeError(
                "A term by sources must have a column in which the model is not right by "
                f"construction; got {', '.join(along.names)} alone: derivatives in these are right "
                f"as soon as {_what_is_right(along.names)} ({where}.columns). Add another column, "
                "such as those of 'position', or leave the term out."
            )
        rows = split.layout.max_sources
        most = len(along.parameters) * rows
        if self.directions != "all" and self.directions > most:
            raise RecipeError(
                f"Directions of a term by sources must be at most {most}, "
                f"{len(along.parameters)} columns of {rows} sources; got "
                f'{self.directions} ({where}.directions). Lower it, or write "all".'
            )
        if kinks := kinked_functions(model):
            raise RecipeError(
                "A term by sources must have a model of smooth functions, as the gradient of a "
                f"derivative lacks what kinks contribute that move; got {', '.join(kinks)} ({where}"
                "). Take a smooth one in its place, such as jax.nn.gelu, or leave the term out."
            )
        _refuse_other_labels(facts.columns, split, place)

    def _along(self, facts: Facts, where: str) -> Directions:
        """The columns and their units.

        Raises:
            SourceError: If a column is unknown or does not vary.
        """
        split, model = _known(facts)
        columns, scales = facts.columns, model.inputs.scales
        found = split.statistics("sources")
        ranges = zip(columns.names, found.min, found.max, strict=True)
        varying = [name for name, low, high in ranges if low < high]
        place = f"{where}.columns, split {split.name!r} of {split.directory}"
        names = chosen_columns(columns, self.columns, varying, place)
        if self.columns is None:
            settled = set(model.settled_columns)
            names = tuple(name for name in names if name not in settled)
        return Directions(columns, names, scales.moment, scales.length)


@dataclass(frozen=True)
class BySourcesTerm(Term):
    """A loss of the error of derivatives of potential or field by the sources.

    The error of a point is a vector of the derivatives in all directions, of which |e|² is the mean
    of squares for random directions and their sum for the whole Jacobian. Both are the same in the
    mean: random directions have normal numbers of variance 1. For a model with a near part, which
    is exact, the error is that of the learned part.
    """

    of: Quantity
    along: Directions
    """Columns that change, and their units."""
    count: int | Literal["all"]
    """Number of random directions, or "all" for the whole Jacobian."""
    loss: SampleLoss
    rms: float
    """Root mean square of the derivative in a random direction, or of its norm for the field."""
    regions: RegionWeights | None = None
    """Weights of regions; None for equal weights of all points."""

    @property
    def draws(self) -> bool:
        """Whether it needs a random key of each sample."""
        return self.count != "all"

    @property
    def differentiates(self) -> bool:
        """It does."""
        return True

    def __call__(self, evaluation: Evaluation) -> SampleLosses:
        """The loss of each sample."""
        keys, blocks = evaluation.batch.keys, range(len(evaluation.batch.sources))
        # A loop over the few blocks, as for errors of values.
        slopes = [self._slopes(evaluation, i, None if keys is None else keys[i]) for i in blocks]
        error = evaluation.masked(jnp.stack([one.error for one in slopes]))
        truth = jnp.stack([one.truth for one in slopes])
        weights = None if self.regions is None else self.regions(evaluation.region_codes)
        return self.loss(error / self.rms, truth / self.rms, weights)

    def _slopes(
        self, evaluation: Evaluation, block: int, keys: UInt32[Array, "samples words"] | None
    ) -> "_Slopes":
        """Derivatives of the samples of a block."""
        sources, points = evaluation.batch.sources[block], evaluation.batch.grid[block]
        error_slopes = evaluation.error_slopes(block)

        def along(changes: SourceTables) -> _Slopes:
            true = block_derivative(self.along.columns, sources, changes, points)
            errors = error_slopes(changes, *true)
            return _Slopes(self._components(errors), self._components(true))

        changes = self._changes(sources, keys)
        if len(changes) == 1:
            return along(changes[0])
        found = jax.vmap(along, out_axes=-1)(changes)
        joined: _Slopes = jax.tree.map(lambda a: a.reshape(*a.shape[:2], -1), found)
        return joined

    def _changes(
        self, sources: SourceTables, keys: UInt32[Array, "samples words"] | None
    ) -> Float[Array, "directions samples sources columns"]:
        if self.count == "all":
            return self.along.single(sources)
        assert keys is not None, "random directions need the keys of the samples"
        count = self.count

        def of_sample(
            key: AnyKey, table: SourceTable
        ) -> Float[Array, "directions sources columns"]:
            return self.along.random(jr.fold_in(key, DIRECTIONS), table, count)

        drawn: Array = jax.vmap(of_sample, out_axes=1)(keys, sources)
        # The sum of the squares of some derivatives is then their mean.
        return drawn / math.sqrt(count)

    def _components(
        self, values: tuple[BlockPotential, BlockField]
    ) -> Float[Array, "samples points components"]:
        match self.of:
            case "potential":
                return values[0][..., None]
            case "field":
                return values[1]
            case _:
                assert_never(self.of)


class _Slopes(NamedTuple):
    """Derivatives of a block as vectors, with a component for each direction and axis."""

    error: Float[Array, "..."]
    truth: Float[Array, "..."]


def slope_rms(along: Directions, split: Split, of: Quantity) -> float:
    """Root mean square of the derivative of labels in a random direction, or of its norm.

    Args:
        along: Columns that change, and their units.
        split: The training split, of which the first samples are taken.
        of: Quantity.

    Returns:
        The root mean square [A or A/m].
    """
    layout, squares, count = split.layout, 0.0, 0
    most = max(_UNIT_PAIRS // (layout.max_sources * layout.num_points), 1)
    left = samples = min(most, _UNIT_SAMPLES, layout.num_samples)
    each = -(-min(most, _UNIT_SAMPLES) // samples)
    for number, block in enumerate(split.blocks()):
        tables = jnp.asarray(block.sources[:left])
        keys = jax.vmap(jr.fold_in, (None, 0))(
            jr.fold_in(jr.key(_UNIT_SEED), number), jnp.arange(len(tables))
        )
        directions = jax.vmap(along.random, (0, 0, None), 1)(keys, tables, each)
        for changes in directions:
            found = derivative_labels(along.columns, tables, changes, block.grid)
            slopes = np.asarray(found[0] if of == "potential" else found[1], np.float64)
            squares += float(np.sum(slopes**2))
            count += len(tables) * len(block.grid)
        left -= len(tables)
        if not left:
            break
    return math.sqrt(squares / count)


def _what_is_right(names: Sequence[str]) -> str:
    moments = [name for name in names if name.startswith("moment_")]
    if len(moments) == len(names):
        return "the potential is, in which the model is linear in the moments"
    return "the learned part is, which does not depend on sizes of balls"


def _known(facts: Facts) -> tuple[Split, Model]:
    """The training split, and the model."""
    assert facts.split is not None, "derivatives by the sources need the training split"
    assert facts.model is not None, "and the model"
    return facts.split, facts.model


def _refuse_other_labels(columns: SourceColumns, split: Split, place: str) -> None:
    """Refuse imported labels that are not the exact sum, whose derivatives would be others."""
    if not split.is_imported:
        return
    block = next(iter(split.blocks()))
    exact = labels(columns, block.sources, block.num_sources, block.grid)
    for name, ours, theirs in zip(
        ("potential", "field"), exact, (block.potential, block.field), strict=True
    ):
        difference = float(np.sqrt(np.mean((np.asarray(ours) - theirs) ** 2)))
        share = difference / max(float(np.sqrt(np.mean(np.asarray(ours) ** 2))), 1e-37)
        if not share <= _IMPORTED_DIFFER:
            raise RecipeError(
                "A term by sources must have labels that are the exact sum over the bodies of the "
                f"source table; got an imported {name} that differs by {share:.1%} of it ({place})."
                " Leave the term out, or import with the units in which they agree."
            )
