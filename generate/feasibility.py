"""Checks that a recipe can be realised, before anything is made."""

import numpy as np

from hypermagnetics.data import SplitLayout
from hypermagnetics.dynamics import MomentDynamics
from hypermagnetics.errors import RecipeError
from hypermagnetics.generate.bodies import (
    DipoleConfig,
    MixedConfig,
    SingleConfig,
    fill_shapes,
    is_soft,
    members,
    numbers_per_source,
    source_columns,
)
from hypermagnetics.generate.config import MAX_POINTS, DatasetRecipe, RegularGrid, SurfaceGrid
from hypermagnetics.generate.draw import draw_sources
from hypermagnetics.sources import SourceColumns, body_size, uniforms
from hypermagnetics.sources.distributions import Aligned, Constant, Lattice, Packed
from hypermagnetics.sources.geometry import outer_radii, volumes
from hypermagnetics.sources.kinds import KINDS
from hypermagnetics.sources.packing import ROUNDING

_MAX_SITES = 1 << 20
"""Largest number of sites of a lattice; they are all held in memory."""

_DRAWN_BODIES = 4096
"""Number of bodies drawn to estimate their mean size, and of bodies packed for a trial."""


def refuse_contradictions(recipe: DatasetRecipe, columns: SourceColumns) -> None:
    """Refuse a recipe whose parts contradict each other.

    Args:
        recipe: Recipe of the dataset.
        columns: Columns of its source tables.

    Raises:
        RecipeError: If a sample would need more sites, room or points than there are, or a vector
            has another number of components than space has dimensions.
    """
    _refuse_wrong_vectors(recipe, columns.dim)
    _refuse_wrong_counts(recipe)
    _refuse_unsuited_softness(recipe, columns)
    _refuse_wrong_grid(recipe, columns.dim)
    position, body = recipe.sources.position, recipe.sources.body
    for key in ("share", "count"):
        if not isinstance(body, MixedConfig) and getattr(body, key) is not None:
            raise RecipeError(
                f"The {key} of a body must be absent outside a mix; got {getattr(body, key)} "
                f"(sources.body.{key}). Leave it out."
            )
    if isinstance(position, Constant):
        _refuse_common_place(recipe)
    if isinstance(position, Lattice):
        _refuse_small_lattice(recipe, position, columns.dim)
    if isinstance(position, Packed):
        _refuse_small_box(recipe, position, columns)
    if recipe.dynamics is not None:
        _refuse_unsuited_dynamics(recipe, recipe.dynamics, columns)


