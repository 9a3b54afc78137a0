"""A plain set network of soft bodies, with attention: measure_soft_models.py trains it."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from hypermagnetics.config import Config
from hypermagnetics.models import Model, ModelInputs, read_rows, value_and_gradient
from hypermagnetics.sources.superposition import block_sum
from hypermagnetics.table import hard_table, source_rows


class SetNetworkConfig(Config):
    """Settings of a SetNetwork."""

    width: int = 32
    """Numbers of a token."""
    layers: int = 2
    """Layers of attention."""
    heads: int = 4
    """Heads of each."""


class Tokens(eqx.Module):
    """The bodies of a sample after attention."""

    sources: Float[Array, "bodies columns"]
    is_body: Bool[Array, " bodies"]
    positions: Float[Array, "bodies dim"]
    """Over the scale of lengths."""
    features: Float[Array, "bodies width"]


class SetNetwork(Model):
    """phi = phi of the hard magnets + sum over bodies i of f(r - r_i, t_i).

    The tokens t of the bodies come from layers of self-attention and networks, as those of
    Vaswani et al. (2017); f is a network. The hard magnets have their closed forms, so that it has
    to learn the share of the soft bodies alone.
    """

    embedding: eqx.nn.Linear
    attentions: list[eqx.nn.MultiheadAttention]
    networks: list[eqx.nn.MLP]
    norms: list[eqx.nn.LayerNorm]
    decoder: eqx.nn.MLP
    config: SetNetworkConfig = eqx.field(static=True)
    inputs: ModelInputs = eqx.field(static=True)

    def __init__(
        self, inputs: ModelInputs, key: Array, width: int = 32, layers: int = 2, heads: int = 4
    ) -> None:
        """Draw the parameters."""
        self.config = SetNetworkConfig(width=width, layers=layers, heads=heads)
        self.inputs, dim = inputs, inputs.dim
        first, last, *keys = jax.random.split(key, 2 + 2 * layers)
        row = read_rows(inputs, jnp.ones((1, inputs.columns.size)))
        size = 2 * dim + row.shape.shape[-1]
        self.embedding = eqx.nn.Linear(size, width, key=first)
        self.attentions = [
            eqx.nn.MultiheadAttention(heads, width, key=one) for one in keys[:layers]
        ]
        self.networks = [
            eqx.nn.MLP(width, width, 2 * width, 1, jax.nn.gelu, key=one) for one in keys[layers:]
        ]
        self.norms = [eqx.nn.LayerNorm(width) for _ in range(2 * layers)]
        self.decoder = eqx.nn.MLP(dim + width, "scalar", width, 2, jax.nn.gelu, key=last)

    def weights(self, sources: Float[Array, "bodies columns"]) -> Tokens:
        """The tokens of all bodies."""
        rows, is_body = read_rows(self.inputs, sources), source_rows(self.inputs.columns, sources)
        all_of_row = jnp.concatenate([rows.moment, rows.position, rows.shape], axis=-1)
        tokens = jax.vmap(self.embedding)(all_of_row)
        mask = jnp.broadcast_to(is_body[None], (len(sources), len(sources)))
        each = zip(self.attentions, self.networks, self.norms[::2], self.norms[1::2], strict=True)
        for attention, network, before, between in each:
            normed = jax.vmap(before)(tokens)
            tokens = tokens + attention(normed, normed, normed, mask=mask)
            tokens = tokens + jax.vmap(network)(jax.vmap(between)(tokens))
        return Tokens(sources, is_body, rows.position, jnp.where(is_body[:, None], tokens, 0))

    def evaluate(
        self, weights: Tokens, points: Float[Array, "points dim"]
    ) -> tuple[Float[Array, " points"], Float[Array, "points dim"]]:
        """Potential [A] and field [A/m]."""
        scales, columns = self.inputs.scales, self.inputs.columns

        def of_body(
            at: Float[Array, "points dim"], place: Array, token: Array
        ) -> Float[Array, " points"]:
            apart = at / scales.length - place[None]
            tokens = jnp.broadcast_to(token[None], (len(at), len(token)))
            found: Array = jax.vmap(self.decoder)(jnp.concatenate([apart, tokens], axis=-1))
            return found

        def learned(at: Float[Array, "points dim"]) -> Float[Array, " points"]:
            each = jax.vmap(of_body, in_axes=(None, 0, 0))(at, weights.positions, weights.features)
            return jnp.sum(jnp.where(weights.is_body[:, None], each, 0), axis=0)

        value, gradient = value_and_gradient(learned, points)
        hard = hard_table(columns, weights.sources)[None]
        count = jnp.full(1, hard.shape[1], jnp.int32)
        potential, field = block_sum(columns.hard, hard, count, points)
        return potential[0] + scales.potential * value, field[0] - scales.potential * gradient.T

    @property
    def rank(self) -> None:
        """None: bodies answer to each other."""
        return None
