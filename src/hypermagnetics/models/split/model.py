"""RangeSplit: a network learns the smooth part of every source, the rest is exact and local."""

from typing import Annotated, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from pydantic import Field

from hypermagnetics.config import Config, Positive
from hypermagnetics.jax_setup import with_constants
from hypermagnetics.models.inputs import ModelInputs
from hypermagnetics.models.model import Model
from hypermagnetics.models.split.density import PowerDensity
from hypermagnetics.models.split.dipoles import num_dipoles, scaled_dipoles, sizes_without_effect
from hypermagnetics.models.split.factors import Factors
from hypermagnetics.models.split.fit import FitConfig, Kernel, fit
from hypermagnetics.models.split.near import ExactNearby, Smoothing
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
from hypermagnetics.sources.sums import over_samples, sums_platform

_Size = Annotated[int, Field(ge=1, le=2**14)]
_WAVES_AT_ONCE = 1 << 26
"""Waves at dipoles that a GPU computes at once, over all samples; 256 MB."""

CUTOFF = {2: 1.155, 3: 1.732}
"""Default cutoff, by dimension [length scales]."""

SMOOTHNESS = {2: 6, 3: 4}
"""Default p, by dimension. A higher p: faster decay of the spectrum, from a larger wave number."""

BANDWIDTH = {2: 14.0, 3: 9.0}
"""Default bandwidth, by dimension [rad per cutoff]. The spectrum of the smooth kernel is small
beyond; in three dimensions, where waves must fill a ball, fewer of longer length are the better
choice."""


class RangeSplitConfig(Config):
    """Settings of a RangeSplit."""

    name: Literal["split"] = "split"
    """Model: the smooth part of every source is learned, exact values close to sources are
    added."""
    factors: Literal["trained"] = "trained"
    """"trained": K features and weights that are learned, sums of random plane waves, for any
    kernel; "grid": plane waves on a grid, for kernels that depend on displacements alone."""
    rank: _Size = 256
    """Number of features K: functions of position of which the smooth part is a sum. More of them,
    a smaller error."""
    waves: _Size = 1024
    """Number of plane waves summed in the features, and in the weights."""
    cutoff: Positive | None = None
    """Radius of the ball over which a dipole is spread [length scales]; null for 1.155 in two and
    1.732 in three dimensions, 2 and 3 m for points between -3 and 3 m."""
    smoothness: Annotated[int, Field(ge=1, le=12)] | None = None
    """p of the density (1 - s²/R²)^p of the ball over which a dipole is spread; null for 6 in two
    and 4 in three dimensions."""
    bandwidth: Positive | None = None
    """Largest wave number [rad per cutoff]; null for 14 in two and 9 in three dimensions."""
    nodes: Annotated[int, Field(ge=1, le=8)] = 3
    """Dipoles along each edge of a box that represent it in the smooth part."""
    capacity: _Size | None = None
    """Largest number of sources near a point under `jax.jit`, where they cannot be counted; null to
    let every source meet every point there."""
    fit: FitConfig = FitConfig()
    """Least-squares fit before training."""


