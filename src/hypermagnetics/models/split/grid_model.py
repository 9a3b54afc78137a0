"""GridSplit: waves on a grid carry the smooth part of every source, the rest is exact and local."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from pydantic import AfterValidator, Field

from hypermagnetics.config import Config, Positive, checked
from hypermagnetics.errors import RecipeError
from hypermagnetics.jax_setup import with_constants
from hypermagnetics.models.domain import Domain, Range, largest_extent
from hypermagnetics.models.inputs import ModelInputs, Scales
from hypermagnetics.models.model import Model
from hypermagnetics.models.split.density import (
    Density,
    KaiserBesselDensity,
    PowerDensity,
)
from hypermagnetics.models.split.dipoles import has_nodes, smooth_dipoles
from hypermagnetics.models.split.grid_fit import Displacements, Fit, Waves, chosen, fit
from hypermagnetics.models.split.grid_waves import GridWaves
from hypermagnetics.models.split.model import CUTOFF
from hypermagnetics.models.split.near import ExactNearby, Smoothing
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
from hypermagnetics.sources.sums import Platform, over_samples, sums_platform
from hypermagnetics.table import SourceColumns

ACCURACY = {2: 1e-5, 3: 2e-3}
"""Default accuracy, by dimension."""

_POWER = {2: 6 / 14, 3: 4 / 9}
"""Exponent of the density (1 - s²/R²)^p for each rad of the bandwidth: more need more waves, and
fewer have a spectrum that falls too slowly."""
_MOST_NODES = 8
_SIMILAR = 0.8
"""Share of the longest axis from which an axis counts as equally long."""
_SMALLEST, _LARGEST = 1e-9, 1e9
"""Bounds of half the longest side of a domain [m]."""
_VALUES_AT_ONCE: Mapping[Platform, int] = {"cpu": 1 << 22, "gpu": 1 << 26}


def _ascending(ranges: tuple[Range, ...]) -> tuple[Range, ...]:
    for low, high in ranges:
        if not low < high:
            raise ValueError("must be a smaller and a larger coordinate for each axis")
    return ranges


Box = Annotated[tuple[Range, ...], AfterValidator(_ascending)]
"""Range of each axis [m]."""


class GridSplitConfig(Config):
    """Settings of a GridSplit; those left out are chosen from domain and accuracy."""

    name: Literal["split"] = "split"
    """Model: plane waves give the smooth part of every source, exact values close to sources are
    added. The accurate one; it is fitted in seconds, and needs no steps."""
    factors: Literal["grid"] = "grid"
    """"grid": plane waves on a grid, one coefficient each, for kernels that depend on the
    displacement from source to point alone, as those of magnets in free space; "trained": features
    and weights that are learned, for any kernel."""
    domain: Positive | Box | None = None
    """Region of points and of the centres of sources: half the side of a box around the origin [m],
    or the range of each axis; null for the ranges of the training split. Elsewhere `outside`
    decides."""
    accuracy: Annotated[float, Field(ge=1e-7, le=0.1)] | None = None
    """Root mean square error of the smooth part over its root mean square; null for 1e-5 in two and
    2e-3 in three dimensions. In float32 rounding adds some 1e-6."""
    density: Literal["kaiser-bessel", "power"] = "kaiser-bessel"
    """Density of the ball over which a dipole is spread: "kaiser-bessel", whose spectrum falls
    fastest, or "power", (1 - s²/R²)^p, which needs more waves."""
    cutoff: Positive | None = None
    """Radius of that ball [length scales]; null for 1.155 in two and 1.732 in three dimensions, 2
    and 3 m for points between -3 and 3 m. A smaller one needs more waves, and fewer exact pairs."""
    bandwidth: Positive | None = None
    """Largest wave number [rad per cutoff]; null to choose it from the accuracy."""
    period: tuple[Positive, ...] | None = None
    """Period of the grid of waves along each axis [length scales]; null to choose it from the
    accuracy. It must exceed twice the largest displacement of a point from a source."""
    nodes: Annotated[int, Field(ge=1, le=_MOST_NODES)] | None = None
    """Dipoles along each edge of a box that represent it in the smooth part; null for as many as
    the accuracy asks for."""
    largest_extent: Annotated[float, Field(ge=0)] | None = None
    """Largest outer radius of boxes in the domain [m]; larger ones are outside; null for that of
    the training split, or, where there is none, for what three nodes serve."""
    capacity: Annotated[int, Field(ge=1, le=2**14)] | None = None
    """Largest number of sources near a point under `jax.jit`, where they cannot be counted; null to
    let every source meet every point there."""


class _Choice(NamedTuple):
    """Settings of a GridSplit, none left open."""

    points: tuple[Range, ...]
    positions: tuple[Range, ...]
    accuracy: float
    cutoff: float
    """[m]"""
    nodes: int
    largest_extent: float
    """[m]"""
    waves: Waves
    """Lengths in length scales."""


class GridSplit(Model):
    """phi(r) = sum_k c_k sum_j (m_j.k) sin(k.(r - r_j)) + near part, with k on a grid.

    Every source is smoothed: a dipole is spread over a ball of radius R; beyond R the
    field is unchanged. The smooth potential of dipoles depends on their displacements alone, so a
    sum of plane waves with one coefficient each gives it, and one least squares in seconds finds
    them, without a dataset; see `GridWaves`. Within R of a source the difference to the exact
    closed form is added, for neighbours only. Sizes, rotations and kinds of bodies enter
    through the dipoles that stand for them and through the near part.

    phi is linear in the moments, odd, and additive over sources by construction. Its domain is
    stated, not seen.

    References:
        Ewald, Die Berechnung optischer und elektrostatischer Gitterpotentiale (1921).
    """

    waves: GridWaves
    config: GridSplitConfig = eqx.field(static=True)
    inputs: ModelInputs = eqx.field(static=True)
    smoothing: Smoothing = eqx.field(static=True)
    """Smoothing of the sources [m]."""

    @with_constants
    def __init__(self, config: GridSplitConfig, inputs: ModelInputs) -> None:
        """Choose open settings; `fitted` finds the coefficients.

        Args:
            config: Settings.
            inputs: Dimension, columns, bodies, scales, and the ranges of training.

        Raises:
            RecipeError: If the domain is not known, or the accuracy cannot be reached.
        """
        found = _chosen(config, inputs)
        # Without a null, so that a file means the same whatever later defaults are.
        resolved = {
            "domain": found.points if config.domain is not None else None,
            "accuracy": found.accuracy,
            "cutoff": found.cutoff / inputs.scales.length,
            "bandwidth": found.waves.bandwidth,
            "period": found.waves.period,
            "nodes": found.nodes,
            "largest_extent": found.largest_extent,
        }
        self.config, self.inputs = config.model_copy(update=resolved), inputs
        density = _density_of(config, inputs.dim, found.waves.bandwidth)
        self.smoothing = Smoothing(found.cutoff, density, found.nodes)
        harmonics = found.waves.harmonics(found.cutoff / inputs.scales.length)
        self.waves = GridWaves(jnp.zeros(harmonics, jnp.float32), found.waves.period)

    @property
    def domain(self) -> Domain:
        """Points and sources for which the waves were fitted; see `Model`."""
        points, positions = _boxes(self.config, self.inputs)
        extent = self.config.largest_extent
        assert extent is not None, "it is chosen"
        return Domain(points, positions, largest_extent=extent)

    def weights(self, sources: SourceTable) -> Float[Array, "*waves"]:
        """The amplitudes of the waves; see `Model`."""
        scales, dim = self.inputs.scales, self.inputs.dim
        dipoles = smooth_dipoles(self.inputs.columns, sources, self.smoothing.nodes)
        moments, positions = (part.reshape(-1, dim) for part in dipoles)
        return self.waves.amplitudes(moments / scales.moment, positions / scales.length)

    def evaluate(
        self, weights: Float[Array, "*waves"], points: Points
    ) -> tuple[Potential, FieldValues]:
        """The smooth part for given amplitudes; see `Model`."""
        scales = self.inputs.scales
        values, gradient = self.waves.sums(weights, points / scales.length)
        return scales.potential * values, -scales.potential / scales.length * gradient.T

    def evaluate_block(
        self, sources: SourceTables, points: Points
    ) -> tuple[BlockPotential, BlockField]:
        """The smooth part of samples that share their points, some at a time; see `Model`."""

        def of_sample(table: SourceTable) -> tuple[Potential, FieldValues]:
            return self.evaluate(self.weights(table), points)

        # Products of the waves of all axes but the last, at each point.
        each = len(points) * math.prod(2 * n - 1 for n in self.waves.coefficients.shape[:-1])
        return over_samples(of_sample, (sources,), each, _VALUES_AT_ONCE[sums_platform()])

    @with_constants
    def fitted(self, sources: SourceTable, points: Points, key: AnyKey) -> "GridSplit":
        """The model with fitted coefficients, whatever the arguments; see `Model`."""
        return self.fitted_to_domain()

    @with_constants
    def fitted_to_domain(self) -> "GridSplit":
        """The model with coefficients fitted to all displacements in its domain."""
        coefficients = self._fit.coefficients * self._unit
        found: GridSplit = eqx.tree_at(
            lambda model: model.waves.coefficients,
            self,
            jnp.asarray(coefficients.astype(np.float32)),
        )
        return found

    @property
    def fit_error(self) -> float:
        """Root mean square error of the smooth part after its fit over its root mean square."""
        return self._fit.error

    @property
    def near(self) -> ExactNearby:
        """Exact minus smooth values, for neighbours."""
        return ExactNearby(self.inputs.columns, self.smoothing, self.config.capacity)

    @property
    def rank(self) -> int | None:
        """Number of products of waves, the features of the smooth part."""
        return math.prod(2 * count - 1 for count in self.waves.coefficients.shape)

    @property
    def _fit(self) -> Fit:
        region = _displacements(*_boxes(self.config, self.inputs), self.smoothing, self.domain)
        length = self.inputs.scales.length
        waves = Waves(self.waves.period, _given(self.config.bandwidth))
        return fit(region.scaled(1 / length), self.smoothing.density, waves)

    @property
    def _unit(self) -> float:
        """Value of moment over length^(n-1), in units of the potential's scale."""
        scales = self.inputs.scales
        return scales.moment / (scales.length ** (self.dim - 1) * scales.potential)


