"""HyperMLP: a small MLP of position whose weights are made from the sources (FC INR)."""

from typing import Annotated, Literal

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float
from pydantic import Field

from hypermagnetics.config import Config
from hypermagnetics.jax_setup import with_constants
from hypermagnetics.models.derivatives import value_and_gradient
from hypermagnetics.models.inputs import ModelInputs, read_rows
from hypermagnetics.models.mlp import (
    Layer,
    apply_layers,
    count_parameters,
    initial_layers,
    join_layers,
    mlp_sizes,
    split_layers,
)
from hypermagnetics.models.model import Model
from hypermagnetics.shapes import (
    AnyKey,
    Points,
    Potential,
    SourceTable,
)
from hypermagnetics.shapes import Field as FieldValues
from hypermagnetics.table import source_rows

_Size = Annotated[int, Field(ge=1, le=2**12)]


class HyperMLPConfig(Config):
    """Settings of a HyperMLP; the defaults are the paper's."""

    name: Literal["hyper_mlp"] = "hyper_mlp"
    """Model: a small MLP of position, all weights of which another MLP makes of the sources. It
    knows no sum of sources but what it has learned. The defaults are the paper's."""
    width: _Size = 20
    """Hidden size of the inference network, the one of position."""
    depth: _Size = 3
    """Hidden layers of the inference network."""
    hwidth: Annotated[float, Field(gt=0, le=64)] = 1.0
    """Hidden size of the hypernetwork, which makes its weights, in units of their number."""
    hdepth: _Size = 2
    """Hidden layers of the hypernetwork."""


class HyperMLP(Model):
    """phi(r) = MLP(r; sum_s h(s)): the hypernetwork's outputs, summed, are the MLP's weights.

    Exact superposition is not built in: a model trained on one source knows no sum of two.

    References:
        James et al., arXiv 2405.05981, "FC INR".
    """

    hypernetwork: tuple[Layer, ...]
    config: HyperMLPConfig = eqx.field(static=True)
    inputs: ModelInputs = eqx.field(static=True)

    @with_constants
    def __init__(
        self,
        width: int = 20,
        depth: int = 3,
        hwidth: float = 1.0,
        hdepth: int = 2,
        *,
        hyperkey: AnyKey,
        mainkey: AnyKey,
        inputs: ModelInputs | None = None,
    ) -> None:
        """Draw the initial parameters.

        Args:
            width: Hidden size of the inference network.
            depth: Hidden layers of the inference network.
            hwidth: Hidden size of the hypernetwork, in units of the number of weights it makes.
            hdepth: Hidden layers of the hypernetwork.
            hyperkey: Random key of the hypernetwork.
            mainkey: Random key of the inference network that one source at first gets: its weights
                are the initial bias of the hypernetwork's last layer.
            inputs: Dimension, columns and scales; 2D rows [moment, position] if None.
        """
        self.config = HyperMLPConfig(width=width, depth=depth, hwidth=hwidth, hdepth=hdepth)
        self.inputs = inputs or ModelInputs()
        num_weights = count_parameters(self._sizes)
        hidden_size = max(int(hwidth * num_weights), 1)
        size_in = 2 * self.inputs.dim + self.inputs.shape_size
        sizes = mlp_sizes(size_in, num_weights, hidden_size, hdepth)
        *hidden, last = initial_layers(sizes, hyperkey)
        template = join_layers(initial_layers(self._sizes, mainkey))
        # Made weights must be as large as trained ones would be; the deviations from the template
        # start smaller than it.
        self.hypernetwork = (*hidden, Layer(last.weight * jnp.std(template), template))

    def evaluate(
        self, weights: Float[Array, " weights"], points: Points
    ) -> tuple[Potential, FieldValues]:
        """Potential and field for given weights; see `Model`."""
        potential, gradient = value_and_gradient(self._inference(weights), points)
        return potential, -gradient.T

    def weights(self, sources: SourceTable) -> Float[Array, " weights"]:
        """All weights of the inference network for one configuration."""
        read = read_rows(self.inputs, sources)
        rows = jnp.concatenate(read, axis=-1)
        is_source = source_rows(self.inputs.columns, sources)[..., None]
        return jnp.sum(jnp.where(is_source, apply_layers(self.hypernetwork, rows), 0), axis=0)

    @property
    def rank(self) -> int | None:
        """None: the potential is not additive over sources."""
        return None

    @property
    def _sizes(self) -> tuple[int, ...]:
        return mlp_sizes(self.inputs.dim, 1, self.config.width, self.config.depth)

    def _inference(self, weights: Float[Array, " weights"]) -> "_Inference":
        return _Inference(split_layers(weights, self._sizes), self.inputs)


class _Inference(eqx.Module):
    """The inference network with its weights filled in."""

    layers: tuple[Layer, ...]
    inputs: ModelInputs = eqx.field(static=True)

    def __call__(self, points: Points) -> Potential:
        scales = self.inputs.scales
        return scales.potential * apply_layers(self.layers, points / scales.length)[:, 0]
