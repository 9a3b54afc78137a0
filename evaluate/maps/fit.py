"""Whether a network from maps to maps fits a split."""

import equinox as eqx
import jax
import numpy as np

from hypermagnetics.data import Dataset
from hypermagnetics.data.boundary import boundary_of
from hypermagnetics.errors import RunError
from hypermagnetics.evaluate.results.array_records import ArraySubject
from hypermagnetics.models import ArrayModel, MapFrame
from hypermagnetics.models.map_data import (
    ArrayMapData,
    MapData,
    SourceMapData,
    covering_crops,
    frame_on,
    map_data,
    place_of,
    point_bodies,
    refuse_another_stride,
)
from hypermagnetics.models.map_network import frame_of

_ROUNDING = 1e-5
"""Relative difference of spacings that are the same."""


def map_data_of(record: ArraySubject, model: ArrayModel, dataset: Dataset, split: str) -> MapData:
    """The maps of a split that a network reads and gives.

    Args:
        record: The network.
        model: The network.
        dataset: The dataset.
        split: Name of the split.

    Raises:
        DatasetError: If there is no such split or array.
        RunError: If the network is of imported arrays, and the dataset of sources, or the reverse.
    """
    kinds = {True: "sources", False: "imported arrays"}
    is_of_sources = frame_of(model.inputs).inputs != ("inputs",)
    if dataset.has_sources != is_of_sources:
        raise RunError(
            f"A network of maps of {kinds[is_of_sources]} must be evaluated on such maps; got "
            f"{kinds[dataset.has_sources]} ({record.place}, split {split!r} of "
            f"{dataset.directory}). Evaluate it on a dataset like the one it was trained on."
        )
    return map_data(dataset, split, model.inputs.input.name, model.inputs.target.name)


def refuse_other_maps(
    record: ArraySubject, model: ArrayModel, dataset: Dataset, data: MapData
) -> None:
    """Refuse a split whose maps are others than those of the training.

    Args:
        record: The network.
        model: The network.
        dataset: The dataset.
        data: The split.

    Raises:
        DatasetError: If it has no maps.
        InputError: If the network takes no maps of these sides.
        RecipeError: If its grid has not the crops that the network reads.
        RunError: If channels, points, spacing or boundary are others.
    """
    frame = frame_of(model.inputs)
    place = f"{record.place}, {place_of(data)}"
    if isinstance(data, ArrayMapData):
        for role, side in (("inputs", model.inputs.input), ("targets", model.inputs.target)):
            found = data.view.viewed["inputs" if role == "inputs" else "targets"].shape
            if (found[0], len(found)) != (side.shape[0], len(side.shape)):
                raise RunError(
                    f"The {role} must have {side.shape[0]} channels and {frame.dim} axes of space; "
                    f"got shape {list(found)} each ({place}). Evaluate it on a dataset like the "
                    "one it was trained on."
                )
    grid = data.grid
    if len(grid.sides) != frame.dim:
        raise RunError(
            f"The network must be evaluated on maps of {frame.dim} axes; got {grid} ({place}). "
            "Evaluate it on a dataset like the one it was trained on."
        )
    _refuse_another_spacing(frame, data, place)
    if (boundary := boundary_of(dataset)) != frame.boundary:
        raise RunError(
            f"The network must be evaluated on {frame.boundary} maps; got {boundary} ones "
            f"({place}). Evaluate it on a dataset like the one it was trained on."
        )
    if not frame.is_cropped and grid.sides != frame.core and not model.takes_other_sides:
        sides = " x ".join(map(str, frame.core))
        raise RunError(
            f"The network must be evaluated on maps of {sides} points, as its parameters belong to "
            f"them; got {grid} ({place}). Evaluate a network of convolutions, or take such a "
            "dataset."
        )
    points = point_bodies(data.columns) if isinstance(data, SourceMapData) else ()
    if points and "magnetisation" in frame.inputs:
        raise RunError(
            "A network of the magnetisation must be evaluated on bodies with an inside; got "
            f"{', '.join(points)} ({place}). Evaluate it on another dataset."
        )
    own = frame_on(frame, grid)
    refuse_another_stride(own, grid)
    covering_crops(own, grid)
    # Its own words on maps of these sides, before any prediction.
    shape = (1, model.inputs.input.shape[0], *own.read)
    eqx.filter_eval_shape(model, jax.ShapeDtypeStruct(shape, np.float32))


def _refuse_another_spacing(frame: MapFrame, data: MapData, place: str) -> None:
    found, wanted = data.grid.spacing, frame.spacing
    if found is None or wanted is None:
        return
    if abs(found - wanted) > _ROUNDING * wanted:
        raise RunError(
            f"The points must be {wanted:.6g} m apart, as in the training, since a kernel knows "
            f"that distance; got {found:.6g} m ({place}). Evaluate it on a grid of that spacing."
        )
