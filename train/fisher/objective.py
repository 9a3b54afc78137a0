"""Fisher information of the summaries of readings, as an objective."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, assert_never

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float

from hypermagnetics.metrics import fisher_information, log_determinant
from hypermagnetics.models import AnyModel, ArrayModel, Noise
from hypermagnetics.models.noise import Readings
from hypermagnetics.run_files import FisherRecord
from hypermagnetics.train.devices import AnyDeviceBatch, ArrayDeviceBatch
from hypermagnetics.train.fisher.config import IMNN, LogDet, Scale
from hypermagnetics.train.objective import Losses, Objective, Sums
from hypermagnetics.train.sample_keys import NOISE
from hypermagnetics.train.terms import counted
from hypermagnetics.train.validation import finite

_FEW = 16
"""Samples of each block whose mean summary is near enough to that of all."""

SUMS = ("summaries", "products", "slopes", "complete")
"""Names of the sums over samples that the loss is a function of."""

Summaries = Float[Array, "samples summaries"]
Slopes = Float[Array, "samples summaries parameters"]


@dataclass(frozen=True)
class FisherObjective(Objective):
    """L = -ln det F plus a term for the scale of the summaries x.

    F = dmu^T C^-1 dmu with the mean derivative dmu of the summaries by the parameters and their
    covariance C. Both are functions of sums over samples: of x - a, of (x - a) (x - a)^T and of
    dx/dtheta, where a is a fixed point near the mean, without which float32 would lose C beside it.
    """

    scale: Scale
    noise: Noise | None
    """Noise that is added to the readings; None if they have their own."""

    @property
    def draws(self) -> bool:
        """Whether it needs a random key of each sample."""
        return self.noise is not None

    @property
    def is_additive(self) -> bool:
        """It is a function of sums, but no sum."""
        return False

    @property
    def remedy(self) -> str:
        """Remedy of a loss that is not finite: C or F may have no inverse from the start."""
        return (
            "with fewer summaries (model.outputs) or more samples, without which their covariance "
            "has no inverse, or with a lower schedule.learning_rate"
        )

    def weighted(self, weights: Mapping[str, float]) -> "FisherObjective":
        """Itself: it has no terms to weigh."""
        return self

    def reference(self, model: AnyModel, batch: AnyDeviceBatch) -> Float[Array, " summaries"]:
        """The mean summary of some samples of a batch, a point near that of all."""
        network, whole = _checked(model, batch)
        arrays = _first(whole, _FEW)
        readings, _ = noisy(self.noise, arrays)
        counts = _flat(counted(arrays))
        found = jnp.where(counts[:, None], _summaries(network, readings), 0)
        mean = jnp.sum(found, axis=0) / jnp.maximum(jnp.sum(counts), 1)
        return jax.lax.stop_gradient(mean)

    def sums(self, model: AnyModel, batch: AnyDeviceBatch, reference: Array | None) -> Sums:
        """Sums over the samples that count, in full float32; see the class."""
        network, arrays = _checked(model, batch)
        assert reference is not None, "it is that of this objective"
        readings, derivatives = noisy(self.noise, arrays)
        targets, derivatives = network.with_derivatives(readings, derivatives)
        found = targets.reshape(len(readings), -1)
        slopes = derivatives.reshape(*found.shape, -1)
        counts = _flat(counted(arrays))
        complete = _flat(jnp.arange(arrays.room[1])[None] < arrays.num_complete[:, None])
        near = jnp.where(counts[:, None], found - reference[None], 0)
        return {
            "summaries": jnp.sum(near, axis=0),
            "products": jnp.matmul(near.T, near, precision=jax.lax.Precision.HIGHEST),
            "slopes": jnp.sum(jnp.where(complete[:, None, None], slopes, 0), axis=0),
            "complete": jnp.sum(complete).astype(near.dtype),
        }

    def of_sums(self, sums: Sums, count: Array) -> "FisherLosses":
        """The loss of `count` samples, from sums over them."""
        number = count.astype(sums["products"].dtype)
        mean = sums["summaries"] / number
        covariance = (sums["products"] - number * jnp.outer(mean, mean)) / (number - 1)
        slopes = sums["slopes"] / sums["complete"]
        return fisher_losses(self.scale, slopes, covariance)


class FisherNumbers(eqx.Module):
    """Numbers of a step beside its loss."""

    information: Float[Array, "*steps parameters parameters"]
    """Fisher information F."""
    log_determinant: Float[Array, "*steps"]
    """ln det F: det F itself of a few precise parameters may exceed float32."""
    log_covariance_determinant: Float[Array, "*steps"]
    """ln of the determinant of the covariance C of the summaries."""
    scale_strength: Float[Array, "*steps"]
    """Factor r before the measure of the scale."""

    def record(self) -> FisherRecord:
        """The numbers of one step, on the host; determinants in float64."""
        found: FisherNumbers = jax.device_get(self)
        with np.errstate(over="ignore"):
            determinants = np.exp(
                np.array([found.log_determinant, found.log_covariance_determinant], np.float64)
            )
        return FisherRecord(
            information=tuple(tuple(map(finite, row)) for row in np.asarray(found.information)),
            determinant=finite(determinants[0]),
            covariance_determinant=finite(determinants[1]),
            scale_strength=finite(np.float64(found.scale_strength)),
        )


class FisherLosses(Losses):
    """The loss, its two parts, and the information."""

    fisher: FisherNumbers

    def last_numbers(self) -> dict[str, Any]:
        """F, det F, det C and r of the last step."""
        last: FisherNumbers = jax.tree.map(lambda values: values[-1], self.fisher)
        return super().last_numbers() | {"fisher": last.record().model_dump(mode="json")}


def fisher_losses(
    scale: Scale,
    slopes: Float[Array, "summaries parameters"],
    covariance: Float[Array, "summaries summaries"],
) -> FisherLosses:
    """The loss of mean derivatives and covariance of summaries.

    Args:
        scale: Term of the scale.
        slopes: Derivatives of the mean summaries by the parameters.
        covariance: Their covariance.

    Returns:
        The loss; NaN if F or C is not positive definite.
    """
    information = fisher_information(slopes, covariance)
    log_det_f, log_det_c = log_determinant(information), log_determinant(covariance)
    match scale:
        case LogDet():
            strength, measure = jnp.asarray(scale.weight, log_det_c.dtype), log_det_c**2
        case IMNN():
            one = jnp.eye(len(covariance), dtype=covariance.dtype)
            inverse = jnp.linalg.inv(covariance)
            measure = jnp.linalg.norm(covariance - one) + jnp.linalg.norm(inverse - one)
            rate = -math.log(scale.argument) / scale.epsilon
            # s L / (L + exp(-a L)), with no number that overflows where the rate is negative.
            strength = scale.strength * jax.nn.sigmoid(jnp.log(measure) + rate * measure)
        case _:
            assert_never(scale)
    return FisherLosses(
        total=strength * measure - log_det_f,
        terms={"information": -log_det_f, "scale": strength * measure},
        fisher=FisherNumbers(information, log_det_f, log_det_c, strength),
    )


def noisy(
    noise: Noise | None, batch: ArrayDeviceBatch
) -> tuple[Readings, Float[Array, "samples ... parameters"]]:
    """Readings with their noise, and their derivatives by all parameters.

    Args:
        noise: The noise that they lack, if any.
        batch: Readings and derivatives, with a random key of each sample.

    Returns:
        Both, with one axis of all samples.
    """
    readings = jax.lax.collapse(batch.arrays["inputs"], 0, 2)
    derivatives = jax.lax.collapse(batch.arrays["derivatives"], 0, 2)
    if noise is None:
        return readings, derivatives
    assert batch.keys is not None, "noise needs the keys of the samples"
    keys: Array = jax.vmap(_for_noise)(jax.lax.collapse(batch.keys, 0, 2))
    drawn = noise.drawn(keys, readings.shape[1:])
    return readings + drawn, noise.completed(derivatives, drawn)


def _first(batch: ArrayDeviceBatch, count: int) -> ArrayDeviceBatch:
    """The first samples of each block."""
    return replace(
        batch,
        arrays={role: values[:, :count] for role, values in batch.arrays.items()},
        num_samples=jnp.minimum(batch.num_samples, count),
        num_complete=jnp.minimum(batch.num_complete, count),
        keys=None if batch.keys is None else batch.keys[:, :count],
    )


def _for_noise(key: Array) -> Array:
    return jr.key_data(jr.fold_in(key, NOISE))


def _summaries(network: ArrayModel, readings: Readings) -> Summaries:
    return network(readings).reshape(len(readings), -1)


def _flat(mask: Array) -> Array:
    return mask.reshape(-1)


def _checked(model: AnyModel, batch: AnyDeviceBatch) -> tuple[ArrayModel, ArrayDeviceBatch]:
    match model, batch:
        case ArrayModel(), ArrayDeviceBatch():
            return model, batch
        case _:
            raise TypeError("Fisher information is of networks from readings to summaries")
