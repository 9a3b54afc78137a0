"""WaveLayer: plane waves of position, with weights that are linear in waves of the source."""

import itertools
import math
from functools import cache
from typing import Annotated, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, Float64, Int64
from pydantic import Field

from hypermagnetics.config import Config, Positive
from hypermagnetics.errors import RecipeError
from hypermagnetics.jax_setup import with_constants
from hypermagnetics.models.additive import AdditiveModel
from hypermagnetics.models.derivatives import value_and_gradient
from hypermagnetics.models.inputs import (
    ModelInputs,
    NetworkInputs,
    read_rows,
    refuse_sums_of_soft_bodies,
)
from hypermagnetics.models.orthonormal import uncorrelated
from hypermagnetics.shapes import AnyKey, Points, SourceTable

_Waves = Annotated[int, Field(ge=1, le=2**13)]
_Ridge = Annotated[float, Field(gt=0, lt=1)]
_HALF_WIDTH = math.sqrt(3)
"""Of a box in units of the root mean square of a coordinate of even points in it."""
_MOST_FUNCTIONS = 4096
"""Of a source: the eigenproblem that makes so many uncorrelated takes a minute."""
_FITTED_TO = 16_384
"""Points and sources whose second moments make the functions uncorrelated."""


class WaveLayerConfig(Config):
    """Settings of a WaveLayer."""

    name: Literal["wave_layer"] = "wave_layer"
    """Model: plane waves of position, with weights that are linear in plane waves of the position
    of each source and in its moment. It learns from labels alone, in one matrix, and fields of
    sources add up by construction."""
    width: _Waves = 800
    """Number of waves K of position, in cosines and sines, those of the greatest lengths."""
    source_width: _Waves = 440
    """Number of waves of the position of a source."""
    period: Annotated[float, Field(gt=1, le=16)] = 1.25
    """Period of all waves, in widths of the box of the points, and of that of the sources."""
    source_reach: Positive = 1.0
    """Positions r of sources enter as r / sqrt(1 + |r|² / reach²) [length scales], so that all
    of them lie in a box, and far sources, rare in training and alike in their fields, close
    together."""
    ridge: _Ridge = 1e-5
    """Combinations of waves of position with less than this share of the largest mean square are
    left out."""
    source_ridge: _Ridge = 1e-5
    """The same of functions of a source."""


