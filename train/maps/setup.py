"""Preparation of a training from maps to maps."""

from collections.abc import Mapping, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr

from hypermagnetics.data import Crops, Dataset, Split, verify_split
from hypermagnetics.data.boundary import boundary_of
from hypermagnetics.errors import DatasetError, RecipeError
from hypermagnetics.log import Listener
from hypermagnetics.models import (
    ArrayInputs,
    ArrayModel,
    ConvConfig,
    MapFrame,
    MapInput,
    MapTarget,
    ModelInputs,
    UNetConfig,
    build_array_model,
    is_of_arrays,
)
from hypermagnetics.models.map_data import (
    MapData,
    MapGrid,
    SourceMapData,
    covering_crops,
    grid_crops,
    hidden_sources,
    map_data,
    place_of,
    point_bodies,
    refuse_another_stride,
)
from hypermagnetics.models.user import UserModel, UserModelConfig, check_user_array_model
from hypermagnetics.train.augmentation import make_augmentation
from hypermagnetics.train.config import MapConfig, ObjectiveConfig, TrainingRecipe
from hypermagnetics.train.devices import Augmentation, unchanged
from hypermagnetics.train.losses import check_point_loss
from hypermagnetics.train.maps.batches import to_maps_of_arrays, to_maps_of_sources
from hypermagnetics.train.maps.lattice import LatticeSymmetry, Vectors, on_lattice
from hypermagnetics.train.objective import make_map_objective
from hypermagnetics.train.parts import Parts
from hypermagnetics.train.refused_keys import Unused, refuse_keys
from hypermagnetics.train.terms import MapFacts
from hypermagnetics.train.user_code import UserCode
from hypermagnetics.user_code import must

_VECTORS: frozenset[MapInput | MapTarget] = frozenset(("magnetisation", "field"))
"""Maps of sources that are vectors."""


def map_parts(
    recipe: TrainingRecipe, dataset: Dataset, code: UserCode, listener: Listener
) -> Parts:
    """Prepare maps, network and objective.

    Args:
        recipe: A recipe with a table [map].
        dataset: The dataset, of sources on a regular grid, or of imported maps.
        code: Code of a user.
        listener: Receives the bytes of each file that was checked, and warnings.

    Returns:
        The parts.

    Raises:
        DatasetError: If a split does not exist, or has no maps.
        ExtensionError: If code of a user breaks a rule.
        RecipeError: If a key of the recipe means nothing for maps, or does not fit the grid or the
            network.
    """
    config, objective_config = recipe.map, recipe.objective
    if config is None:
        raise RecipeError(
            f"Model {recipe.model.name!r} must have a table [map], of the maps that it reads and "
            "gives; got none. Add [map], or take a recipe such as map-unet."
        )
    assert isinstance(objective_config, ObjectiveConfig), "its kind was looked at"
    _refuse_keys(recipe, code)
    train, valid = (
        map_data(dataset, name, recipe.data.input, recipe.data.target)
        for name in (recipe.data.train, recipe.data.valid)
    )
    grid = train.grid
    frame = _frame(recipe, config, dataset, train, grid)
    if code.model is not None and isinstance(recipe.model, UserModelConfig):
        frame = _with_pad_of_user(frame, recipe.model, code.model, train)
    inputs = train.inputs(frame)
    if valid.grid != grid:
        raise DatasetError(
            f"Training and validation must be on the same grid, {grid}; got {valid.grid} "
            f"({place_of(valid)}). Take another split."
        )
    units = {name: train.unit_of_norm(name, frame) for name in frame.targets}
    _refuse_nothing(train, units)
    _warn(frame, recipe, (train, valid), listener)
    if code.model is not None and isinstance(recipe.model, UserModelConfig):
        assert issubclass(code.model, ArrayModel), "its kind was looked at"
        check_user_array_model(code.model, recipe.model, inputs)
    for name, loss in code.losses.items():
        check_point_loss(loss, name, frame.dim, objective_config.place_of(name))
    template: ArrayModel = eqx.filter_eval_shape(
        lambda: build_array_model(recipe.model, inputs, jr.key(0), code.model)
    )
    crops = _crops(frame, recipe, grid)
    channels = frame.channels_given(inputs.target.shape[0])
    facts = MapFacts(frame, channels, units)
    objective = make_map_objective(objective_config, facts, code.losses)
    augment, prepare_valid = _changes(recipe, config, frame, train, valid, inputs)
    if recipe.data.check == "all":
        for data in (train, valid):
            found = data.data
            verify_split(found if isinstance(found, Split) else found.split, listener)
    both = train.data, valid.data
    of_valid = covering_crops(frame, grid)
    return Parts(*both, inputs, template, objective, augment, prepare_valid, crops, of_valid)


