"""Model card: arguments of a model and its range of validity."""

from collections.abc import Mapping

from hypermagnetics.models.array_inputs import ArrayScales
from hypermagnetics.models.array_model import ArrayModel
from hypermagnetics.models.inputs import Outside
from hypermagnetics.models.model import Model
from hypermagnetics.models.network import Network
from hypermagnetics.models.parts import parts_of
from hypermagnetics.models.ranges import known_ranges


def num_parameters(model: Network) -> int:
    """Number of trained parameters of a model."""
    return sum(part.size for part in parts_of(model)[0] if part.is_trained)


def array_card(model: ArrayModel) -> str:
    """Markdown sections on the array that a network reads, and the one that it gives.

    Args:
        model: The network.

    Returns:
        The text, of sections of the second level.
    """
    return "\n".join(
        (
            "## What it reads, and gives",
            "",
            "| array | shape of a sample | unit | range in training |",
            "|---|---|---|---|",
            f"| {' | '.join(_array_row(model.inputs.input))} |",
            f"| {' | '.join(_array_row(model.inputs.target))} |",
            "",
            f"It gives {model.inputs.target.name} of {model.inputs.input.name}"
            f"{'' if model.inputs.parameters else ', both in the units of the dataset'}. Its "
            "derivatives are exact: `model.jacobian`, `model.derivative`.",
            "",
            *_parameters(model),
            *_grids(model),
            *_steps(model),
            "## Where it can be trusted",
            "",
            _trusted_array(model),
            "",
        )
    )


def _parameters(model: ArrayModel) -> tuple[str, ...]:
    """The parameters that summaries tell, if it gives summaries."""
    parameters, noise = model.inputs.parameters, model.inputs.noise
    if not parameters:
        return ()
    added = "in the dataset"
    if noise is not None:
        unit = f" {model.inputs.input.unit}" if model.inputs.input.unit else ""
        added = f"normal, of standard deviation {noise.std:g}{unit}, which the dataset lacks"
    return (
        "## What its summaries tell",
        "",
        "| parameter | value in training |",
        "|---|---|",
        *(f"| {one.name} | {one.value:g} |" for one in parameters),
        "",
        f"Noise of the readings: {added}.",
        "",
    )


def _grids(model: ArrayModel) -> tuple[str, ...]:
    """The grids and channels of a network from maps to maps, if it is one."""
    frame = model.inputs.map
    if frame is None:
        return ()
    spacing = "" if frame.spacing is None else f", {frame.spacing:.6g} m apart"
    rows = {
        "it reads": f"{' x '.join(map(str, frame.read))} points"
        + f", every {frame.stride}-th of {' x '.join(map(str, frame.padded))}" * (frame.stride > 1),
        "it gives": f"{' x '.join(map(str, frame.core))} points{spacing}",
        "padding": f"{frame.pad} points at each side of those that it gives",
        "edge of the maps": frame.boundary,
        "maps": "crops of larger ones" if frame.is_cropped else "whole",
        "other numbers of points": "taken" if model.takes_other_sides else "refused",
    }
    read = frame.channels_read(model.inputs.input.shape[0])
    given = frame.channels_given(model.inputs.target.shape[0])
    rows["channels read"] = ", ".join(
        f"{n} {one.start} to {one.stop - 1}" for n, one in read.items()
    )
    rows["channels given"] = ", ".join(
        f"{n} {one.start} to {one.stop - 1}" for n, one in given.items()
    )
    if "magnetisation" in frame.inputs:
        rows["magnetisation"] = (
            f"mean over a cell, of {frame.subpoints} points along each axis: "
            "`hypermagnetics.sources.cell_means`"
        )
    return (
        "## Its grids",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows.items()),
        "",
    )