def split_of_domain(
    columns: SourceColumns, domain: float | Box, accuracy: float | None = None
) -> GridSplit:
    """Make a model for a region, without a dataset.

    Args:
        columns: Columns of its source tables.
        domain: Half the side of a box around the origin [m], or the range of each axis: of points,
            and of the centres of sources. Elsewhere values are exact.
        accuracy: Root mean square error of the smooth part over its root mean square; see
            `GridSplitConfig`.

    Returns:
        The model.

    Raises:
        RecipeError: If domain or accuracy is out of bounds, or the accuracy cannot be reached.

    Examples:
        >>> from hypermagnetics.sources import SourceColumns
        >>> discs = SourceColumns.of("disc", varying=["radius"])
        >>> model = split_of_domain(discs, 3.0, accuracy=1e-3)
        >>> model.field([[1.0, 0, 0.5, 0, 0.2]], [[1.0, 2]]).shape
        (1, 2)
    """
    table: dict[str, Any] = {"domain": domain, "accuracy": accuracy}
    config = checked(GridSplitConfig, table, "split_of_domain")
    return GridSplit(config, inputs_of_domain(columns, config)).fitted_to_domain()


def inputs_of_domain(columns: SourceColumns, config: GridSplitConfig) -> ModelInputs:
    """Inputs of a model that is made without a dataset: scales of its domain.

    Args:
        columns: Columns of its source tables.
        config: Settings, with a domain.

    Raises:
        RecipeError: If there is none, or it is too small or too large for float32.
    """
    points, _ = _boxes(config, ModelInputs(columns=columns))
    half = max(high / 2 - low / 2 for low, high in points)
    if not _SMALLEST <= half <= _LARGEST:
        raise RecipeError(
            f"Half the longest side of a domain must be from {_SMALLEST:g} to {_LARGEST:g} m, as "
            f"float32 holds no fields of others; got {half:g} (model.domain). Give lengths in "
            "metres."
        )
    # As of points that are even in the box.
    length = half / math.sqrt(3)
    return ModelInputs(
        columns=columns,
        scales=Scales(length=length, potential=1 / length ** (columns.dim - 1)),
    )