class WaveLayer(AdditiveModel):
    """phi(r) = sum_s sum_c m_sc  a(r_s, shape_s)^T W_c f(r), linear in its one trained array W.

    f are cosines and sines of plane waves in a periodic box around the points, and a those in a box
    around all positions of sources, times 1 and each feature of their shape. Before training, both
    become uncorrelated, with unit mean square over the training split: the functions a alone, f
    together with their gradients. Then every direction of W is as steep as any other, and since
    the values are linear in W, every loss that is convex in their errors has one minimum.

    It is a HyperLayer, additive with K features, in which neither trunk nor hypernetwork has a
    hidden layer. The kernel is not known to it, nor that it depends on displacements alone.
    """

    matrix: Float[Array, "axes source_functions waves"]
    of_points: Float[Array, "waves waves"]
    of_sources: Float[Array, "source_functions source_functions"]
    config: WaveLayerConfig = eqx.field(static=True)
    inputs: ModelInputs = eqx.field(static=True)

    @with_constants
    def __init__(
        self, config: WaveLayerConfig | None = None, inputs: ModelInputs | None = None
    ) -> None:
        """Begin with a potential of zero, before any fit.

        Args:
            config: The settings; the defaults if None.
            inputs: Dimension, columns and scales; 2D rows [moment, position] if None.

        Raises:
            RecipeError: If the functions of a source are too many, or bodies are soft.
        """
        self.config = config or WaveLayerConfig()
        self.inputs = inputs or ModelInputs()
        refuse_sums_of_soft_bodies(self.inputs.columns, self.config.name)
        dim = self.inputs.dim
        factors = 1 + self.inputs.shape_size
        functions = self.config.source_width * factors
        if functions > _MOST_FUNCTIONS:
            raise RecipeError(
                f"A wave_layer must have at most {_MOST_FUNCTIONS} functions of a source, "
                f"model.source_width times 1 + the number of features of its shape; got "
                f"{self.config.source_width} x {factors}. Set model.source_width to at most "
                f"{_MOST_FUNCTIONS // factors}."
            )
        self.of_points = jnp.eye(self.config.width, dtype=jnp.float32)
        self.of_sources = jnp.eye(functions, dtype=jnp.float32)
        self.matrix = jnp.zeros((dim, functions, self.config.width), jnp.float32)

    def features(self, points: Points) -> Float[Array, "points waves"]:
        """The waves f(r), uncorrelated once they are fitted."""
        return self._waves(points) @ jax.lax.stop_gradient(self.of_points)

    def weights(self, sources: SourceTable) -> tuple[Float[Array, " waves"], Float[Array, ""]]:
        """The weights w of one configuration, summed over its sources, and no bias."""
        moment = read_rows(self.inputs, sources).moment
        functions = self.source_functions(sources)
        total = jnp.einsum("sc,sj,cjk->k", moment, functions, self.matrix)
        return total, jnp.zeros_like(total[0])

    def source_functions(self, sources: SourceTable) -> Float[Array, "sources source_functions"]:
        """The functions a of position and shape of each source, uncorrelated once fitted."""
        functions = self._functions(read_rows(self.inputs, sources))
        return functions @ jax.lax.stop_gradient(self.of_sources)

    @with_constants
    def fitted(self, sources: SourceTable, points: Points, key: AnyKey) -> "WaveLayer":
        """Make the functions uncorrelated over sources and points, without labels; see `Model`."""
        keys = jr.split(key)
        at = jr.permutation(keys[0], points)[:_FITTED_TO]
        rows = read_rows(self.inputs, jr.permutation(keys[1], sources)[:_FITTED_TO])
        values, gradient = eqx.filter_jit(value_and_gradient)(self._waves, at)
        of_points = _second_moments(values)
        for slope in self.inputs.scales.length * gradient:
            of_points += _second_moments(slope)
        of_sources = _second_moments(eqx.filter_jit(self._functions)(rows))
        fitted: WaveLayer = eqx.tree_at(
            lambda model: (model.of_points, model.of_sources),
            self,
            (
                _filled_up(of_points, self.config.ridge),
                _filled_up(of_sources, self.config.source_ridge),
            ),
        )
        return fitted

    @property
    def kept(self) -> tuple[str, ...]:
        """The combinations that make functions uncorrelated."""
        return ("of_points", "of_sources")

    @property
    def settled_columns(self) -> tuple[str, ...]:
        """The moments, which are factors of the weights."""
        return self.inputs.moments_of_linear

    @property
    def rank(self) -> int | None:
        """The number of waves K."""
        return self.config.width

    def _waves(self, points: Points) -> Float[Array, "points waves"]:
        return _plane_waves(points / (self.config.period * self._half_width), self.config.width)

    @property
    def _half_width(self) -> float:
        """Of a box around the origin with all points, of equal sides [m]."""
        even = _HALF_WIDTH * self.inputs.scales.length
        trained = self.inputs.trained
        if trained is None:
            return even
        return max(abs(end) for ends in trained.points for end in ends) or even

    def _functions(self, rows: NetworkInputs) -> Float[Array, "sources source_functions"]:
        """Waves of the positions, times 1 and each feature of the shapes."""
        reach = self.config.source_reach
        distance2 = jnp.sum(rows.position**2, axis=-1, keepdims=True)
        near = rows.position / jnp.sqrt(1 + distance2 / reach**2)
        waves = _plane_waves(near / (self.config.period * reach), self.config.source_width)
        factors = jnp.concatenate([jnp.ones_like(waves[:, :1]), rows.shape], axis=-1)
        return (factors[:, :, None] * waves[:, None]).reshape(len(waves), -1)


def _plane_waves(
    position: Float[Array, "positions dim"], count: int
) -> Float[Array, "positions waves"]:
    """1, cos(k.r) and sin(k.r), longest first, of mean square 1 over the period from -1 to 1."""
    phase = position @ jnp.asarray(np.pi * _wave_numbers(position.shape[1], count), position.dtype)
    pairs = math.sqrt(2) * jnp.stack([jnp.cos(phase), jnp.sin(phase)], axis=-1)
    waves = pairs.reshape(len(position), -1)
    return jnp.concatenate([jnp.ones_like(position[:, :1]), waves], axis=-1)[:, :count]


@cache
def _wave_numbers(dim: int, count: int) -> Int64[np.ndarray, "dim pairs"]:
    """Periods along each axis, of one wave of each pair k and -k, the longest of them."""
    pairs = -(-(count - 1) // 2)
    largest = 1
    while len(found := _within(dim, largest)) < pairs:
        largest *= 2
    return found[:pairs].T


def _within(dim: int, largest: int) -> Int64[np.ndarray, "found dim"]:
    """Wave numbers of length `largest` at most, but for 0; one of k and -k, by length."""
    axis = range(-largest, largest + 1)
    every = np.array(list(itertools.product(axis, repeat=dim)), np.int64)
    # Of each pair the one whose first number that is not zero is positive.
    every = every[[tuple(one) > (0,) * dim for one in every.tolist()]]
    square = np.sum(every**2, axis=1)
    inside = np.flatnonzero(square <= largest**2)
    return every[inside[np.argsort(square[inside], kind="stable")]]


def _second_moments(values: Float[Array, "rows columns"]) -> Float64[np.ndarray, "columns columns"]:
    matrix = np.asarray(values, np.float64)
    moments: np.ndarray = matrix.T @ matrix / len(matrix)
    return moments


def _filled_up(
    moments: Float64[np.ndarray, "columns columns"], ridge: float
) -> Float[Array, "columns columns"]:
    """Uncorrelated combinations, behind zeros in place of those that are left out."""
    combinations = uncorrelated(moments, ridge)
    left_out = len(moments) - combinations.shape[1]
    return jnp.asarray(np.pad(combinations, ((0, 0), (left_out, 0))), jnp.float32)
