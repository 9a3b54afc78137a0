"""Whether a network that gives the next state fits the trajectories of a split."""

import math

from hypermagnetics.dynamics import AnyDynamics
from hypermagnetics.errors import RunError
from hypermagnetics.evaluate.results.array_records import ArraySubject
from hypermagnetics.evaluate.rollouts.trajectories import MovingMoments, StoredTrajectories
from hypermagnetics.models import ArrayModel, MomentFrame, frame_of_steps
from hypermagnetics.models.state_data import boundary_of_states

_ROUNDING = 1e-6
"""Relative difference of time steps that are the same."""
_OF_STORAGE = {"num_steps", "tolerance"}
"""Settings of dynamics that do not change how moments go on."""
_LIKE = "Evaluate it on a dataset like the one it was trained on."


def refuse_other_trajectories(
    record: ArraySubject, model: ArrayModel, data: StoredTrajectories
) -> None:
    """Refuse trajectories that are others than those of the training.

    Args:
        record: The network.
        model: The network.
        data: The trajectories.

    Raises:
        RunError: If they are of moments in place of other states or the reverse, if dynamics,
            sources or time step are others, there are more sources, or states have another shape
            or boundary.
    """
    frame, place = frame_of_steps(model), f"{record.place}, {data.place}"
    kinds = {True: "moments of sources", False: "states without sources"}
    if (frame.moments is None) != (data.moments is None):
        raise RunError(
            f"The network must be evaluated on trajectories of {kinds[frame.moments is not None]}; "
            f"got {kinds[data.moments is not None]} ({place}). {_LIKE}"
        )
    if frame.moments is not None and data.moments is not None:
        _refuse_other_dynamics(frame.moments.dynamics, data.moments.dynamics, place)
        _refuse_other_sources(frame.moments, model, data.moments, place)
        return
    wanted, found = frame.time_step, data.time_step
    # An import need not say it.
    if (
        wanted is not None
        and found is not None
        and not math.isclose(wanted, found, rel_tol=_ROUNDING)
    ):
        raise RunError(
            f"States must be {wanted:g} apart in time, as in the training, since a network knows "
            f"that step alone; got {found:g} ({place}). {_LIKE}"
        )
    if data.state_shape != model.inputs.target.shape:
        raise RunError(
            f"States must have shape {list(model.inputs.target.shape)}, as in the training; got "
            f"{list(data.state_shape)} ({place}). {_LIKE}"
        )
    boundary = boundary_of_states(data.dataset)
    if model.inputs.map is not None and boundary != model.inputs.map.boundary:
        raise RunError(
            f"The network must be evaluated on {model.inputs.map.boundary} states; got {boundary} "
            f"ones ({place}). {_LIKE}"
        )


def _refuse_other_dynamics(wanted: AnyDynamics, found: AnyDynamics, place: str) -> None:
    own, others = (one.model_dump(exclude=_OF_STORAGE) for one in (wanted, found))
    for key in ("kind", *own):
        if key not in others or own[key] != others[key]:
            got = others.get(key)
            raise RunError(
                f"Moments must go on as in the training, with dynamics.{key} {_said(own[key])}; "
                f"got {_said(got)} ({place}). {_LIKE}"
            )


def _refuse_other_sources(
    wanted: MomentFrame, model: ArrayModel, found: MovingMoments, place: str
) -> None:
    own, others = wanted.sources.columns, found.columns
    for what, first, second in (
        ("dimensions", own.dim, others.dim),
        ("bodies", own.bodies, others.bodies),
        ("columns", own.names, others.names),
        ("constants", dict(own.constants), dict(others.constants)),
    ):
        if first != second:
            raise RunError(
                f"Sources must have the {what} of the training, {_said(first)}; got "
                f"{_said(second)} ({place}). {_LIKE}"
            )
    most = model.inputs.input.shape[0]
    if found.max_sources > most:
        raise RunError(
            f"Samples must have at most {most} sources, those of the training, as the input of the "
            f"network has as many rows; got up to {found.max_sources} ({place}). Evaluate it on "
            "another split (--split), or train it on a dataset of more sources."
        )


def _said(value: object) -> str:
    match value:
        case None:
            return "none"
        case dict():
            return ", ".join(f"{name} {number:g}" for name, number in value.items()) or "none"
        case tuple():
            return ", ".join(map(_said, value))
        case float():
            return f"{value:g}"
        case _:
            return str(value)
