"""Models that are additive over sources: features of position, weighted by the sources."""

import abc
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from hypermagnetics.models.derivatives import value_and_gradient
from hypermagnetics.models.inputs import NetworkInputs
from hypermagnetics.models.mlp import FourierMLP
from hypermagnetics.models.model import Model
from hypermagnetics.shapes import (
    BlockField,
    BlockPotential,
    Points,
    Potential,
    SourceTable,
    SourceTables,
)
from hypermagnetics.shapes import Field as FieldValues
from hypermagnetics.table import nonzero

MomentAs = Literal["factor", "input"]
"""Role of the moment in a hypernetwork: a factor of the weights made for each of its components, or
an input."""


class AdditiveModel(Model):
    """phi(r) = sum_s w(s) . f(r) + b(s): exact superposition by construction.

    The features f are shared by all configurations, so potential and field of a whole block are
    matrix products of the weights with the features and their gradients, computed once for all
    its samples.
    """

    @abc.abstractmethod
    def features(self, points: Points) -> Float[Array, "points features"]:
        """The features f(r), without unit.

        Args:
            points: Points of evaluation [m].

        Returns:
            Their values.
        """

    @abc.abstractmethod
    def weights(self, sources: SourceTable) -> tuple[Float[Array, " features"], Float[Array, ""]]:
        """The weights w and the bias b of one configuration, summed over its sources.

        Args:
            sources: Rows [moment, position, ...] with the columns of `inputs`.

        Returns:
            Weights and bias in units of the scale of the potential.
        """

    def evaluate(
        self, weights: tuple[Float[Array, " features"], Float[Array, ""]], points: Points
    ) -> tuple[Potential, FieldValues]:
        """Potential and field for given weights and bias; see `Model`."""
        scale = self.inputs.scales.potential
        features, gradient = value_and_gradient(self.features, points)
        potential = scale * (features @ weights[0] + weights[1])
        return potential, -scale * (gradient @ weights[0]).T

    def evaluate_block(
        self, sources: SourceTables, points: Points
    ) -> tuple[BlockPotential, BlockField]:
        """Potential and field of samples that share their points; see `Model`."""
        weights, bias = jax.vmap(self.weights)(sources)
        features, gradient = value_and_gradient(self.features, points)
        scale = self.inputs.scales.potential
        potential = scale * (weights @ features.T + bias[:, None])
        # One product for all axes: (samples, K) @ (K, dim * points).
        field = weights @ gradient.reshape(-1, gradient.shape[-1]).T
        field = field.reshape(len(sources), *gradient.shape[:2])
        return potential, -scale * jnp.moveaxis(field, 1, -1)


def network_inputs(dim: int, shape_size: int, moment_as: MomentAs) -> tuple[int, int]:
    """Number of weight vectors a hypernetwork makes, and number of its inputs beside position.

    Args:
        dim: Space dimension.
        shape_size: Features of a source behind moment and position.
        moment_as: Role of the moment.

    Returns:
        The number of vectors, and the numbers read beside the position.
    """
    return (dim, shape_size) if moment_as == "factor" else (1, dim + shape_size)


def sum_over_sources(
    rows: NetworkInputs, hypernetwork: FourierMLP, moment_as: MomentAs
) -> Float[Array, " weights"]:
    """Weights of one configuration: sum_s m_s . h(r_s), or sum_s h(m_s, r_s) over moments not zero.

    Args:
        rows: The sources, padding included, which contributes nothing.
        hypernetwork: h, of the sizes that `network_inputs` gives.
        moment_as: Role of the moment.

    Returns:
        The sum.
    """
    moment, position, shape = rows
    if moment_as == "factor":
        made = hypernetwork(position, shape)
        vectors = made.reshape(*moment.shape, made.shape[-1] // moment.shape[-1])
        return jnp.einsum("sc,sck->k", moment, vectors)
    made = hypernetwork(position, jnp.concatenate([moment, shape], axis=-1))
    is_source = nonzero(moment)[..., None]  # a model of soft bodies is no sum over them
    return jnp.sum(jnp.where(is_source, made, 0), axis=0)
