"""Fisher information of the summaries of a split, on noise that no training has seen."""

import dataclasses
import hashlib
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Float64, Int

from hypermagnetics.data.array_view import ArrayView
from hypermagnetics.evaluate.fisher.records import (
    AnalyticInformation,
    Estimator,
    FisherScores,
    Matrix,
    ParameterScores,
)
from hypermagnetics.jax_setup import own_program
from hypermagnetics.log import Listener
from hypermagnetics.metrics import (
    Interval,
    fisher_information,
    interval,
    normal_information,
    resamples,
)
from hypermagnetics.metrics.bootstrap import RESAMPLES
from hypermagnetics.models import ArrayModel
from hypermagnetics.models.noise import sample_keys

_INFORMATION, _ESTIMATES = 100, 101
"""Random streams, none of them one of a training."""
_MOST_CONDITION = 1e12
"""Condition number of a covariance from which its inverse says nothing."""


@dataclass(frozen=True)
class Summaries:
    """Summaries x of some draws, and their derivatives by the parameters."""

    values: Float64[np.ndarray, "draws summaries"]
    slopes: Float64[np.ndarray, "draws summaries parameters"]
    """Of draws without derivatives zero."""
    complete: Bool[np.ndarray, " draws"]
    """Mask of the draws with derivatives."""
    sample: Int[np.ndarray, " draws"]
    """Number of the sample in its split that each draw adds noise to."""

    @property
    def moments(self) -> "Moments":
        """Mean, covariance and mean derivative."""
        return Moments(
            self.values.mean(axis=0),
            np.atleast_2d(np.cov(self.values, rowvar=False)),
            self.slopes[self.complete].mean(axis=0),
            len(self.values),
        )

    def of_draws(self, mask: Bool[np.ndarray, " draws"]) -> "Summaries":
        """Some of the draws."""
        return Summaries(
            *(each[mask] for each in (self.values, self.slopes, self.complete, self.sample))
        )


@dataclass(frozen=True)
class Moments:
    """Mean mu, covariance C and mean derivative dmu of summaries."""

    mean: Float64[np.ndarray, " summaries"]
    covariance: Float64[np.ndarray, "summaries summaries"]
    slopes: Float64[np.ndarray, "summaries parameters"]
    num_draws: int

    @cached_property
    def weights(self) -> Float64[np.ndarray, "summaries parameters"]:
        """C^-1 dmu; NaN if C is not positive definite, or all but singular."""
        if not np.linalg.cond(self.covariance) < _MOST_CONDITION:
            return np.full_like(self.slopes, np.nan)
        found: Float64[np.ndarray, "summaries parameters"] = np.linalg.solve(
            self.covariance, self.slopes
        )
        return found

    @property
    def debiased(self) -> float:
        """Factor of F without the bias of the inverse of a covariance of finitely many draws."""
        spare = self.num_draws - len(self.covariance) - 2
        return spare / (self.num_draws - 1)

    @property
    def information(self) -> Float64[np.ndarray, "parameters parameters"]:
        """F; NaN if it is not known."""
        found: np.ndarray = self.debiased * self.slopes.T @ self.weights
        symmetric: np.ndarray = (found + found.T) / 2
        return symmetric

    @property
    def inverse_information(self) -> Float64[np.ndarray, "parameters parameters"]:
        """F^-1; NaN if there is none."""
        return inverse(self.information)


def inverse(matrix: Float64[np.ndarray, "n n"]) -> Float64[np.ndarray, "n n"]:
    """Inverse of a positive definite matrix; NaN of any other."""
    if not np.isfinite(matrix).all() or np.linalg.eigvalsh(matrix)[0] <= 0:
        return np.full_like(matrix, np.nan)
    return np.asarray(np.linalg.inv(matrix))


