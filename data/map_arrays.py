"""Inputs and targets with one file for each map, matched by their names."""

from collections.abc import Sequence
from pathlib import Path

from hypermagnetics.data.array_import import Arrays
from hypermagnetics.data.boundary import Boundary
from hypermagnetics.data.layout import MOST_COMPONENTS, ArrayName, DeclaredArray
from hypermagnetics.data.map_pattern import MapPattern
from hypermagnetics.data.npy_file import refusal
from hypermagnetics.data.npy_maps import NpyMaps, read_maps
from hypermagnetics.errors import DatasetError


def input_and_target_maps(
    inputs: Sequence[Path], targets: Sequence[Path], boundary: Boundary = "open"
) -> Arrays:
    """Check files of maps of inputs and targets, (channels, *spatial) with 2 or 3 spatial axes.

    The word for which the `*` of a pattern stands names the sample. Samples are in the order of
    their words, character by character. Each file is read whole, so it may be in Fortran's order.

    Args:
        inputs: Patterns of files, whose channels come one behind the other.
        targets: The same of the targets.
        boundary: Boundary of the box of all maps.

    Returns:
        The files.

    Raises:
        DatasetError: If a pattern has more than one wildcard or matches nothing, a file has no
            partner by its name, is unsound, or has another shape than the others.
    """
    given = {"inputs": inputs, "targets": targets}
    patterns = {name: tuple(map(MapPattern.of, paths)) for name, paths in given.items()}
    words = _shared_words([pattern for each in patterns.values() for pattern in each])
    maps = {
        name: NpyMaps(tuple(read_maps(pattern, words) for pattern in each))
        for name, each in patterns.items()
    }
    _refuse_other_sides(maps)
    declared = tuple(
        _declared(name, maps[name].item_shape, axis)
        for name, axis in (("inputs", "input"), ("targets", "target"))
    )
    return Arrays(maps, declared, boundary=boundary)


def _shared_words(patterns: Sequence[MapPattern]) -> list[str]:
    """Words of the files of every pattern, which must be the same."""
    found = {pattern: pattern.words() for pattern in patterns}
    for pattern, words in found.items():
        if not words:
            raise pattern.matches_nothing
    wanted = sorted(set().union(*found.values()))
    for number, word in enumerate(wanted):
        missing = [pattern for pattern, words in found.items() if word not in words]
        if missing:
            raise _without_partner(found, number, word, missing[0])
    return wanted


def _without_partner(
    found: dict[MapPattern, set[str]], number: int, word: str, pattern: MapPattern
) -> DatasetError:
    other = next(other for other, words in found.items() if word in words)
    counts = ", ".join(f"{len(words)} of {each.path}" for each, words in found.items())
    return refusal(
        "Each file must have a partner in every other pattern, with the same word in place of *",
        f"no {pattern.path_of(word)} beside {other.path_of(word)}",
        f"sample {number}, word {word!r}; there are {counts}",
        "Add the file, or take its partners out.",
    )


def _refuse_other_sides(maps: dict[ArrayName, NpyMaps]) -> None:
    first, *rest = (part for each in maps.values() for part in each.parts)
    for part in rest:
        if part.shape[1:] != first.shape[1:]:
            raise refusal(
                "All maps of a sample must have the same spatial axes, behind that of channels",
                f"{list(first.shape)} and {list(part.shape)}",
                f"{first.files[0].path} and {part.files[0].path}",
                "Bring them onto one grid, with channels on the first axis.",
            )


def _declared(name: ArrayName, item_shape: tuple[int, ...], axis: str) -> DeclaredArray:
    sides = tuple(f"axis_{i}" for i in range(len(item_shape) - 1))
    return DeclaredArray(
        name=name,
        item_shape=item_shape,
        dimensions=(axis, *sides),
        components=axis if item_shape[0] <= MOST_COMPONENTS else None,
    )