def _boxes(
    config: GridSplitConfig, inputs: ModelInputs
) -> tuple[tuple[Range, ...], tuple[Range, ...]]:
    """Ranges of points, and of the positions of sources [m]."""
    dim, domain, trained = inputs.dim, config.domain, inputs.trained
    if isinstance(domain, float | int):
        return ((-float(domain), float(domain)),) * dim, ((-float(domain), float(domain)),) * dim
    if domain is not None:
        if len(domain) != dim:
            raise RecipeError(
                f"model.domain must have a range for each of the {dim} axes; got {len(domain)}. "
                "Give a pair for each, or half the side of a box."
            )
        return domain, domain
    if trained is None:
        raise RecipeError(
            "A split with factors on a grid must have a domain; got none, and no ranges of a "
            "training split (model.domain). Give half the side of its box [m], as 3.0."
        )
    return trained.points, trained.sources[dim : 2 * dim]


def _chosen(config: GridSplitConfig, inputs: ModelInputs) -> _Choice:
    """Settings with the open ones chosen."""
    dim, length = inputs.dim, inputs.scales.length
    accuracy = config.accuracy or ACCURACY[dim]
    cutoff = length * (config.cutoff or CUTOFF[dim])
    nodes, extent = _nodes(config, inputs, accuracy, cutoff)
    points, positions = _boxes(config, inputs)
    if (config.bandwidth is None) != (config.period is None):
        raise RecipeError(
            "model.bandwidth and model.period must be given together; got one of them. Leave out "
            "both to have them chosen from model.accuracy."
        )
    if config.bandwidth is not None and config.period is not None:
        waves = Waves(config.period, config.bandwidth)
    else:
        smoothing = Smoothing(cutoff, KaiserBesselDensity(1.0), nodes)
        domain = Domain(points, positions, largest_extent=extent)
        region = _displacements(points, positions, smoothing, domain).scaled(1 / length)
        waves = chosen(region, partial(_density_of, config, dim), accuracy)
    return _Choice(points, positions, accuracy, cutoff, nodes, extent, waves)