def measure_fisher(
    model: ArrayModel, view: ArrayView, num_samples: int, listener: Listener
) -> FisherScores:
    """Measure Fisher information and estimates of a network on a split.

    With noise, the information comes from `num_samples` draws with fresh noise, and estimates are
    made of further draws, one of each sample. Where more than the noise varies from sample to
    sample, one half of them makes the estimator and the other half tries it.

    Args:
        model: The network.
        view: Readings and their derivatives.
        num_samples: Number of draws with fresh noise.
        listener: Receives the number of samples just predicted.

    Returns:
        The scores. F is multiplied by (n - p - 2) / (n - 1) for n draws of p summaries, without
        which the inverse of their covariance is too large in the mean.

    References:
        Hartlap, Simon, Schneider, Astron. Astrophys. 464, 399 (2007), equation 17.
    """
    noise, count = model.inputs.noise, len(view)
    drawn = count if noise is None else num_samples
    whole = _summaries(model, view, _INFORMATION, drawn, listener)
    found = whole.moments
    determinant = _determinant(found.information)
    analytic = _analytic(model, view, determinant)
    tried = whole if noise is None else _summaries(model, view, _ESTIMATES, count, listener)
    fit, num_fit, group = whole, len(whole.values), np.arange(len(whole.values))
    if analytic is None:  # draws of a sample have more in common than other draws
        fit = whole.of_draws(whole.sample % 2 == 0)
        tried = tried.of_draws(tried.sample % 2 == 1)
        num_fit, group = len(np.unique(fit.sample)), whole.sample
    estimator = _estimator(model, fit.moments)
    estimates = np.array(estimator.offset) + tried.values @ np.array(estimator.matrix).T
    return FisherScores(
        determinant=determinant,
        ci95=_interval(whole, found, group),
        analytic=analytic,
        information=_rows(found.information),
        covariance_determinant=_determinant(found.covariance),
        num_samples=len(whole.values),
        num_derivatives=int(whole.complete.sum()),
        parameters=_parameters(model, fit.moments, estimates, num_fit, analytic),
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
    model: ArrayModel, view: ArrayView, stream: int, num_draws: int, listener: Listener
) -> Summaries:
    """Summaries of draws of a split, which is gone through as often as needed."""
    parts, left = [], num_draws
    for block in _blocks(model, view, stream):
        taken = block.of_draws(np.arange(len(block.values)) < left)
        parts.append(taken)
        listener.advance(len(taken.values))
        left -= len(taken.values)
        if not left:
            break
    return Summaries(
        *(
            np.concatenate([getattr(part, each.name) for part in parts])
            for each in dataclasses.fields(Summaries)
        )
    )


def _blocks(model: ArrayModel, view: ArrayView, stream: int) -> Iterator[Summaries]:
    """Summaries and their derivatives, block by block and round by round, without end."""
    noise, size = model.inputs.noise, view.layout.samples_per_block
    base = jr.key(_seed(view))

    @own_program
    def predict(
        model: ArrayModel, readings: Array, derivatives: Array, numbers: tuple[Array, Array]
    ) -> tuple[Array, Array]:
        if noise is not None:
            round_, block = numbers
            key = jr.fold_in(jr.fold_in(base, stream), round_)
            (keys,) = sample_keys(key, block[None], jnp.arange(size))
            drawn = noise.drawn(keys, readings.shape[1:])
            readings, derivatives = readings + drawn, noise.completed(derivatives, drawn)
        found, slopes = model.with_derivatives(readings, derivatives)
        return found.reshape(size, -1), slopes.reshape(size, -1, slopes.shape[-1])

    for round_ in itertools.count():
        for block in range(view.layout.num_blocks):
            (arrays,) = view.read((block,))
            count, num_complete = len(arrays["inputs"]), len(arrays["derivatives"])
            # Always as many, so that one compiled program serves all.
            readings = _padded(arrays["inputs"], size)
            derivatives = _padded(arrays["derivatives"], size)
            numbers = jnp.asarray(round_), jnp.asarray(block)
            found, slopes = predict(model, readings, derivatives, numbers)
            complete = np.arange(count) < num_complete
            kept = np.asarray(slopes, np.float64)[:count] * complete[:, None, None]
            sample = block * size + np.arange(count)
            yield Summaries(np.asarray(found, np.float64)[:count], kept, complete, sample)


def _seed(view: ArrayView) -> int:
    """Seed of the fresh noise of a split: another one for each split and dataset."""
    name = f"{view.name} {view.split.digest}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])