def refuse_unpackable(
    recipe: DatasetRecipe, columns: SourceColumns, splits: dict[str, SplitLayout]
) -> None:
    """Pack the first samples of each split for a trial.

    Args:
        recipe: Recipe of the dataset.
        columns: Columns of its source tables.
        splits: The sizes of the splits.

    Raises:
        RecipeError: If one cannot be packed.
    """
    if not isinstance(recipe.sources.position, Packed):
        return
    for name, layout in splits.items():
        count = min(_DRAWN_BODIES // layout.max_sources, layout.samples_per_grid)
        if count:
            draw_sources(recipe, columns, name, range(count))


def _refuse_wrong_vectors(recipe: DatasetRecipe, dim: int) -> None:
    given = []
    match recipe.sources.moment:
        case Aligned(direction=vector):
            given.append(("direction of the moments", "sources.moment.direction", vector))
        case Constant(value=vector):
            given.append(("constant moment", "sources.moment.value", vector))
    match recipe.sources.position:
        case Constant(value=vector):
            given.append(("constant position", "sources.position.value", vector))
    match recipe.sources.applied_field:
        case Aligned(direction=vector):
            key = "sources.applied_field.direction"
            given.append(("direction of the applied field", key, vector))
        case Constant(value=vector):
            given.append(("applied field", "sources.applied_field.value", vector))
    for what, key, vector in given:
        if len(vector) != dim:
            raise RecipeError(
                f"The {what} must have {dim} components, as the sources are in {dim} dimensions; "
                f"got {list(vector)} ({key}). Give one number for each axis."
            )


def _refuse_wrong_counts(recipe: DatasetRecipe) -> None:
    """Refuse splits that have not as many sources as the counts of a mix."""
    counts = [member.count for member in members(recipe.sources.body)]
    needed = sum(count for count in counts if count is not None)
    for name, split in recipe.splits.items():
        if split.least_sources < needed:
            raise RecipeError(
                f"A sample must have at least as many sources as the counts of its bodies, "
                f"{needed}; got {split.least_sources} (split {name!r}, sources.body.of). Raise "
                "num_sources, or lower count."
            )
        if None not in counts and split.max_sources > needed:
            raise RecipeError(
                f"A sample must have as many sources as the counts of its bodies, {needed}, where "
                f"each has one; got {split.max_sources} (split {name!r}, sources.body.of). Leave "
                "out the count of one body, or lower num_sources."
            )


def _refuse_unsuited_softness(recipe: DatasetRecipe, columns: SourceColumns) -> None:
    """Refuse keys that do not exist of soft bodies, and those that only they have."""
    bodies, applied = members(recipe.sources.body), recipe.sources.applied_field
    remanent = [
        one for one in bodies if not isinstance(one, DipoleConfig) and one.remanence == "drawn"
    ]
    for one in remanent:
        if not is_soft(one):
            raise RecipeError(
                "remanence must be left out of a hard magnet, whose moment is always drawn; got "
                f"{one.remanence!r} of a {one.kind} (sources.body). Leave it out, or give a "
                "susceptibility."
            )
    if not columns.is_soft:
        for key, is_there in (
            ("sources.applied_field", applied is not None),
            ("soft", recipe.soft is not None),
        ):
            if is_there:
                raise RecipeError(
                    f"{key} must be left out without a soft body, as nothing answers to a field; "
                    f"got one ({key}). Leave it out, or give a body a susceptibility."
                )
        return
    if recipe.soft is None:
        raise RecipeError(
            "Soft bodies must have a table [soft], the accuracy of their magnetisation; got none "
            "(soft). Write for example soft = { cells = 8 }."
        )
    if applied is None and all(is_soft(one) and one not in remanent for one in bodies):
        raise RecipeError(
            "Soft bodies must be magnetised by something; got no hard body, no remanence and no "
            "applied field (sources). Add one of them."
        )
    for key in ("derivatives", "dynamics"):
        if getattr(recipe, key) is not None:
            raise RecipeError(
                f"{key} must be left out of a dataset of soft bodies, as they are those of hard "
                f"magnets; got one ({key}). Leave it out."
            )
    most = max(split.max_sources for split in recipe.splits.values())
    if most > 1 and not isinstance(recipe.sources.position, Packed):
        raise RecipeError(
            "Soft bodies must not overlap; got positions that may lie on each other "
            f"({recipe.sources.position.distribution!r}, sources.position.distribution). Take "
            "'packed'."
        )


def _refuse_unsuited_dynamics(
    recipe: DatasetRecipe, dynamics: MomentDynamics, columns: SourceColumns
) -> None:
    """Refuse dynamics that do not exist for these bodies, or in this space."""
    bodies, dim = columns.bodies, columns.dim
    boxes = [body for body in bodies if not KINDS[body].is_dipole_outside]
    if boxes:
        raise RecipeError(
            "Moments must be those of discs, spheres or dipoles to move, whose field outside is a "
            f"dipole's, and whose own turns nothing; got a {boxes[0]}, whose shape has preferred "
            "axes (sources.body, dynamics). Take another body, or leave [dynamics] out."
        )
    if dim not in dynamics.dimensions:
        raise RecipeError(
            f"dynamics.kind {dynamics.kind!r} must have bodies in "
            f"{' or '.join(map(str, dynamics.dimensions))} dimensions; got {dim} (sources.body). "
            "Take dynamics.kind = 'damping', or spheres."
        )
    applied = dynamics.applied_field
    if applied is not None and len(applied) != dim:
        raise RecipeError(
            f"The applied field must have {dim} components, as the sources are in {dim} "
            f"dimensions; got {list(applied)} (dynamics.applied_field). Give one for each axis."
        )
    points = [body for body in bodies if KINDS[body].is_point]
    if dynamics.needs_volume and points:
        raise RecipeError(
            f"Bodies must have a volume with dynamics of kind {dynamics.kind!r}; got a {points[0]} "
            "(sources.body). Take discs or spheres."
        )
    most = max(split.max_sources for split in recipe.splits.values())
    if most > 1 and not points and not isinstance(recipe.sources.position, Packed):
        raise RecipeError(
            "Bodies whose moments move must not overlap; got positions that may lie on each other "
            f"({recipe.sources.position.distribution!r}, sources.position.distribution). Take "
            "'packed'."
        )


def _refuse_common_place(recipe: DatasetRecipe) -> None:
    for name, split in recipe.splits.items():
        if split.max_sources > 1:
            raise RecipeError(
                "A constant position must be that of one source in each sample, as several would "
                f"lie on each other; got {split.max_sources} sources (split {name!r}, "
                "sources.position.distribution 'constant'). Set num_sources to 1, or choose "
                "another distribution."
            )


def _refuse_wrong_grid(recipe: DatasetRecipe, dim: int) -> None:
    grid = recipe.grid
    if isinstance(grid, RegularGrid) and grid.points_per_side**dim > MAX_POINTS:
        raise RecipeError(
            f"A grid must have at most {MAX_POINTS} points; got {grid.points_per_side**dim} "
            f"(grid.resolution {grid.resolution}, grid.halo {grid.halo} in {dim} dimensions). "
            "Lower them."
        )
    if isinstance(grid, SurfaceGrid) and recipe.samples_per_grid not in (None, 1):
        raise RecipeError(
            "samples_per_grid must be 1 where the grid follows the surfaces of a sample's own "
            f"sources; got {recipe.samples_per_grid} (grid.kind 'surface'). Leave it out, or "
            "choose another grid."
        )


def _refuse_small_lattice(recipe: DatasetRecipe, lattice: Lattice, dim: int) -> None:
    sites = lattice.sites_per_side**dim
    if sites > _MAX_SITES:
        raise RecipeError(
            f"A lattice must have at most {_MAX_SITES} sites; got {sites} "
            f"(sources.position.sites_per_side {lattice.sites_per_side} in {dim} dimensions). "
            "Lower it."
        )
    for name, split in recipe.splits.items():
        if split.max_sources > sites:
            raise RecipeError(
                f"A lattice must have a site for each source; got {sites} sites for "
                f"{split.max_sources} sources (split {name!r}, sites_per_side "
                f"{lattice.sites_per_side}). Raise sources.position.sites_per_side, or lower "
                "num_sources."
            )


def _refuse_small_box(recipe: DatasetRecipe, packed: Packed, columns: SourceColumns) -> None:
    radius, kind = _largest(recipe.sources.body, packed)
    if not radius < packed.half_width * (1 - 2 * ROUNDING):
        raise RecipeError(
            f"Every body must fit into the box; got a {kind} of radius up to {radius:.6g}, "
            f"{'corners included' if packed.shape == 'ball' else 'at its narrowest'}, in a box of "
            f"half width {packed.half_width:g} (sources.position). Lower the size, or raise "
            "half_width."
        )
    mean = _mean_volume(recipe, columns)
    for name, split in recipe.splits.items():
        density = split.max_sources * mean / (2 * packed.half_width) ** columns.dim
        if density > 1:
            raise RecipeError(
                "The bodies of a sample must fit into the box without overlap; got "
                f"{split.max_sources} that fill {density:.3g} of the box on average (split "
                f"{name!r}). Lower num_sources or sizes, or raise sources.position.half_width."
            )


def _mean_volume(recipe: DatasetRecipe, columns: SourceColumns) -> float:
    body = recipe.sources.body
    numbers = numbers_per_source(body)
    uniform = uniforms(recipe.seed, "", "shapes", 0, 1, _DRAWN_BODIES * max(numbers, 1))
    table = np.zeros((1, _DRAWN_BODIES, columns.size), np.float32)
    fill_shapes(body, columns, uniform.reshape(1, _DRAWN_BODIES, -1), table)
    return float(volumes(columns, table[0]).mean())


def _largest(body: SingleConfig | MixedConfig, packed: Packed) -> tuple[float, str]:
    """Radius of the ball around the largest body, or in it if packed itself [m], and its kind."""
    radius_of = outer_radii if packed.shape == "ball" else body_size
    found = []
    for member in members(body):
        columns = source_columns(member)
        table = np.zeros((1, 1, columns.size), np.float32)
        # A number of 1 stands for the upper end of a range.
        fill_shapes(member, columns, np.ones((1, 1, numbers_per_source(member))), table)
        found.append((float(radius_of(columns, table[0])[0]), member.kind))
    return max(found)