def _refuse_keys(recipe: TrainingRecipe, code: UserCode) -> None:
    if not is_of_arrays(recipe.model, code.model):
        raise RecipeError(
            "A table [map] must have a network from maps to maps; got a model of sources, "
            f"{recipe.model.name!r} (model.name). Take 'unet', 'conv' or 'fft', or remove [map]."
        )
    data, normalisation = recipe.data, recipe.normalisation
    wanted = {
        "data.points_per_step": Unused(data.points_per_step, None, "a map has all of its points"),
        "data.noise": Unused(data.noise, None, "targets belong to the stored inputs"),
        "normalisation.scales": Unused(
            normalisation.scales, "rms", "maps are in root mean squares"
        ),
        "normalisation.values": Unused(normalisation.values, "linear", "targets may be a field"),
        "normalisation.moment": Unused(normalisation.moment, "dataset", "maps have no moments"),
        "outside": Unused(recipe.outside or "exact", "exact", "a map has no points outside"),
    }
    refuse_keys(wanted, "beside a table [map]")


def _frame(
    recipe: TrainingRecipe,
    config: MapConfig,
    dataset: Dataset,
    train: MapData,
    grid: MapGrid,
) -> MapFrame:
    """The grids, of crops as the recipe has them, or of whole maps."""
    crop, model, dim = recipe.data.crop, recipe.model, len(grid.sides)
    is_of_sources = isinstance(train, SourceMapData)
    read = config.input or (("magnetisation",) if is_of_sources else ("inputs",))
    given = config.target or (("potential",) if is_of_sources else ("targets",))
    _refuse_maps_of_another_kind(recipe, read, given, train)
    boundary = boundary_of(dataset)
    if config.boundary not in (None, boundary):
        raise RecipeError(
            f"map.boundary must be that of the dataset, {boundary!r}; got {config.boundary!r} "
            f"({dataset.directory}). Leave it out, or import the maps with --boundary."
        )
    pad = 0 if crop is None else crop.pad
    if crop is None and isinstance(model, ConvConfig):
        pad = model.eaten * config.stride
    frame = MapFrame(
        inputs=read,
        targets=given,
        dim=dim,
        core=grid.sides if crop is None else (crop.size,) * dim,
        pad=pad,
        stride=config.stride,
        is_cropped=crop is not None,
        boundary=boundary,
        spacing=grid.spacing,
        subpoints=config.subpoints,
    )
    refuse_another_stride(frame, grid)
    return frame


