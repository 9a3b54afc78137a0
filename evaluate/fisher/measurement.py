"""Fisher information of the summaries of a split, on noise that no training has seen."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float64

from hypermagnetics.data.array_view import ArrayView
from hypermagnetics.evaluate.fisher.records import (
    AnalyticInformation,
    Estimator,
    FisherScores,
    Matrix,
    ParameterScores,
)
from hypermagnetics.log import Listener
from hypermagnetics.metrics import (
    Interval,
    fisher_information,
    interval,
    normal_information,
    resamples,
)
from hypermagnetics.models import ArrayModel

_SEED = 0x0F15
"""Seed of all fresh noise. Trainings fold a stream into theirs, so that none has these numbers."""
_INFORMATION, _ESTIMATES = 0, 1
"""Random streams."""


@dataclass(frozen=True)
class Summaries:
    """Summaries x of some samples, and their derivatives by the parameters."""

    values: Float64[np.ndarray, "samples summaries"]
    slopes: Float64[np.ndarray, "complete summaries parameters"]
    """Of the first samples alone."""

    @property
    def moments(self) -> "Moments":
        """Mean, covariance and mean derivative."""
        return Moments(
            self.values.mean(axis=0),
            np.atleast_2d(np.cov(self.values, rowvar=False)),
            self.slopes.mean(axis=0),
        )

    def half(self, number: int) -> "Summaries":
        """The first or the second half, sample by sample in turns."""
        return Summaries(self.values[number::2], self.slopes[number::2])


class Moments(NamedTuple):
    """Mean mu, covariance C and mean derivative dmu of summaries."""

    mean: Float64[np.ndarray, " summaries"]
    covariance: Float64[np.ndarray, "summaries summaries"]
    slopes: Float64[np.ndarray, "summaries parameters"]

    @property
    def information(self) -> Float64[np.ndarray, "parameters parameters"]:
        """F; NaN if C has no inverse."""
        try:
            return fisher_information(self.slopes, self.covariance)
        except np.linalg.LinAlgError:
            return np.full((self.slopes.shape[1],) * 2, np.nan)

    @property
    def inverse_information(self) -> Float64[np.ndarray, "parameters parameters"]:
        """F^-1; NaN if there is none."""
        try:
            return np.asarray(np.linalg.inv(self.information))
        except np.linalg.LinAlgError:
            return np.full_like(self.information, np.nan)


def measure_fisher(
    model: ArrayModel, view: ArrayView, num_samples: int, listener: Listener
) -> FisherScores:
    """Measure Fisher information and estimates of a network on a split.

    With noise, the information comes from `num_samples` samples with fresh noise, and estimates are
    made of each sample of the split with another one. Without, all samples give the information,
    and an estimator from one half of them is tried on the other half.

    Args:
        model: The network.
        view: Readings and their derivatives.
        num_samples: Number of samples with fresh noise, at least two more than the summaries.
        listener: Receives the number of samples just predicted.

    Returns:
        The scores.
    """
    if model.inputs.noise is None:
        whole = fit = _summaries(model, view, _INFORMATION, len(view), listener)
        fit, tried = whole.half(0), whole.half(1).values
    else:
        whole = fit = _summaries(model, view, _INFORMATION, num_samples, listener)
        tried = _summaries(model, view, _ESTIMATES, len(view), listener).values
    found, moments = whole.moments, fit.moments
    determinant = _determinant(found.information)
    estimator = _estimator(model, moments)
    estimates = np.array(estimator.offset) + tried @ np.array(estimator.matrix).T
    return FisherScores(
        determinant=determinant,
        ci95=_interval(whole),
        analytic=_analytic(model, view, determinant),
        information=_rows(found.information),
        covariance_determinant=float(np.linalg.det(found.covariance)),
        num_samples=len(whole.values),
        num_derivatives=len(whole.slopes),
        parameters=_parameters(model, moments, estimates, len(fit.values)),
        estimator=estimator,
        num_estimates=len(estimates),
        estimate_covariance=_rows(np.atleast_2d(np.cov(estimates, rowvar=False))),
    )


def num_predictions(model: ArrayModel, num_split: int, num_samples: int) -> int:
    """Number of samples that `measure_fisher` predicts.

    Args:
        model: The network.
        num_split: Number of samples of the split.
        num_samples: Number of samples with fresh noise.
    """
    return num_split if model.inputs.noise is None else num_samples + num_split


def _summaries(
    model: ArrayModel, view: ArrayView, stream: int, num_samples: int, listener: Listener
) -> Summaries:
    """Summaries of samples of a split, which is gone through as often as needed."""
    values, slopes, left = [], [], num_samples
    for found, derivatives in _blocks(model, view, stream):
        values.append(found[:left])
        slopes.append(derivatives[:left])
        listener.advance(len(values[-1]))
        left -= len(values[-1])
        if not left:
            break
    return Summaries(np.concatenate(values), np.concatenate(slopes))


def _blocks(
    model: ArrayModel, view: ArrayView, stream: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Summaries and their derivatives, block by block and round by round, without end."""
    noise, size = model.inputs.noise, view.layout.samples_per_block

    @eqx.filter_jit
    def predict(
        model: ArrayModel, readings: Array, derivatives: Array, numbers: tuple[Array, Array]
    ) -> tuple[Array, Array]:
        if noise is not None:
            key = jr.fold_in(jr.fold_in(jr.fold_in(jr.key(_SEED), stream), numbers[0]), numbers[1])
            keys = jax.vmap(lambda sample: jr.key_data(jr.fold_in(key, sample)))(jnp.arange(size))
            drawn = noise.drawn(keys, readings.shape[1:])
            readings, derivatives = readings + drawn, noise.completed(derivatives, drawn)
        along = [
            model.derivative(readings, derivatives[..., number]).reshape(size, -1)
            for number in range(derivatives.shape[-1])
        ]
        return model(readings).reshape(size, -1), jnp.stack(along, axis=-1)

    round_ = 0
    while True:
        for block in range(view.layout.num_blocks):
            (arrays,) = view.read((block,))
            count, complete = len(arrays["inputs"]), len(arrays["derivatives"])
            # Always as many, so that one compiled program serves all.
            readings = _padded(arrays["inputs"], size)
            derivatives = _padded(arrays["derivatives"], size)
            numbers = jnp.asarray(round_), jnp.asarray(block)
            found, slopes = predict(model, readings, derivatives, numbers)
            yield (
                np.asarray(found, np.float64)[:count],
                np.asarray(slopes, np.float64)[:complete],
            )
        round_ += 1


