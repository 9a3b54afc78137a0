"""FourierSeries: products of cosines and sines, with weights made from the sources (FOURIER)."""

import math
from typing import Annotated, Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float
from pydantic import Field

from hypermagnetics.config import Config
from hypermagnetics.jax_setup import with_constants
from hypermagnetics.models.additive import (
    AdditiveModel,
    MomentAs,
    network_inputs,
    sum_over_sources,
)
from hypermagnetics.models.fourier_fit import FourierFitConfig, Series, fit
from hypermagnetics.models.inputs import ModelInputs, read_rows
from hypermagnetics.models.mlp import FourierMLP
from hypermagnetics.shapes import AnyKey, Points, SourceTable

_FIRST_EXPONENTS = (-2.5, 1.1)
"""a and b of the published model, in which a wave number of 1 is 1 rad/m."""


class FourierSeriesConfig(Config):
    """Settings of a FourierSeries; the defaults are the paper's."""

    name: Literal["fourier"] = "fourier"
    """Model: products of cosines and sines of position, with weights that an MLP makes of each
    source. Fields of sources add up by construction. The defaults are the paper's."""
    order: Annotated[int, Field(ge=2, le=128)] = 32
    """Wave numbers along each axis; the series has (2 order)^dim functions, as many with 8 in three
    dimensions as with 32 in two."""
    hwidth: Annotated[float, Field(gt=0, le=64)] = 0.25
    """Hidden size of the hypernetwork, which makes the weights, in units of their number."""
    hdepth: Annotated[int, Field(ge=1, le=2**14)] = 3
    """Hidden layers of the hypernetwork."""
    moment_as: MomentAs = "input"
    """"input": the hypernetwork reads the moment, as the paper does. "factor": it makes weights for
    each component of the moment, which multiplies them, so that phi is exactly linear in it."""
    fit: FourierFitConfig | None = None
    """Fit of the hypernetwork before training; null to start from random parameters, as
    published."""


class FourierSeries(AdditiveModel):
    """phi(r) = sum_s w(s) . f(r), f all products of one cos(k x) or sin(k x) for each axis.

    The wave numbers k are 0 and 10^(a + (b - a) t), t = 0 .. 1 in equal steps, with a and b
    trained. They count radians per third of the half width of the grid, for points that fill a
    square or cube evenly. The grid of the paper reaches from -3 to 3 m, so there they are those of
    the published model, in rad/m: wavelengths from 0.5 m to 2 km. At another scale of length the
    same network works as well.

    The product of all cos(0) is constant, so there is no bias; those with sin(0) are zero, and are
    there because the published model has them.

    References:
        James et al., arXiv 2405.05981, "FOURIER".
    """

    exponents: Float[Array, "2"]
    hypernetwork: FourierMLP
    config: FourierSeriesConfig = eqx.field(static=True)
    inputs: ModelInputs = eqx.field(static=True)

    @with_constants
    def __init__(
        self,
        config: FourierSeriesConfig | None = None,
        *,
        hyperkey: AnyKey,
        inputs: ModelInputs | None = None,
    ) -> None:
        """Draw the initial parameters.

        Args:
            config: The settings; the paper's if None.
            hyperkey: Random key of the hypernetwork.
            inputs: Dimension, columns and scales; 2D rows [moment, position] if None.
        """
        self.config = config or FourierSeriesConfig()
        self.inputs = inputs or ModelInputs()
        config, dim = self.config, self.inputs.dim
        self.exponents = jnp.array(_FIRST_EXPONENTS, jnp.float32)
        vectors, size_read = network_inputs(dim, self.inputs.shape_size, config.moment_as)
        num_weights = vectors * self._num_functions
        self.hypernetwork = FourierMLP(
            dim,
            size_read,
            num_weights,
            max(int(config.hwidth * num_weights), 1),
            config.hdepth,
            0,
            1.0,
            hyperkey,
            # products of cosines and sines have variance 2^-dim
            output_gain=math.sqrt(2**dim / self._num_functions),
        )

    @property
    def wave_numbers(self) -> Float[Array, " order"]:
        """The wave numbers of every axis [rad/m], 0 first."""
        share = jnp.linspace(0, 1, self.config.order - 1, dtype=self.exponents.dtype)
        exponents = self.exponents[0] + (self.exponents[1] - self.exponents[0]) * share
        # The root mean square of a coordinate that is even in [-L, L] is L / sqrt(3).
        unit = self.inputs.scales.length / math.sqrt(3)
        return jnp.concatenate([jnp.zeros_like(share[:1]), 10**exponents]) / unit

    def features(self, points: Points) -> Float[Array, "points features"]:
        """The functions f(r); the last axis varies fastest, cosines before sines."""
        phase = points[:, :, None] * self.wave_numbers[None, None]
        tables = jnp.concatenate([jnp.cos(phase), jnp.sin(phase)], axis=-1)
        product = tables[:, 0]
        for axis in range(1, self.inputs.dim):
            product = product[:, :, None] * tables[:, axis][:, None, :]
            product = product.reshape(len(points), -1)
        return product

    def weights(self, sources: SourceTable) -> tuple[Float[Array, " features"], Float[Array, ""]]:
        """The weights w of one configuration, summed over its sources, and no bias."""
        rows = read_rows(self.inputs, sources)
        total = sum_over_sources(rows, self.hypernetwork, self.config.moment_as)
        return total, jnp.zeros_like(total[0])

    @with_constants
    def fitted(self, sources: SourceTable, points: Points, key: AnyKey) -> "FourierSeries":
        """Fit the hypernetwork, if the settings ask for it; see `Model`."""
        config = self.config
        if config.fit is None:
            return self
        series = Series(self.features, self.hypernetwork, config.moment_as, self.inputs)
        network = fit(config.fit, series, sources, points, key)
        fitted: FourierSeries = eqx.tree_at(lambda model: model.hypernetwork, self, network)
        return fitted

    @property
    def settled_columns(self) -> tuple[str, ...]:
        """The moments, if they are factors of the weights."""
        return self.inputs.moments_of_linear if self.config.moment_as == "factor" else ()

    @property
    def rank(self) -> int | None:
        """The number of functions."""
        return self._num_functions

    @property
    def _num_functions(self) -> int:
        functions: int = (2 * self.config.order) ** self.inputs.dim
        return functions
