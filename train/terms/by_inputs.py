"""The error of the derivatives of targets by inputs, of stored Jacobians, as a term."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float
from pydantic import Field

from hypermagnetics.data.array_view import ArrayView
from hypermagnetics.errors import RecipeError
from hypermagnetics.models import ArrayModel
from hypermagnetics.train.losses import SampleLoss
from hypermagnetics.train.losses.loss import SampleLosses
from hypermagnetics.train.sample_keys import DIRECTIONS
from hypermagnetics.train.terms.array_term import (
    ArrayEvaluation,
    ArrayFacts,
    ArrayTerm,
    ArrayTermConfig,
)
from hypermagnetics.train.terms.kinks import kinked_functions_of_array

_Count = Annotated[int, Field(ge=1, le=2**24)]


class ByInputsTermConfig(ArrayTermConfig):
    """One term: a loss of the error of the derivatives of targets by inputs.

    Labels are the stored Jacobian times directions in which the inputs change: each value by a
    normal number times its unit, the scale of its channel in the network.
    """

    of: Literal["targets"]
    """Quantity whose derivatives are learned: the targets, whichever array they are."""
    by: Literal["inputs"]
    """Derivatives by the inputs."""
    directions: _Count | Literal["all"] = 1
    """Number of random directions, drawn anew for each step and sample; "all" for the whole
    Jacobian, one direction for each value of the inputs."""

    def term(self, loss: SampleLoss, facts: ArrayFacts) -> "ByInputsTerm":
        """Make the term; see `ArrayTermConfig`."""
        return ByInputsTerm(
            weight=self.weight,
            count=self.directions,
            loss=loss,
            rms=slope_rms(facts.view, facts.model),
        )

    def check(self, facts: ArrayFacts, where: str) -> None:
        """Refuse a term that is not defined for the dataset or the network; see the base."""
        view, size = facts.view, facts.model.inputs.input.size
        place = f"{where}, split {view.name!r} of {view.directory}"
        if "jacobian" not in view.viewed:
            raise RecipeError(
                "A term by inputs must have stored derivatives of the targets by the inputs; got "
                f"none ({place}). Import them with hm-data import-arrays --jacobian, or leave the "
                "term out."
            )
        if self.directions != "all" and self.directions > size:
            raise RecipeError(
                f"Directions of a term by inputs must be at most {size}, the values of the inputs; "
                f'got {self.directions} ({where}.directions). Lower it, or write "all".'
            )
        if not slope_rms(view, facts.model) > 0:
            raise RecipeError(
                "Derivatives by inputs must differ from zero somewhere to be learned from; got "
                f"zeros only ({place}). Leave the term out, or import the right file."
            )
        if kinks := kinked_functions_of_array(facts.model):
            raise RecipeError(
                "A term by inputs must have a network of smooth functions, as the gradient of a "
                f"derivative lacks what kinks contribute that move; got {', '.join(kinks)} "
                f"({where}). Take a smooth one in its place, such as gelu, or leave the term out."
            )


@dataclass(frozen=True)
class ByInputsTerm(ArrayTerm):
    """A loss of the error of the derivatives of targets by inputs.

    The error of a value is a vector of its derivatives in all directions, of which |e|² is the mean
    of squares for random directions and their sum for the whole Jacobian. Both are the same in the
    mean: random directions have normal numbers of variance 1.
    """

    count: int | Literal["all"]
    """Number of random directions, or "all" for the whole Jacobian."""
    loss: SampleLoss
    rms: float
    """Root mean square of the derivative in a random direction."""

    @property
    def draws(self) -> bool:
        """Whether it needs a random key of each sample."""
        return self.count != "all"

    def __call__(self, evaluation: ArrayEvaluation) -> SampleLosses:
        """The loss of each sample."""
        batch, model = evaluation.batch, evaluation.model
        inputs = evaluation.each(batch.arrays["inputs"])
        jacobian = evaluation.each(batch.arrays["jacobian"])
        scales = jnp.asarray(_scales(model), inputs.dtype)
        flat = jacobian.reshape(len(inputs), -1, len(scales))
        if self.count == "all":
            # Each value of the inputs by itself, in the shorter of both modes.
            predicted = model.jacobian(inputs).reshape(flat.shape) * scales[None, None]
            true = flat * scales[None, None]
        else:
            assert batch.keys is not None, "random directions need the keys of the samples"
            drawn = self._drawn(evaluation.each(batch.keys), len(scales), inputs.dtype)
            changes = drawn * scales[None, None]
            true = jnp.einsum("stv,dsv->std", flat, changes)

            def along(change: Float[Array, "samples values"]) -> Float[Array, "samples targets"]:
                found: Array = model.derivative(inputs, change.reshape(inputs.shape))
                return found.reshape(len(inputs), -1)

            predicted = jax.vmap(along, out_axes=-1)(changes)
        shape = (*batch.room, *true.shape[1:])
        error = evaluation.masked((predicted - true).reshape(shape))
        return self.loss(error / self.rms, true.reshape(shape) / self.rms, None)

    def _drawn(
        self, keys: Array, size: int, dtype: jnp.dtype
    ) -> Float[Array, "directions samples values"]:
        assert self.count != "all", "the whole Jacobian draws nothing"
        count = self.count

        def of_sample(key: Array) -> Float[Array, "directions values"]:
            return jr.normal(jr.fold_in(key, DIRECTIONS), (count, size), dtype)

        drawn: Array = jax.vmap(of_sample, out_axes=1)(keys)
        # The sum of the squares of some derivatives is then their mean.
        return drawn / math.sqrt(count)


def slope_rms(view: ArrayView, model: ArrayModel) -> float:
    """Root mean square of the derivative of a target in a random direction.

    It is the root of the sum over the inputs of s² mean(J²), with the scale s of each.

    Args:
        view: The training split, with a Jacobian.
        model: The network, with its scales.
    """
    found, scales = view.viewed["jacobian"].statistics, _scales(model)
    squares = np.array(found.mean) ** 2 + np.array(found.std) ** 2
    if len(squares) != len(scales):  # one number for all inputs
        squares = np.full(len(scales), squares.mean())
    return math.sqrt(float(np.sum(scales**2 * squares)))


def _scales(model: ArrayModel) -> np.ndarray:
    """The scale of each value of the inputs, in a row."""
    side = model.inputs.input
    return np.broadcast_to(side.scales, side.shape).ravel()