def _steps(model: ArrayModel) -> tuple[str, ...]:
    """Time step and dynamics of a network that gives the next state, if it is one."""
    frame = model.inputs.steps
    if frame is None:
        return ()
    rows = {"time step": "not known" if frame.time_step is None else f"{frame.time_step:g}"}
    if frame.moments is not None:
        if frame.time_step is not None:
            rows["time step"] += " s"
        dynamics = frame.moments.dynamics.model_dump(exclude={"num_steps", "time_step"})
        rows |= {f"dynamics: {key}": str(value) for key, value in dynamics.items()}
    return (
        "## Its steps",
        "",
        "It gives the next state of a trajectory; `hypermagnetics.models.rollout` makes several.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in rows.items()),
        "",
    )


def _trusted_array(model: ArrayModel) -> str:
    if model.inputs.parameters:
        return (
            "Close to these values of the parameters: Fisher information is of one point. hm-eval "
            "says how much of it the summaries keep, and how to estimate the parameters from them."
        )
    return "Within the range of its inputs. Elsewhere its error is unknown, and nothing warns."


def _array_row(array: ArrayScales) -> tuple[str, ...]:
    low = min((low for low, _ in array.ranges), default=None)
    high = max((high for _, high in array.ranges), default=None)
    known = "not known" if low is None or high is None else f"{low:.4g} to {high:.4g}"
    shape = " x ".join(map(str, array.shape))
    return (array.name, shape, array.unit, known)


def usage_card(model: Model) -> str:
    """Markdown sections on the arguments of a model and its range of validity.

    Args:
        model: The model.

    Returns:
        The text, of sections of the second level.
    """
    return "\n".join(
        (
            "## What it reads",
            "",
            f"`sources`: one row for each source, {model.inputs.columns.size} columns; rows of "
            "zeros add nothing.",
            "",
            "| column | unit | range in training |",
            "|---|---|---|",
            *(f"| {' | '.join(row)} |" for row in _column_rows(model)),
            "",
            _bodies(model),
            "",
            f"`points`: one row for each point, {model.dim} coordinates [m].",
            "",
            "It gives the scalar potential phi [A] and the field H = -grad phi [A/m].",
            "",
            "## Where it can be trusted",
            "",
            *_trusted(model),
            "",
        )
    )


def _column_rows(model: Model) -> list[tuple[str, str, str]]:
    inputs = model.inputs
    columns = inputs.columns
    ranges = inputs.trained.sources if inputs.trained else ((),) * columns.size
    return [
        (name, unit, " to ".join(f"{value:.4g}" for value in seen))
        for name, unit, seen in zip(columns.names, columns.units, ranges, strict=True)
    ]


def _bodies(model: Model) -> str:
    columns = model.inputs.columns
    codes = zip(columns.bodies, columns.codes, strict=False)
    named = ", ".join(f"{name} ({code})" for name, code in codes) or ", ".join(columns.bodies)
    shared = ", ".join(f"{name} = {value:g}" for name, value in columns.constants)
    return f"Bodies: {named}{'; the same for all: ' if shared else ''}{shared}."


def _trusted(model: Model) -> list[str]:
    if model.domain is None:
        return ["The file does not say where it was trained."]
    return [
        *(f"- {known.kind}: {known}" for known in known_ranges(model.domain)),
        "",
        _OUTSIDE[model.inputs.outside],
    ]


_OUTSIDE: Mapping[Outside, str] = {
    "exact": "Pairs of source and point of which one is elsewhere are computed exactly, by the "
    "closed form of the body, under `jax.jit` and other transformations and in an export as well. "
    "`model.with_outside(...)` makes the same model with another choice.",
    "warn": "Elsewhere its error is unknown. `model.potential` and `model.field` warn there if "
    "they are called with values; under `jax.jit`, `jax.vmap` and other transformations, and in an "
    "export, nothing warns.",
    "raise": "Elsewhere it raises an error if it is called with values, and gives NaN under "
    "`jax.jit`, `jax.vmap` and other transformations, and in an export.",
    "ignore": "Elsewhere its error is unknown, and nothing warns.",
}