def _refuse_maps_of_another_kind(
    recipe: TrainingRecipe,
    read: tuple[MapInput, ...],
    given: tuple[MapTarget, ...],
    train: MapData,
) -> None:
    place = place_of(train)
    names: tuple[MapInput | MapTarget, ...] = (*read, *given)
    imported = {"inputs", "targets"} & {*names}
    if isinstance(train, SourceMapData):
        for key, array in (("input", recipe.data.input), ("target", recipe.data.target)):
            if array is not None:
                raise RecipeError(
                    f"data.{key} must be left out for maps of a dataset of sources, which "
                    f"map.{key} names; got {array!r} (data.{key}, {place}). Leave it out."
                )
        if imported:
            raise RecipeError(
                "Maps of a dataset of sources must be its magnetisation, potential or field; got "
                f"{imported.pop()!r} (map, {place}). Name one of these."
            )
        points = point_bodies(train.columns)
        if "magnetisation" in names and points:
            raise RecipeError(
                "A map of the magnetisation must be of bodies with an inside; got "
                f"{', '.join(points)} ({place}). Take another map.input, or a dataset of bodies."
            )
        return
    if names != ("inputs", "targets"):
        wrong = next(name for name in names if name not in ("inputs", "targets"))
        raise RecipeError(
            "Maps of an imported dataset must be its inputs and targets, as it has no bodies; got "
            f"{wrong!r} (map, {place}). Leave map.input and map.target out."
        )


def _with_pad_of_user(
    frame: MapFrame, config: UserModelConfig, user_model: UserModel, train: MapData
) -> MapFrame:
    """The grids of whole maps with the padding that a user's network takes away.

    Raises:
        ExtensionError: If it cannot be built or called.
        RecipeError: If crops have another padding.
    """
    inputs = train.inputs(frame)
    network: ArrayModel = eqx.filter_eval_shape(
        lambda: build_array_model(config, inputs, jr.key(0), user_model)
    )
    sample = jax.ShapeDtypeStruct(inputs.input.shape, jnp.float32)
    with must(f"apply of {config.name} must take an array", user_model, "model.name"):
        found = eqx.filter_eval_shape(lambda one, values: one.apply(values), network, sample)
    shape = getattr(found, "shape", ())
    lost = {want - got for want, got in zip(inputs.target.shape[1:], shape[1:], strict=False)}
    if len(shape) != 1 + frame.dim or len(lost) != 1 or (points := lost.pop()) % 2 or not points:
        return frame  # the check of its shapes says more
    needed = frame.pad + points // 2
    if not frame.is_cropped and needed > 0:
        found = frame.on(frame.core, needed)
        refuse_another_stride(found, train.grid)
        return found
    if needed < 0:
        raise RecipeError(
            f"A network of maps must give the points of the core, "
            f"{list(inputs.target.shape[1:])}; got {-points // 2} more at each side from "
            f"{config.name} (model.name). Cut them off in apply."
        )
    raise RecipeError(
        f"Crops must have a padding of {needed} points, which {config.name} takes away at each "
        f"side; got {frame.pad} (data.crop.pad). Set data.crop.pad = {needed}."
    )


def _crops(frame: MapFrame, recipe: TrainingRecipe, grid: MapGrid) -> Crops | None:
    """The crops of a step; None for all stored points."""
    if recipe.data.crop is None:
        return covering_crops(frame, grid)
    return grid_crops(frame, grid, recipe.data.crop)


def _changes(
    recipe: TrainingRecipe,
    config: MapConfig,
    frame: MapFrame,
    train: MapData,
    valid: MapData,
    inputs: ArrayInputs,
) -> tuple[Augmentation, Augmentation]:
    """Changes of the batches of a step, and of the validation, which make the maps."""
    names = recipe.data.augment
    refused = {"rotation": "the points of a grid", "scaling": "the spacing of a grid"}
    for name in names:
        if name in refused:
            raise RecipeError(
                f"data.augment must name symmetries that keep {refused[name]}; got {name!r} beside "
                "a table [map]. Take quarter-turn, reflection, time-reversal or moment-scaling."
            )
    lattice: list[LatticeSymmetry] = [n for n in names if n in ("quarter-turn", "reflection")]
    if "quarter-turn" in lattice and len(set(frame.core)) > 1:
        raise RecipeError(
            "A quarter turn must be of maps with as many points along each axis; got "
            f"{' x '.join(map(str, frame.core))} (data.augment). Leave it out."
        )
    read, given = _vectors(config, frame, inputs, lattice)
    of_sources = tuple(name for name in names if name not in lattice)
    if isinstance(train, SourceMapData):
        assert isinstance(valid, SourceMapData), "both are splits of one dataset"
        changed = make_augmentation(
            of_sources, ModelInputs(columns=train.columns), recipe.seed, place_of(train)
        )
        before = to_maps_of_sources(train.maps(frame), changed)
        of_valid = to_maps_of_sources(valid.maps(frame), unchanged)
        return on_lattice(before, lattice, read, given, recipe.seed), of_valid
    if of_sources:
        raise RecipeError(
            "data.augment of imported maps must be quarter-turn or reflection, as nothing is known "
            f"of their sources; got {of_sources[0]!r} (data.augment). Leave it out."
        )
    plain = to_maps_of_arrays(frame)
    return on_lattice(plain, lattice, read, given, recipe.seed), plain