class RangeSplit(Model):
    """phi(r) = sum_s w(s).f(r) + near part, with f and w sums of plane waves.

    Every source is smoothed: a dipole is spread over a ball of radius R; beyond R the
    field is unchanged. Only the smooth potential is learned, for which K features are enough;
    within R of a source the difference to the exact closed form is added, for neighbours only. The
    hypernetwork reads positions of dipoles alone. Sizes, rotations and kinds of bodies enter
    through the dipoles that stand for them and through the near part, so one model serves any, as
    long as these dipoles and the points lie where the model was fitted.

    phi is linear in the moments, odd, and additive over sources by construction.
    """

    factors: Factors
    config: RangeSplitConfig = eqx.field(static=True)
    inputs: ModelInputs = eqx.field(static=True)
    smoothing: Smoothing = eqx.field(static=True)
    """Smoothing of the sources [m]."""

    @with_constants
    def __init__(self, config: RangeSplitConfig, inputs: ModelInputs, key: AnyKey) -> None:
        """Draw the initial parameters.

        Args:
            config: Settings.
            inputs: Dimension, columns, bodies and scales.
            key: Random key.
        """
        dim = inputs.columns.dim
        cutoff = config.cutoff or CUTOFF[dim]
        smoothness = config.smoothness or SMOOTHNESS[dim]
        bandwidth = config.bandwidth or BANDWIDTH[dim]
        # Without a null, so that a file means the same whatever later defaults are.
        resolved = {"cutoff": cutoff, "smoothness": smoothness, "bandwidth": bandwidth}
        self.config, self.inputs = config.model_copy(update=resolved), inputs
        density = PowerDensity(smoothness)
        self.smoothing = Smoothing(cutoff * inputs.scales.length, density, config.nodes)
        self.factors = Factors(dim, config.waves, config.rank, bandwidth / cutoff, key)

    def weights(self, sources: SourceTable) -> Float[Array, " features"]:
        """The weights of the features; see `Model`."""
        return self.factors.weights(*scaled_dipoles(self.inputs, sources, self.config.nodes))

    def evaluate(
        self, weights: Float[Array, " features"], points: Points
    ) -> tuple[Potential, FieldValues]:
        """The smooth part for given weights; see `Model`."""
        # With the amplitudes of the waves a point costs its waves, not waves times features.
        amplitudes = self.factors.mixing @ weights[:, None]
        scales = self.inputs.scales
        values, gradient = self.factors.trunk.sums(points / scales.length, amplitudes)
        field = -scales.potential / scales.length * gradient[..., 0].T
        return scales.potential * values[:, 0], field

    def evaluate_block(
        self, sources: SourceTables, points: Points
    ) -> tuple[BlockPotential, BlockField]:
        """The smooth part of samples that share their points; see `Model`."""
        weights, scales = self._weights_of_samples(sources), self.inputs.scales
        features, gradient = self.factors.trunk.sums(points / scales.length, self.factors.mixing)
        # One product for all axes: (samples, K) @ (K, dim * points).
        field = weights @ gradient.reshape(-1, self.config.rank).T
        field = field.reshape(len(sources), *gradient.shape[:2])
        potential = scales.potential * (weights @ features.T)
        return potential, -scales.potential / scales.length * jnp.moveaxis(field, 1, -1)

    def _weights_of_samples(self, sources: SourceTables) -> Float[Array, "samples features"]:
        if sums_platform() == "gpu":
            waves = sources.shape[1] * self._dipoles * self.config.waves
            return over_samples(self.weights, (sources,), waves, _WAVES_AT_ONCE)
        weights: Float[Array, "samples features"] = jax.vmap(self.weights)(sources)
        return weights

    @with_constants
    def fitted(self, sources: SourceTable, points: Points, key: AnyKey) -> "RangeSplit":
        """The least-squares fit of mixing and making for the drawn waves; see `Model`."""
        if self.config.fit.method == "none":
            return self
        scales, dim = self.inputs.scales, self.inputs.dim
        _, positions = scaled_dipoles(self.inputs, sources, self.config.nodes)
        kernel = Kernel(
            self.smoothing.cutoff / scales.length,
            self.smoothing.density,
            scales.moment / (scales.length ** (dim - 1) * scales.potential),
        )
        factors = fit(self.config.fit, self.factors, kernel, positions, points / scales.length, key)
        fitted: RangeSplit = eqx.tree_at(lambda model: model.factors, self, factors)
        return fitted

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
        """K, the number of features of the smooth part."""
        return self.config.rank

    @property
    def rows_at_once(self) -> RowsAtOnce:
        """Sources and points of a step; see `Model`."""
        return steps_of_platform(self._dipoles)

    @property
    def _dipoles(self) -> int:
        """Dipoles of each source in the smooth part."""
        return num_dipoles(self.inputs.columns, self.config.nodes)
