"""Linear: trained features of position, with weights affine in the sources; a control."""

import math
from typing import Annotated, Literal

import equinox as eqx
import jax
from jaxtyping import Array, Float
from pydantic import Field

from hypermagnetics.config import Config
from hypermagnetics.models.additive import AdditiveModel, network_inputs, sum_over_sources
from hypermagnetics.models.inputs import ModelInputs, read_rows
from hypermagnetics.models.mlp import FourierMLP
from hypermagnetics.shapes import AnyKey, Points, SourceTable

_Size = Annotated[int, Field(ge=1, le=2**14)]


class LinearConfig(Config):
    """Settings of a Linear; the defaults are those of the paper's HyperLayer."""

    name: Literal["linear"] = "linear"
    """Model: features of position, an MLP, with weights affine in the sources; a control, which
    stays near 70 % error. The defaults are those of the paper's HyperLayer."""
    width: _Size = 400
    """Number of features K, and size of the hidden layers of the trunk, the network of position."""
    depth: _Size = 3
    """Hidden layers of the trunk."""


class Linear(AdditiveModel):
    """phi(r) = sum_s w(s) . f(r) + b(s), with w and b affine in [moment, position, shape].

    A HyperLayer whose hypernetwork has no hidden layer: what it lacks is what the hypernetwork is
    for. phi of one source is m . g(r - r_s), a product of moment and position, which no affine
    function makes, so the error stays near 70 % however long it is trained.

    References:
        James et al., arXiv 2405.05981, "LINEAR".
    """

    trunk: FourierMLP
    hypernetwork: FourierMLP
    config: LinearConfig = eqx.field(static=True)
    inputs: ModelInputs = eqx.field(static=True)

    def __init__(
        self,
        config: LinearConfig | None = None,
        *,
        hyperkey: AnyKey,
        mainkey: AnyKey,
        inputs: ModelInputs | None = None,
    ) -> None:
        """Draw the initial parameters.

        Args:
            config: The settings; the paper's if None.
            hyperkey: Random key of the affine map.
            mainkey: Random key of the trunk.
            inputs: Dimension, columns and scales; 2D rows [moment, position] if None.
        """
        self.config = config or LinearConfig()
        self.inputs = inputs or ModelInputs()
        dim, width = self.inputs.dim, self.config.width
        self.trunk = FourierMLP(dim, 0, width, width, self.config.depth, 0, 1.0, mainkey)
        _, size_read = network_inputs(dim, self.inputs.shape_size, "input")
        self.hypernetwork = FourierMLP(
            dim,
            size_read,
            width + 1,
            width,
            0,
            0,
            1.0,
            hyperkey,
            # a sum of K products of unit variance is then of unit variance
            output_gain=1 / math.sqrt(width),
        )

    def features(self, points: Points) -> Float[Array, "points features"]:
        """The features f(r)."""
        return jax.nn.gelu(self.trunk(points / self.inputs.scales.length))

    def weights(self, sources: SourceTable) -> tuple[Float[Array, " features"], Float[Array, ""]]:
        """The weights w and the bias b of one configuration, summed over its sources."""
        total = sum_over_sources(read_rows(self.inputs, sources), self.hypernetwork, "input")
        return total[:-1], total[-1]

    @property
    def rank(self) -> int | None:
        """Number of inputs of a source plus one, at most K: the dimension of the space of w.

        In the plane, without shape, it is 5, and K where that is less.
        """
        return min(self.config.width, 1 + 2 * self.inputs.dim + self.inputs.shape_size)
