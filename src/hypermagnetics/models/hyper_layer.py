"""HyperLayer: trained features of position, with weights made from the sources (FC+ILR)."""

import math
from typing import Annotated, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from pydantic import Field

from hypermagnetics.config import Config, Positive
from hypermagnetics.models.additive import (
    AdditiveModel,
    MomentAs,
    network_inputs,
    sum_over_sources,
)
from hypermagnetics.models.inputs import ModelInputs, read_rows
from hypermagnetics.models.mlp import FourierMLP
from hypermagnetics.shapes import AnyKey, Points, SourceTable

_Size = Annotated[int, Field(ge=1, le=2**14)]
_Frequencies = Annotated[int, Field(ge=0, le=2**14)]


class HyperLayerConfig(Config):
    """Settings of a HyperLayer; the defaults are the paper's sizes, linear in the moment."""

    name: Literal["hyper_layer"] = "hyper_layer"
    """Model: features of position, an MLP, with weights that another MLP makes of each source.
    Fields of sources add up by construction. The defaults are the paper's sizes."""
    width: _Size = 400
    """Number of features K, and size of the hidden layers of the trunk, the network of position."""
    depth: _Size = 3
    """Hidden layers of the trunk."""
    hwidth: Annotated[float, Field(gt=0, le=64)] = 1.5
    """Hidden size of the hypernetwork, which makes the weights, in units of their number."""
    hdepth: _Size = 3
    """Hidden layers of the hypernetwork."""
    moment_as: MomentAs = "factor"
    """"factor": the hypernetwork reads no moment and makes weights for each of its components,
    which the moment multiplies, so that phi is exactly linear in it. "input": it reads the moment,
    as the paper does."""
    trunk_frequencies: _Frequencies = 0
    """Number of random Fourier features of the trunk; 0 for bare coordinates."""
    trunk_frequency_scale: Positive = 1.0
    """Standard deviation of the frequencies of the trunk [rad per length scale]."""
    source_frequencies: _Frequencies = 0
    """Number of random Fourier features of the source positions; 0 for bare coordinates."""
    source_frequency_scale: Positive = 1.0
    """Standard deviation of the frequencies of the source positions [rad per length scale]."""
    source_reach: Positive | None = None
    """If given, positions enter the hypernetwork as r / sqrt(1 + |r|² / reach²) [length scales].
    Far sources, rare in training and alike in their fields, then lie close together, where the
    network interpolates rather than extrapolates. null for positions as they are."""


class HyperLayer(AdditiveModel):
    """phi(r) = sum_s w(s) . f(r) + b(s): additive over sources by construction.

    The features f are a trained MLP of position; the hypernetwork makes w and b of each source.

    References:
        James et al., arXiv 2405.05981, "FC+ILR".
    """

    trunk: FourierMLP
    hypernetwork: FourierMLP
    config: HyperLayerConfig = eqx.field(static=True)
    inputs: ModelInputs = eqx.field(static=True)

    def __init__(
        self,
        width: int = 400,
        depth: int = 3,
        hwidth: float = 1.5,
        hdepth: int = 3,
        *,
        hyperkey: AnyKey,
        mainkey: AnyKey,
        config: HyperLayerConfig | None = None,
        inputs: ModelInputs | None = None,
    ) -> None:
        """Draw the initial parameters.

        Args:
            width: Number of features K, and size of the hidden layers of the trunk.
            depth: Hidden layers of the trunk.
            hwidth: Hidden size of the hypernetwork, in units of the number of weights it makes.
            hdepth: Hidden layers of the hypernetwork.
            hyperkey: Random key of the hypernetwork.
            mainkey: Random key of the trunk.
            config: All settings; if given, the four above are not looked at.
            inputs: Dimension, columns and scales; 2D rows [moment, position] if None.
        """
        self.config = config or HyperLayerConfig(
            width=width, depth=depth, hwidth=hwidth, hdepth=hdepth
        )
        self.inputs = inputs or ModelInputs()
        config, dim = self.config, self.inputs.dim
        self.trunk = FourierMLP(
            dim,
            0,
            config.width,
            config.width,
            config.depth,
            config.trunk_frequencies,
            config.trunk_frequency_scale,
            mainkey,
        )
        vectors, size_read = network_inputs(dim, self.inputs.shape_size, config.moment_as)
        num_weights = vectors * (config.width + 1)
        self.hypernetwork = FourierMLP(
            dim,
            size_read,
            num_weights,
            max(int(config.hwidth * num_weights), 1),
            config.hdepth,
            config.source_frequencies,
            config.source_frequency_scale,
            hyperkey,
            # a sum of K products of unit variance is then of unit variance
            output_gain=1 / math.sqrt(config.width),
        )

    def features(self, points: Points) -> Float[Array, "points features"]:
        """The features f(r)."""
        return jax.nn.gelu(self.trunk(points / self.inputs.scales.length))

    def weights(self, sources: SourceTable) -> tuple[Float[Array, " features"], Float[Array, ""]]:
        """The weights w and the bias b of one configuration, summed over its sources."""
        rows = read_rows(self.inputs, sources)
        if self.config.source_reach is not None:
            distance2 = jnp.sum(rows.position**2, axis=-1, keepdims=True)
            near = rows.position / jnp.sqrt(1 + distance2 / self.config.source_reach**2)
            rows = rows._replace(position=near)
        total = sum_over_sources(rows, self.hypernetwork, self.config.moment_as)
        return total[:-1], total[-1]

    @property
    def kept(self) -> tuple[str, ...]:
        """The frequencies of both networks."""
        return ("trunk.frequencies", "hypernetwork.frequencies")

    @property
    def settled_columns(self) -> tuple[str, ...]:
        """The moments, if they are factors of the weights."""
        return self.inputs.moments_of_linear if self.config.moment_as == "factor" else ()

    @property
    def rank(self) -> int | None:
        """The number of features K."""
        return self.config.width
