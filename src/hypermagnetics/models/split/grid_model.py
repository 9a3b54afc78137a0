"""GridSplit: waves on a grid carry the smooth part of every source, the rest is exact and local."""

import math
from collections.abc import Mapping
from typing import Any, assert_never

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Inexact

from hypermagnetics.config import checked
from hypermagnetics.jax_setup import with_constants
from hypermagnetics.models.domain import Domain
from hypermagnetics.models.inputs import ModelInputs
from hypermagnetics.models.model import Model
from hypermagnetics.models.split.dipoles import (
    num_dipoles,
    scaled_dipoles,
    sizes_without_effect,
)
from hypermagnetics.models.split.displacements import Fit
from hypermagnetics.models.split.grid_fit import fit
from hypermagnetics.models.split.grid_settings import (
    Box,
    GridSplitConfig,
    density_of,
    domain_of,
    inputs_of_domain,
    region_of,
    resolved,
    waves_of,
)
from hypermagnetics.models.split.grid_waves import GridWaves
from hypermagnetics.models.split.near import ExactNearby, Smoothing
from hypermagnetics.models.split.nufft_waves import NufftWaves
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
from hypermagnetics.sources.sums import Platform, over_samples, sums_platform
from hypermagnetics.table import SourceColumns

_Amplitudes = Inexact[Array, "*waves"]
"""Of products of waves, or complex ones of waves."""
_SHARE_OF_TRANSFORMS = 0.1
"""Share of the accuracy that is left to the transforms."""
_ROWS_AT_ONCE = 1 << 20
"""Dipoles or points of a transform: some hundreds of megabytes."""
_VALUES_AT_ONCE: Mapping[Platform, int] = {"cpu": 1 << 22, "gpu": 1 << 26}


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

    waves: GridWaves | NufftWaves
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
        self.config, self.inputs = resolved(config, inputs), inputs
        cutoff, nodes = self.config.cutoff, self.config.nodes
        assert cutoff is not None, "it is chosen"
        assert nodes is not None, "they are chosen"
        waves = waves_of(self.config)
        density = density_of(config, inputs.dim, waves.bandwidth)
        self.smoothing = Smoothing(cutoff * inputs.scales.length, density, nodes)
        none = jnp.zeros(waves.harmonics(cutoff), jnp.float32)
        match self.config.transform:
            case "nufft":
                assert self.config.accuracy is not None, "it is chosen"
                tolerance = _SHARE_OF_TRANSFORMS * self.config.accuracy
                self.waves = NufftWaves(none, waves.period, tolerance)
            case "products" | None:
                self.waves = GridWaves(none, waves.period)
            case _ as unknown:
                assert_never(unknown)

    @property
    def domain(self) -> Domain:
        """Points and sources for which the waves were fitted; see `Model`."""
        return domain_of(self.config, self.inputs)

    def weights(self, sources: SourceTable) -> _Amplitudes:
        """The amplitudes of the waves; see `Model`."""
        return self.waves.amplitudes(*scaled_dipoles(self.inputs, sources, self.smoothing.nodes))

    def evaluate(self, weights: _Amplitudes, points: Points) -> tuple[Potential, FieldValues]:
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

        shape = [2 * count - 1 for count in self.waves.coefficients.shape]
        match self.waves:
            case GridWaves():
                # Products of the waves of all axes but the last, at each point.
                each = len(points) * math.prod(shape[:-1])
            case NufftWaves():
                each = max(len(points), sources.shape[1] * self._dipoles, math.prod(shape))
            case _ as unknown:
                assert_never(unknown)
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
    def optional_packages(self) -> tuple[str, ...]:
        """The library of the transforms, if waves are summed by them; see `Model`."""
        return ("jax_finufft",) if self.config.transform == "nufft" else ()

    @property
    def rows_at_once(self) -> RowsAtOnce:
        """All, where waves are transforms, as each takes the time of all waves; see `Model`."""
        if self.config.transform == "nufft":
            return RowsAtOnce(max(_ROWS_AT_ONCE // self._dipoles, 1), _ROWS_AT_ONCE)
        return steps_of_platform(self._dipoles)

    @property
    def fit_error(self) -> float:
        """Root mean square error of the smooth part after its fit over its root mean square."""
        return self._fit.error

    @property
    def near(self) -> ExactNearby:
        """Exact minus smooth values, for neighbours."""
        return ExactNearby(self.inputs.columns, self.smoothing, self.config.capacity)

    @property
    def settled_columns(self) -> tuple[str, ...]:
        """The moments, and sizes of bodies that are one dipole in the smooth part."""
        return (*self.inputs.moments_of_linear, *sizes_without_effect(self.inputs.columns))

    @property
    def rank(self) -> int | None:
        """Number of products of waves, the features of the smooth part."""
        return math.prod(2 * count - 1 for count in self.waves.coefficients.shape)

    @property
    def _dipoles(self) -> int:
        """Dipoles of each source in the smooth part."""
        return num_dipoles(self.inputs.columns, self.smoothing.nodes)

    @property
    def _fit(self) -> Fit:
        region = region_of(self.config, self.inputs)
        return fit(region, self.smoothing.density, waves_of(self.config))

    @property
    def _unit(self) -> float:
        """Value of moment over length^(n-1), in units of the potential's scale."""
        scales = self.inputs.scales
        return scales.moment / (scales.length ** (self.dim - 1) * scales.potential)


def split_of_domain(
    columns: SourceColumns,
    domain: float | Box,
    accuracy: float | None = None,
    num_sources: int | None = None,
) -> GridSplit:
    """Make a model for a region, without a dataset.

    Args:
        columns: Columns of its source tables.
        domain: Half the side of a box around the origin [m], or the range of each axis: of points,
            and of the centres of sources. Elsewhere values are exact.
        accuracy: Root mean square error of the smooth part over its root mean square; see
            `GridSplitConfig`.
        num_sources: Number of sources that it is made for, if they are many: beyond 2000 it has
            smaller cutoffs and more waves, for which it needs the extra `nufft` mostly.

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
    table: dict[str, Any] = {"domain": domain, "accuracy": accuracy, "num_sources": num_sources}
    config = checked(GridSplitConfig, table, "split_of_domain")
    return GridSplit(config, inputs_of_domain(columns, config)).fitted_to_domain()
