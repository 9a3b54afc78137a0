"""Results of rollouts as plain values."""

from dataclasses import dataclass

from hypermagnetics.evaluate.results.quantity_scores import ArrayQuantityScores


@dataclass(frozen=True)
class StepErrors:
    """Errors of whole states, a number of steps behind the first stored one."""

    step: int
    time: float | None
    """Time of the state [s], of other states than moments in their own unit; None of iterates,
    and where it is not known."""
    errors: ArrayQuantityScores
    """A point is the state of a sample, with ||error||₂ / ||truth||₂ of all its values."""


@dataclass(frozen=True)
class OverSamples:
    """A number of each sample, over all samples; infinite if the states are not finite."""

    median: float
    largest: float


@dataclass(frozen=True)
class RolloutScores:
    """Errors of rollouts from the first stored state, and the laws that they keep."""

    num_steps: int
    """Steps of a rollout, as of the stored trajectories."""
    errors: tuple[StepErrors, ...]
    """Errors after 1, 2, 5, 10, 20, 50 and so on steps, and after the last one; none of the stored
    trajectories themselves."""
    half_exceed_step: int | None
    """First step at which half of the samples have an error of more than 10 %; None for never."""
    magnitude_drift: OverSamples | None
    """Largest | |m(t)| / |m(0)| - 1 | over steps and moments; None if the dynamics do not keep it.
    """
    energy_rise: OverSamples | None
    """Largest rise of the energy between two states, in units of mu_0 sum |m_i| |H_i| at the start;
    0 if it always falls. None without damping."""
    residual: OverSamples | None
    """||m - f(m)||₂ / ||m||₂ of the last state, of soft bodies, where f gives the moments in the
    field of m; None of other dynamics."""
