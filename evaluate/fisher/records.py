"""Results about summaries of readings as plain values."""

from dataclasses import dataclass

from hypermagnetics.metrics import Interval

Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class AnalyticInformation:
    """Fisher information of the readings themselves, J^T J / sigma², where noise alone varies."""

    information: Matrix
    determinant: float
    share: float
    """det F of the summaries over this determinant."""


@dataclass(frozen=True)
class ParameterScores:
    """Estimates of one parameter, from samples that were simulated at its value."""

    name: str
    value: float
    """Value at which the samples were simulated."""
    error_bar: float
    """Standard error of an estimate by Fisher information, the root of an entry of F^-1."""
    bias: float
    """Mean of the estimates minus the value."""
    bias_standard_error: float
    """Standard error of the bias."""
    spread: float
    """Standard deviation of the estimates."""
    analytic_error_bar: float | None
    """Least standard error of any estimate, by the information of the readings, if it is known."""


@dataclass(frozen=True)
class Estimator:
    """Estimate of the parameters from summaries x, theta = offset + matrix x.

    It is theta_0 + F^-1 dmu^T C^-1 (x - mu), with mean mu, covariance C and mean derivative dmu of
    the summaries at the parameters theta_0 of the training.
    """

    offset: tuple[float, ...]
    matrix: Matrix


@dataclass(frozen=True)
class FisherScores:
    """Fisher information of summaries about the parameters, and estimates from them."""

    determinant: float
    """det F."""
    ci95: Interval | None
    """95 % bootstrap interval of det F over the samples; None if it is not known."""
    analytic: AnalyticInformation | None
    """Bound of all summaries; None if more than the noise varies, or the noise is not known."""
    information: Matrix
    """F, by the parameters."""
    covariance_determinant: float
    """Determinant of the covariance C of the summaries."""
    num_samples: int
    """Number of draws that gave C, of samples with fresh noise if there is any."""
    num_derivatives: int
    """Number of those that gave the mean derivative."""
    parameters: tuple[ParameterScores, ...]
    estimator: Estimator
    num_estimates: int
    """Number of estimates, of draws that have not made the estimator."""
    estimate_covariance: Matrix
    """Covariance of the estimates, to be compared with F^-1."""