def _padded(values: np.ndarray, size: int) -> Array:
    padding = [(0, size - len(values))] + [(0, 0)] * (values.ndim - 1)
    return jnp.asarray(np.pad(values, padding))


def _interval(
    found: Summaries, moments: Moments, group: Int[np.ndarray, " draws"]
) -> Interval | None:
    """95 % bootstrap interval of det F, groups of draws being drawn with replacement.

    The weights C^-1 dmu stay as they are: their bias is taken from F itself.

    Args:
        found: The draws.
        moments: Their moments.
        group: Number of the group of each draw; groups are independent.
    """
    weights = moments.weights
    if not np.isfinite(weights).all():
        return None
    size = weights.shape[1]
    scores = (found.values - moments.mean) @ weights
    along = np.einsum("sp,nsq->npq", weights, found.slopes).reshape(len(scores), -1)
    products = (scores[:, :, None] * scores[:, None, :]).reshape(len(scores), -1)
    columns = np.concatenate(
        [scores, products, along, found.complete[:, None], np.ones((len(scores), 1))], axis=1
    )
    added = np.zeros((group.max() + 1, columns.shape[1]))
    np.add.at(added, group, columns)
    sums = np.zeros((RESAMPLES, columns.shape[1]))
    for groups, times in resamples(len(added)):
        sums += times.astype(np.float64) @ added[groups]
    ends = np.cumsum([size, size * size, size * size, 1])
    first, squares, slopes, complete, count = np.split(sums, ends, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = first / count
        outer = count[..., None] * mean[:, :, None] * mean[:, None, :]
        covariance = (squares.reshape(-1, size, size) - outer) / (count[..., None] - 1)
        by_parameters = (slopes / complete).reshape(-1, size, size)
    known = np.isfinite(by_parameters).all(axis=(1, 2)) & (np.linalg.det(covariance) > 0)
    if not known.any():
        return None
    of_each = moments.debiased * fisher_information(by_parameters[known], covariance[known])
    return interval(np.linalg.det(of_each))


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
    bound = _determinant(found)
    share = determinant / bound if bound > 0 else math.nan
    return AnalyticInformation(_rows(found), bound, share)


def _estimator(model: ArrayModel, moments: Moments) -> Estimator:
    values = np.array([one.value for one in model.inputs.parameters])
    # F without the factor of its bias, which would be one of the estimates.
    matrix = moments.debiased * moments.inverse_information @ moments.weights.T
    return Estimator(tuple(map(float, values - matrix @ moments.mean)), _rows(matrix))


def _parameters(
    model: ArrayModel,
    moments: Moments,
    estimates: Float64[np.ndarray, "samples parameters"],
    num_fit: int,
    analytic: AnalyticInformation | None,
) -> tuple[ParameterScores, ...]:
    error_bars = np.sqrt(np.diag(moments.inverse_information))
    least: list[float | None] = [None] * len(error_bars)
    if analytic is not None:
        least = np.sqrt(np.diag(inverse(np.array(analytic.information)))).tolist()
    values = np.array([one.value for one in model.inputs.parameters])
    bias, spread = estimates.mean(axis=0) - values, estimates.std(axis=0, ddof=1)
    # The mean that the estimator subtracts is known from finitely many samples, too.
    standard = spread * np.sqrt(1 / len(estimates) + 1 / num_fit)
    rows = zip(model.inputs.parameters, error_bars, bias, standard, spread, least, strict=True)
    return tuple(
        ParameterScores(
            name=one.name,
            value=one.value,
            error_bar=float(bar),
            bias=float(off),
            bias_standard_error=float(error),
            spread=float(width),
            analytic_error_bar=bound,
        )
        for one, bar, off, error, width, bound in rows
    )


def _determinant(matrix: np.ndarray) -> float:
    """The determinant; NaN of a matrix that is not known, and infinity beyond float64."""
    if not np.isfinite(matrix).all():
        return math.nan
    sign, logarithm = np.linalg.slogdet(matrix)
    with np.errstate(over="ignore"):
        return float(sign * np.exp(logarithm))


def _rows(matrix: np.ndarray) -> Matrix:
    return tuple(tuple(map(float, row)) for row in matrix)