def _vectors(
    config: MapConfig, frame: MapFrame, inputs: ArrayInputs, lattice: list[LatticeSymmetry]
) -> tuple[Vectors, Vectors]:
    """Meaning of the channels, of inputs and targets."""
    first, second = inputs.input.shape[0], inputs.target.shape[0]
    sides: tuple[dict[MapInput, slice], dict[MapTarget, slice]] = (
        frame.channels_read(first),
        frame.channels_given(second),
    )
    is_imported = frame.inputs == ("inputs",)
    if config.vectors is not None and not is_imported:
        raise RecipeError(
            "map.vectors must be left out for a dataset of sources, whose maps are known; got "
            f"{list(config.vectors)} (map.vectors). Leave it out."
        )
    if is_imported and lattice and config.vectors is None:
        raise RecipeError(
            "map.vectors must name the arrays whose channels are the components of a vector, where "
            "data.augment turns or reflects imported maps; got none (map.vectors). Write "
            'map.vectors = [] if all channels are scalars, or for example ["inputs"].'
        )
    chosen = _VECTORS if config.vectors is None else frozenset(config.vectors)
    for name in config.vectors or ():
        count = first if name == "inputs" else second
        if count % frame.dim:
            raise RecipeError(
                "map.vectors must name inputs or targets whose channels are vectors of "
                f"{frame.dim} components, one after another; got {name!r} of {count} channels "
                "(map.vectors). Leave it out."
            )
    read, given = (
        tuple(
            part
            for name, own in side.items()
            for part in _split(own, frame, is_vector=name in chosen)
        )
        for side in sides
    )
    return read, given


def _split(channels: slice, frame: MapFrame, *, is_vector: bool) -> Vectors:
    """Channels of one map: a vector, or several after another, or scalars."""
    if not is_vector:
        return ((channels, False),)
    starts = range(channels.start, channels.stop, frame.dim)
    return tuple((slice(start, start + frame.dim), True) for start in starts)


def _warn(
    frame: MapFrame, recipe: TrainingRecipe, data: Sequence[MapData], listener: Listener
) -> None:
    """Warn where a network does not see all of the sources, or zeros that are none."""
    said = [hidden_sources(frame, one) for one in data if isinstance(one, SourceMapData)]
    if sentence := next(filter(None, said), None):
        listener.tell(sentence)
    pads = isinstance(recipe.model, UNetConfig) or (
        isinstance(recipe.model, ConvConfig) and recipe.model.padding == "same"
    )
    if pads and frame.is_cropped and frame.pad == 0:
        listener.tell(
            "Crops without padding end with zeros in the network, where the map goes on. Set "
            "data.crop.pad, such as 8."
        )


def _refuse_nothing(train: MapData, units: Mapping[MapTarget, float]) -> None:
    for name, unit in units.items():
        if not unit > 0:
            raise DatasetError(
                f"{name} must differ from zero somewhere to be learned from; got zeros only "
                f"({place_of(train)}). Train on another split or dataset."
            )