def _nodes(
    config: GridSplitConfig, inputs: ModelInputs, accuracy: float, cutoff: float
) -> tuple[int, float]:
    """Nodes along the edges of boxes, and the largest outer radius that they serve [m].

    Beyond the cutoff, the dipoles of a box of outer radius x R miss its field by (x / (1 + x))^2n
    at most, measured for edges of one to four; three times the accuracy is taken for the largest,
    as hardly any box is.
    """
    if not has_nodes(inputs.columns):
        return config.nodes or 1, 0.0

    def limit(nodes: int) -> float:
        share = float((3 * accuracy) ** (0.5 / nodes))
        return cutoff * share / (1 - share)

    extent = config.largest_extent
    if extent is None and inputs.trained is not None:
        extent = largest_extent(inputs.columns, inputs.trained.sources)
    if extent is None:
        nodes = config.nodes or 3
        return nodes, limit(nodes)
    enough = [nodes for nodes in range(1, _MOST_NODES + 1) if limit(nodes) >= extent]
    nodes = config.nodes or min(enough, default=_MOST_NODES)
    # Those that are larger than the nodes serve count as outside of the domain.
    return nodes, min(extent, limit(nodes)) if config.nodes is None else extent


def _displacements(
    points: tuple[Range, ...],
    positions: tuple[Range, ...],
    smoothing: Smoothing,
    domain: Domain,
) -> Displacements:
    """Largest displacements of points from dipoles [m]; similar axes are taken as equal."""
    outermost = float(np.polynomial.legendre.leggauss(smoothing.nodes)[0].max())
    widths = [
        1.01 * (max(high - least, most - low) + outermost * domain.largest_extent)
        for (low, high), (least, most) in zip(points, positions, strict=True)
    ]
    longest = max(widths)
    same = tuple(longest if width > _SIMILAR * longest else width for width in widths)
    return Displacements(same, smoothing.cutoff)


def _density_of(config: GridSplitConfig, dim: int, bandwidth: float) -> Density:
    if config.density == "power":
        return PowerDensity(max(round(_POWER[dim] * bandwidth), 1))
    return KaiserBesselDensity(bandwidth)


def _given(bandwidth: float | None) -> float:
    assert bandwidth is not None, "it is chosen"
    return bandwidth
