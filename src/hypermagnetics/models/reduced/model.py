"""Reduced: soft boxes by the first modes of their magnetisation."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from hypermagnetics.errors import RecipeError, SourceError
from hypermagnetics.jax_setup import with_constants
from hypermagnetics.models.domain import Domain
from hypermagnetics.models.inputs import ModelInputs
from hypermagnetics.models.knowledge import Knowledge
from hypermagnetics.models.model import Model
from hypermagnetics.models.reduced.dipoles import dipole_places, dipoles_of
from hypermagnetics.models.reduced.divided_box import DividedBox
from hypermagnetics.models.reduced.modes import modes_of
from hypermagnetics.models.reduced.rows import (
    SoftRows,
    magnets_of,
    sizes_in_words,
    smallest_gaps,
    soft_rows,
)
from hypermagnetics.models.reduced.settings import ReducedConfig, resolved
from hypermagnetics.models.reduced.snapshots import Surroundings, snapshots
from hypermagnetics.models.reduced.system import coefficients, places_of, turned, turned_back
from hypermagnetics.models.reduced.values import (
    InsideOf,
    between_cells,
    inside_of,
    of_dipoles,
)
from hypermagnetics.models.steps import RowsAtOnce, steps_of_platform
from hypermagnetics.shapes import (
    AnyKey,
    BlockField,
    BlockPotential,
    Points,
    Potential,
    SourceTable,
    SourceTables,
)
from hypermagnetics.shapes import Field as FieldValues
from hypermagnetics.sources.geometry import magnetisation
from hypermagnetics.sources.sums import over_samples
from hypermagnetics.sources.superposition import block_sum
from hypermagnetics.table import applied_field, susceptibility

_NEIGHBOURS = {2: 300, 3: 200}
"""Fields of neighbours in each round, of each aspect."""
_LEAST_SUSCEPTIBILITY = 0.5
"""Of the neighbourhoods; below it a body answers by the field itself."""
_SAME_ASPECT = 1e-3
"""Largest difference of sides, over the longest, of boxes of one aspect."""
_ROUNDING = 1e-4
"""Of a gap, over the least."""
_NUMBERS_AT_ONCE = 1 << 22
"""Of the matrices and values of samples that are computed at once."""
_ALL_ROWS = 1 << 30
_ADVICE = "Solve it by hypermagnetics.sources.solve_magnetisation, or make a model with"


class _State(NamedTuple):
    """A configuration with the coefficients of the modes of its soft boxes."""

    sources: SourceTable
    rows: SoftRows
    coefficients: Float[Array, "rows modes"]
    """[A/m]"""


class Reduced(Model):
    """M_i = sum_k a_ik B_k in each soft box i, with a of a linear system of all boxes.

    The modes B are the first singular vectors of magnetisations of one box beside random
    neighbours, of each aspect of its sides, and scale with the box. Outside, the field of a mode is
    that of few dipoles in the box, and the same dipoles project any field on the mode; so the
    system is made of fields of dipoles at dipoles, and the values at points are a sum over dipoles.
    Hard magnets have their closed forms. Inside a soft box H = (M - M_rem) / chi.

    phi is linear in remanent moments and applied fields; it turns and scales with a configuration.
    The applied field itself is not part of it. It holds for any number of bodies anywhere, but not
    closer to each other than `gap`.
    """

    places: Float[Array, "aspects dipoles dim"]
    """Places of the dipoles, in longest sides."""
    moments: Float[Array, "aspects modes dipoles dim"]
    """Moments of the dipoles of each mode."""
    own_field: Float[Array, "aspects modes modes"]
    """Field of each mode in its own body, projected on the modes."""
    magnetisation: Float[Array, "aspects modes cells dim"]
    """Each mode in the cells of the box."""
    own_potential: Float[Array, "aspects modes cells"]
    """Potential of each mode at the centres of the cells, in longest sides."""
    config: ReducedConfig = eqx.field(static=True)
    inputs: ModelInputs = eqx.field(static=True)

    @with_constants
    def __init__(self, config: ReducedConfig, inputs: ModelInputs) -> None:
        """Choose open settings; `fitted` makes the modes.

        Args:
            config: Settings.
            inputs: The source table, with susceptibilities.

        Raises:
            RecipeError: If the sources are not soft boxes, or their aspects are not known.
        """
        self.config, self.inputs = resolved(config, inputs), inputs
        boxes, modes, dim = self._boxes, self._modes, inputs.dim
        dipoles = max(len(dipole_places(box)) for box in boxes)
        cells, kinds = self._divisions**dim, len(boxes)
        self.places = jnp.zeros((kinds, dipoles, dim), jnp.float32)
        self.moments = jnp.zeros((kinds, modes, dipoles, dim), jnp.float32)
        self.own_field = jnp.zeros((kinds, modes, modes), jnp.float32)
        self.magnetisation = jnp.zeros((kinds, modes, cells, dim), jnp.float32)
        self.own_potential = jnp.zeros((kinds, modes, cells), jnp.float32)

    @with_constants
    def fitted(self, sources: SourceTable, points: Points, key: AnyKey) -> "Reduced":
        """The model with modes of solved neighbourhoods, whose random numbers are of the key.

        Raises:
            RecipeError: If a soft body of the training split has no modes.
        """
        rows = self._soft_rows(sources)
        for rule in _RULES_OF_A_ROW:
            for row in np.flatnonzero(rule.broken(self, sources, rows))[:1]:
                values = np.asarray(sources[row])
                raise RecipeError(rule.message(self, values, "a source of the training split"))
        boxes = self._boxes
        random = np.random.default_rng(np.asarray(jax.random.key_data(key)).tolist())
        susceptibilities = (_LEAST_SUSCEPTIBILITY, max(self.config.largest_susceptibility, 1.0))
        surroundings = Surroundings(self.config.gap, susceptibilities, _NEIGHBOURS[self.dim])
        arrays = []
        for box, found in zip(boxes, snapshots(boxes, surroundings, random), strict=True):
            modes = modes_of(box, found, self._modes).padded_to(self._modes)
            dipoles = dipoles_of(box, modes.magnetisation, self.config.gap, random)
            missing = self.places.shape[1] - len(dipoles.places)
            arrays.append(
                (
                    np.pad(dipoles.places, ((0, missing), (0, 0))),
                    np.pad(dipoles.moments, ((0, 0), (0, missing), (0, 0))),
                    modes.own_field,
                    modes.magnetisation,
                    box.own_potential(modes.magnetisation),
                )
            )
        stacked = tuple(
            jnp.asarray(np.stack(one), jnp.float32) for one in zip(*arrays, strict=True)
        )
        fitted: Reduced = eqx.tree_at(
            lambda m: (m.places, m.moments, m.own_field, m.magnetisation, m.own_potential),
            self,
            stacked,
        )
        return fitted

    def refuse_unknown(self, sources: SourceTables) -> None:
        """Refuse soft bodies that it has no modes for; see `Model`.

        Raises:
            SourceError: If a soft body has another kind, aspect or susceptibility, or is closer to
                another body than the gap.
        """
        broken = np.asarray(_broken(self, sources))
        for sample, rule, row in np.argwhere(broken)[:1]:
            place = f"source {row}" + (f" of sample {sample}" if len(sources) > 1 else "")
            raise SourceError(_RULES[rule].message(self, np.asarray(sources[sample, row]), place))

    def weights(self, sources: SourceTable) -> _State:
        """The coefficients of the modes of all soft boxes; see `Model`."""
        rows = self._soft_rows(sources)
        boxes = rows.boxes
        places = places_of(boxes, self.places[boxes.aspect])
        _, field = self._of_magnets(sources, (rows.unit * places).reshape(-1, self.dim))
        applied = applied_field(self.inputs.columns, sources)[:, None]
        volumes = jnp.asarray([box.cell_volume for box in self._boxes], sources.dtype)
        uniform = volumes[:, None, None] * jnp.sum(self.magnetisation, axis=2)
        own_remanence = turned_back(boxes.axes, rows.remanence)
        found = coefficients(
            boxes,
            self.own_field[boxes.aspect],
            self.moments[boxes.aspect],
            places,
            field.reshape(places.shape) + applied,
            jnp.einsum("rkd,rd->rk", uniform[boxes.aspect], own_remanence),
        )
        # Inside a transformation of JAX nothing can be refused.
        is_known = ~jnp.any(self._broken_rules(sources))
        return _State(sources, rows, jnp.where(is_known, found, jnp.nan))

    def evaluate(self, weights: _State, points: Points) -> tuple[Potential, FieldValues]:
        """Potential and field for given coefficients; see `Model`."""
        sources, rows, values = weights
        boxes, unit, at = rows.boxes, rows.unit, points / rows.unit
        inside = inside_of(boxes, self._aspects[boxes.aspect], at)
        moments = jnp.einsum("rk,rkpd->rpd", values, self.moments[boxes.aspect])
        moments = turned(boxes.axes, moments) * boxes.side[:, None, None] ** self.dim
        places = places_of(boxes, self.places[boxes.aspect])
        others = of_dipoles(moments, places, at, inside)
        magnets = self._of_magnets(sources, points)
        own_potential, inner = self._inside(weights, inside)
        potential = magnets[0] + unit * (others.potential + own_potential)
        outer_field = magnets[1] + jnp.stack(others.field, axis=-1)
        chi = jnp.where(boxes.is_soft, boxes.susceptibility, 1)[inside.box, None]
        inner_field = (inner - rows.remanence[inside.box]) / chi
        inner_field = inner_field - applied_field(self.inputs.columns, sources)[inside.box]
        return potential, jnp.where(inside.is_inside[:, None], inner_field, outer_field)

    def evaluate_block(
        self, sources: SourceTables, points: Points
    ) -> tuple[BlockPotential, BlockField]:
        """Values of samples that share their points, some at a time; see `Model`."""

        def of_sample(table: SourceTable) -> tuple[Potential, FieldValues]:
            return self.evaluate(self.weights(table), points)

        rows, numbers = sources.shape[1], self.places.shape[1] * self.dim
        each = rows * (numbers**2 + rows * self._modes**2 + len(points))
        return over_samples(of_sample, (sources,), each, _NUMBERS_AT_ONCE)

    def magnetisation_at(self, sources: SourceTable, points: Points) -> FieldValues:
        """Magnetisation of the modes in soft boxes, and that of hard magnets; see `Model`."""
        state = self.weights(sources)
        boxes, unit = state.rows.boxes, state.rows.unit
        inside = inside_of(boxes, self._aspects[boxes.aspect], points / unit)
        columns = self.inputs.columns
        of_magnets = magnetisation(columns.hard, magnets_of(columns, sources), points)
        found: FieldValues = of_magnets + self._inside(state, inside)[1]
        return found

    @property
    def knowledge(self) -> Knowledge:
        """The kernel; see `Model`."""
        return Knowledge.KERNEL

    @property
    def kept(self) -> tuple[str, ...]:
        """All but the moments and own fields of the modes."""
        return ("places", "magnetisation", "own_potential")

    @property
    def domain(self) -> Domain | None:
        """None: modes know no place, and `refuse_unknown` names the bodies that have none."""
        return None

    @property
    def rank(self) -> int | None:
        """None: the potential is not additive over sources."""
        return None

    @property
    def solves_for_sources(self) -> bool:
        """True: each soft body answers to all others; see `Model`."""
        return True

    @property
    def rows_at_once(self) -> RowsAtOnce:
        """All rows, as each answers to all others; see `Model`."""
        return steps_of_platform()._replace(sources=_ALL_ROWS)

    @property
    def _modes(self) -> int:
        assert self.config.modes is not None, "they are chosen"
        return self.config.modes

    @property
    def _divisions(self) -> int:
        assert self.config.divisions is not None, "they are chosen"
        return self.config.divisions

    @property
    def _boxes(self) -> list[DividedBox]:
        assert self.config.aspects is not None, "they are chosen"
        return [DividedBox(sides, self._divisions) for sides in self.config.aspects]

    @property
    def _aspects(self) -> Float[Array, "aspects dim"]:
        assert self.config.aspects is not None, "they are chosen"
        return jnp.asarray(self.config.aspects, jnp.float32)

    def _soft_rows(self, sources: SourceTable) -> SoftRows:
        return soft_rows(self.inputs.columns, self._aspects, sources)

    def _of_magnets(self, sources: SourceTable, points: Points) -> tuple[Potential, FieldValues]:
        """Exact potential [A] and field [A/m] of the hard magnets."""
        columns = self.inputs.columns
        rows = magnets_of(columns, sources)
        count = jnp.full(1, len(rows), jnp.int32)
        potential, field = block_sum(columns.hard, rows[None], count, points)
        return potential[0], field[0]

    def _inside(
        self, state: _State, inside: InsideOf
    ) -> tuple[Float[Array, " points"], Float[Array, "points dim"]]:
        """Own potential, over the unit, and magnetisation of the box around each point, or 0."""
        boxes, values = state.rows.boxes, state.coefficients
        # One product for all aspects: the modes of each row's own are too many to be copied.
        is_aspect = boxes.aspect[:, None] == jnp.arange(len(self._boxes))[None]
        by_aspect = jnp.where(is_aspect[..., None], values[:, None], 0)
        own = jnp.einsum("rak,akc->rc", by_aspect, self.own_potential)
        inner = jnp.einsum("rak,akcd->rcd", by_aspect, self.magnetisation)
        potential = boxes.side[:, None] * own
        cells = jnp.concatenate([potential[..., None], turned(boxes.axes, inner)], axis=-1)
        sides = self._aspects[boxes.aspect]
        found = between_cells(cells, self._divisions, inside, sides)
        found = jnp.where(inside.is_inside[:, None], found, 0)
        return found[:, 0], found[:, 1:]

    def _broken_rules(self, sources: SourceTable) -> Bool[Array, "rules rows"]:
        """Mask of the rows that break each of `_RULES`."""
        rows = self._soft_rows(sources)
        return jnp.stack([rule.broken(self, sources, rows) for rule in _RULES])


class _Rule(NamedTuple):
    """A rule that the soft rows of a source table must keep."""

    broken: Callable[[Reduced, SourceTable, SoftRows], Bool[Array, " rows"]]
    """Mask of the rows that break it."""
    message: Callable[[Reduced, np.ndarray, str], str]
    """The message, made of such a row and its place."""


def _is_no_box(model: Reduced, sources: SourceTable, rows: SoftRows) -> Bool[Array, " rows"]:
    return rows.is_soft & ~rows.boxes.is_soft


def _no_box(model: Reduced, row: np.ndarray, place: str) -> str:
    return (
        "A soft body must be a box for a reduced model, which has modes of no other; got another "
        f"of susceptibility {_chi(model, row):g} ({place}). Solve it by "
        "hypermagnetics.sources.solve_magnetisation, to which balls cost little."
    )


def _is_of_no_aspect(model: Reduced, sources: SourceTable, rows: SoftRows) -> Bool[Array, " rows"]:
    return rows.boxes.is_soft & ~(rows.mismatch <= _SAME_ASPECT)


def _no_aspect(model: Reduced, row: np.ndarray, place: str) -> str:
    listed = ", ".join(str([round(side, 6) for side in one]) for one in model.config.aspects or ())
    return (
        "The sides of a soft body must be in the ratio of an aspect that the model has modes of, "
        f"{listed}; got {sizes_in_words(model.inputs.columns, row)} ({place}). {_ADVICE} this "
        "aspect in model.aspects."
    )


def _is_too_soft(model: Reduced, sources: SourceTable, rows: SoftRows) -> Bool[Array, " rows"]:
    chi = rows.boxes.susceptibility
    return rows.is_soft & ~((chi > 0) & (chi <= model.config.largest_susceptibility))


def _too_soft(model: Reduced, row: np.ndarray, place: str) -> str:
    most = model.config.largest_susceptibility
    return (
        f"The susceptibility of a soft body must be above 0 and at most {most:g}, the range of the "
        f"modes; got {_chi(model, row):g} ({place}). {_ADVICE} a larger "
        "model.largest_susceptibility."
    )


def _is_too_close(model: Reduced, sources: SourceTable, rows: SoftRows) -> Bool[Array, " rows"]:
    least = (1 - _ROUNDING) * model.config.gap * rows.unit * rows.boxes.side
    return rows.boxes.is_soft & (smallest_gaps(model.inputs.columns, sources) < least)


def _too_close(model: Reduced, row: np.ndarray, place: str) -> str:
    return (
        f"A soft body must be at least {model.config.gap:g} of its longest side away from other "
        f"bodies; got one that is closer ({place}). {_ADVICE} a smaller model.gap."
    )


_RULES_OF_A_ROW = (
    _Rule(_is_no_box, _no_box),
    _Rule(_is_of_no_aspect, _no_aspect),
    _Rule(_is_too_soft, _too_soft),
)
_RULES = (*_RULES_OF_A_ROW, _Rule(_is_too_close, _too_close))


def _chi(model: Reduced, row: np.ndarray) -> float:
    return float(susceptibility(model.inputs.columns, row))


@eqx.filter_jit
def _broken(model: Reduced, sources: SourceTables) -> Bool[Array, "samples rules rows"]:
    return jax.vmap(model._broken_rules)(sources)