def _padded(values: np.ndarray, size: int) -> Array:
    padding = [(0, size - len(values))] + [(0, 0)] * (values.ndim - 1)
    return jnp.asarray(np.pad(values, padding))


def _interval(found: Summaries) -> Interval | None:
    """95 % interval of det F, samples being drawn with replacement."""
    values = found.values - found.values.mean(axis=0)
    count, width = values.shape
    by_parameters = found.slopes.shape[1:]
    products = (values[:, :, None] * values[:, None, :]).reshape(count, -1)
    slopes = np.zeros((count, found.slopes[0].size))
    slopes[: len(found.slopes)] = found.slopes.reshape(len(found.slopes), -1)
    complete = np.arange(count)[:, None] < len(found.slopes)
    parts = (values, products, slopes, complete)
    columns = np.concatenate([part.astype(np.float64) for part in parts], axis=1)
    sums = sum(times.astype(np.float64) @ columns[samples] for samples, times in resamples(count))
    ends = np.cumsum([part.shape[1] for part in parts])[:-1]
    added, squares, along, number = np.split(np.asarray(sums), ends, axis=1)
    mean = added / count
    outer = mean[:, :, None] * mean[:, None, :]
    covariance = (squares.reshape(-1, width, width) - count * outer) / (count - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_slopes = (along / number).reshape(-1, *by_parameters)
    known = np.isfinite(mean_slopes).all(axis=(1, 2)) & (np.linalg.det(covariance) > 0)
    if not known.any():
        return None
    return interval(np.linalg.det(fisher_information(mean_slopes[known], covariance[known])))


def _analytic(model: ArrayModel, view: ArrayView, determinant: float) -> AnalyticInformation | None:
    """Information of the readings, if they and their derivatives are the same in all samples."""
    noise = model.inputs.noise
    if noise is None:
        return None
    first: dict[str, np.ndarray] = {}
    for block in range(view.layout.num_blocks):
        (arrays,) = view.read((block,))
        for role, values in arrays.items():
            if len(values) and np.any(values != first.setdefault(role, values[0])):
                return None
    jacobian = first["derivatives"].astype(np.float64)
    flat = jacobian.reshape(-1, jacobian.shape[-1])
    found = normal_information(flat, noise.std, knows_std=noise.parameter is None)
    bound = float(np.linalg.det(found))
    return AnalyticInformation(_rows(found), bound, determinant / bound)


def _estimator(model: ArrayModel, moments: Moments) -> Estimator:
    values = np.array([one.value for one in model.inputs.parameters])
    try:
        weights = np.linalg.solve(moments.covariance, moments.slopes).T
    except np.linalg.LinAlgError:
        weights = np.full(moments.slopes.T.shape, np.nan)
    matrix = moments.inverse_information @ weights
    return Estimator(tuple(map(float, values - matrix @ moments.mean)), _rows(matrix))


def _parameters(
    model: ArrayModel,
    moments: Moments,
    estimates: Float64[np.ndarray, "samples parameters"],
    num_fit: int,
) -> tuple[ParameterScores, ...]:
    error_bars = np.sqrt(np.diag(moments.inverse_information))
    values = np.array([one.value for one in model.inputs.parameters])
    bias, spread = estimates.mean(axis=0) - values, estimates.std(axis=0, ddof=1)
    # The mean that the estimator subtracts is known from finitely many samples, too.
    standard = error_bars * np.sqrt(1 / len(estimates) + 1 / num_fit)
    rows = zip(model.inputs.parameters, error_bars, bias, standard, spread, strict=True)
    return tuple(
        ParameterScores(one.name, one.value, *map(float, numbers)) for one, *numbers in rows
    )


def _determinant(matrix: np.ndarray) -> float:
    """The determinant; NaN of a matrix that is not known."""
    return float(np.linalg.det(matrix)) if np.isfinite(matrix).all() else math.nan


def _rows(matrix: np.ndarray) -> Matrix:
    return tuple(tuple(map(float, row)) for row in matrix)
