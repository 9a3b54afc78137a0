"""Trajectories of states: one file of all samples, or one file of each by a pattern."""

from pathlib import Path

from hypermagnetics.data.array_import import Arrays
from hypermagnetics.data.boundary import Boundary
from hypermagnetics.data.map_pattern import MapPattern, is_pattern
from hypermagnetics.data.npy_file import NpyFile, read_npy, read_npy_header, refusal
from hypermagnetics.data.npy_maps import NpyMaps, PatternFiles
from hypermagnetics.data.trajectories import STATES, states_declaration

_ONE = "(states, channels, *spatial) with 1 to 3 spatial axes, or (states, components)"
_ALL = (
    "(samples, states, channels, *spatial) with 1 to 3 spatial axes, or (samples, states, "
    "components)"
)
_AXES = (2, 3, 4, 5)
"""Numbers of axes of a trajectory."""
_OF_COMPONENTS = 2


def trajectories_of_states(
    path: Path, time_step: float, boundary: Boundary | None = None
) -> Arrays:
    """Check files of trajectories, whose states have one distance in time.

    Args:
        path: A file (samples, states, channels, *spatial) or (samples, states, components); or a
            pattern of files of one trajectory each, without the axis of samples, whose words name
            the samples. These are in the order of their words, character by character.
        time_step: Time between two states, above 0, in the unit of the user.
        boundary: Boundary of the box of states with spatial axes; None to say nothing of it.

    Returns:
        The files.

    Raises:
        DatasetError: If a file is unsound, is of no trajectories, has fewer than two states or
            another shape than the others, the pattern does not match, or a boundary is that of
            components.
    """
    files: NpyFile | NpyMaps
    if is_pattern(path):
        of_pattern = _read_pattern(MapPattern.of(path, "--states"))
        files, shape = NpyMaps((of_pattern,)), of_pattern.shape
    else:
        files = read_npy(path)
        shape = files.shape[1:]
        if len(shape) not in _AXES:
            repair = "Save an array with a trajectory for each sample, channels behind the time."
            raise refusal(f"States must have shape {_ALL}", list(files.shape), path, repair)
    if shape[0] < 2:
        rule = "A trajectory must have at least 2 states, a step apart"
        raise refusal(rule, shape[0], path, "Move the axis of time before that of the channels.")
    if boundary is not None and len(shape) == _OF_COMPONENTS:
        rule = "States beside --boundary must have spatial axes, behind that of channels"
        repair = "Leave --boundary out, or give a single channel an axis of its own."
        raise refusal(rule, f"{shape[1]} components", path, repair)
    declared = states_declaration(shape[0], shape[1:])
    return Arrays({STATES: files}, (declared,), boundary=boundary, time_step=time_step)


def _read_pattern(pattern: MapPattern) -> PatternFiles:
    """Read the headers of the files of a pattern: trajectories of one length and shape."""
    words = sorted(pattern.words())
    if not words:
        raise pattern.matches_nothing
    first, *others = files = [read_npy_header(pattern.path_of(word)) for word in words]
    for file in files:
        _refuse_no_trajectory(file)
    for file in others:
        _refuse_another_shape(file, first)
    return PatternFiles(pattern, tuple(files), channel_axis=1)


def _refuse_no_trajectory(file: NpyFile) -> None:
    if len(file.shape) not in _AXES or min(file.shape) < 1:
        rule = f"A file of a pattern must be a trajectory, {_ONE}, none of length 0"
        repair = "Save each trajectory in a file of its own, channels behind the time."
        raise refusal(rule, list(file.shape), file.path, repair)


def _refuse_another_shape(file: NpyFile, first: NpyFile) -> None:
    where = f"{file.path} and {first.path}"
    if file.shape[1:] != first.shape[1:]:
        got = f"{list(file.shape)} and {list(first.shape)}"
        repair = "Take it out, or bring all to one shape."
        raise refusal("Trajectories of a pattern must have states of one shape", got, where, repair)
    if file.shape[0] != first.shape[0]:
        rule = "Trajectories of a pattern must have equal numbers of states"
        got = f"{file.shape[0]} and {first.shape[0]}"
        repair = "Cut them to one length, or import those of each length by themselves."
        raise refusal(rule, got, where, repair)
