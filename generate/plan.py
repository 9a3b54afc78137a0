"""Sizes of a dataset of sources from its recipe, before anything is made."""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import JsonValue

from hypermagnetics.data import (
    CPU,
    Block,
    Compression,
    DeclaredArray,
    Discretisation,
    GridShape,
    Identity,
    LabelDevice,
    SampleSize,
    SplitLayout,
    StorageFormat,
    version_of,
)
from hypermagnetics.data.derivatives import declaration
from hypermagnetics.data.layout import in_shards
from hypermagnetics.data.trajectories import declared_trajectories
from hypermagnetics.dynamics import Flow
from hypermagnetics.errors import RecipeError
from hypermagnetics.generate.any_plan import Plan, software
from hypermagnetics.generate.bodies import source_columns
from hypermagnetics.generate.config import (
    DatasetRecipe,
    GivenGrid,
    RegularGrid,
    SurfaceGrid,
)
from hypermagnetics.generate.feasibility import refuse_contradictions, refuse_unpackable
from hypermagnetics.generate.given_points import given_points
from hypermagnetics.generate.labels import differentiated_columns, start_block
from hypermagnetics.generate.soft_labels import discretisation, seconds_of_soft
from hypermagnetics.log import in_bytes
from hypermagnetics.sources import BODIES, Directions, SourceColumns
from hypermagnetics.sources.kinds import KINDS

_SAMPLES_PER_GRID = 256
"""Default, unless the blocks would be too large."""

_SECONDS_PER_STEP = 3e-6
"""Time of a stored step of a pair of moments, whose tolerance takes some two to four substeps."""

_BLOCK_BYTES = 64e6
"""Largest block where the recipe leaves its size open. Several blocks are in memory at a time."""

_MAX_BLOCK_BYTES = 256e6
"""Largest block that a recipe can ask for."""


@dataclass(frozen=True)
class SourcePlan(Plan):
    """All that determines the bytes of a dataset of sources."""

    recipe: DatasetRecipe
    """Recipe with every open value filled in."""
    columns: SourceColumns

    @property
    def layouts(self) -> dict[str, SplitLayout]:
        """Layouts of the splits, by name."""
        layouts = self.identity.splits.items()
        return {name: layout for name, layout in layouts if isinstance(layout, SplitLayout)}

    @property
    def num_evaluations(self) -> int:
        """Number of pairs of source and point."""
        return sum(
            layout.num_samples * layout.max_sources * layout.num_points
            for layout in self.layouts.values()
        )

    def on(self, device: LabelDevice) -> Plan:
        """The same on a device, which for soft bodies is the CPU; see `Plan`."""
        if device != CPU and self.recipe.soft is not None:
            raise RecipeError(
                "Soft bodies must be solved for on the CPU, in float64 and one sample at a time; "
                f"got {device.in_words} (device). Leave the option out."
            )
        return super().on(device)

    def discretisation(self) -> Discretisation | None:
        """Solve the first samples again with finer cells; see `Plan`."""
        split = next(iter(self.recipe.splits))
        return discretisation(self.recipe, self.columns, split, self.layouts[split])

    @property
    def seconds(self) -> float:
        """About the time that the sums and the trajectories take on two cores [s]."""
        if self.recipe.soft is not None:
            return seconds_of_soft(self.recipe, self.columns, self.layouts)
        sums = self.num_evaluations * sum(
            KINDS[body].seconds_per_pair for body in self.columns.bodies
        )
        dynamics = self.recipe.dynamics
        if not isinstance(dynamics, Flow):
            return sums
        pairs = sum(one.num_samples * one.max_sources**2 for one in self.layouts.values())
        return sums + pairs * dynamics.num_steps * _SECONDS_PER_STEP

    @property
    def less_memory(self) -> str:
        """How blocks take less memory; see `Plan`."""
        return "Lower samples_per_grid or the points of a grid, or compute on the CPU (device cpu)"

    def content_of(self, split: str) -> str:
        """The samples of a split in words; see `Plan`."""
        layout, counts = self.layouts[split], self.recipe.splits[split]
        least, most = counts.least_sources, counts.max_sources
        sources = f"{most}" if least == most else f"{least} to {most}"
        return f"{layout.num_samples} samples of {sources} sources at {layout.num_points} points"

    def start_block(self, split: str, index: int) -> Callable[[], Block]:
        """Draw sources and points, and start their sums; see `Plan`."""
        layout, device = self.layouts[split], self.identity.label_device or CPU
        return start_block(self.recipe, self.columns, split, layout, index, device)


def make_plan(
    recipe: DatasetRecipe, storage_format: StorageFormat, compression: Compression = "none"
) -> SourcePlan:
    """Compute every size, of a dataset whose labels are computed on the CPU.

    Args:
        recipe: Recipe of the dataset.
        storage_format: In which format.
        compression: And how its bytes are packed.

    Returns:
        The plan.

    Raises:
        RecipeError: If the parts of the recipe contradict each other, its sources do not fit into
            their box, its points cannot be read, or a block would not fit in memory.
    """
    is_applied = recipe.sources.applied_field is not None
    columns = source_columns(recipe.sources.body, is_applied=is_applied)
    refuse_contradictions(recipe, columns)
    recipe, num_points = _with_points(recipe, columns.dim)
    sizes = {
        name: SampleSize(num_points, columns.dim, split.max_sources, columns.size)
        for name, split in recipe.splits.items()
    }
    along = differentiated_columns(recipe, columns)
    declared = {name: _declared(recipe, columns, size, along) for name, size in sizes.items()}
    needed = [_Needed(size, declared[name]) for name, size in sizes.items()]
    recipe = _with_block_size(recipe, needed)
    blocks = {name: _layout(recipe, name, size, declared[name]) for name, size in sizes.items()}
    storage = recipe.storage.of_bytes(sum(layout.num_bytes for layout in blocks.values()))
    recipe = recipe.model_copy(update={"storage": storage})
    splits = in_shards(blocks, storage.shard_bytes)
    refuse_unpackable(recipe, columns, splits)
    identity = Identity(
        format_version=version_of(splits.values()),
        title=recipe.title,
        bodies={body: BODIES.index(body) for body in columns.bodies},
        constants=dict(columns.constants),
        columns=columns.names,
        column_units=columns.units,
        seed=recipe.seed,
        storage_format=storage_format,
        compression=compression,
        recipe=_in_manifest(recipe),
        splits=splits,
        software=software(),
        label_device=CPU,
    )
    return SourcePlan(identity, recipe, columns)


def _in_manifest(recipe: DatasetRecipe) -> dict[str, JsonValue]:
    """The recipe as a manifest has it: without later tables and keys at rest, as it was before."""
    later = ("derivatives", "soft", "dynamics")
    nothing = {name for name in later if getattr(recipe, name) is None}
    absent = nothing | recipe.without_credits
    found: dict[str, Any] = recipe.model_dump(mode="json", exclude=absent)
    sources = found["sources"]
    _leave_out(sources, {"applied_field": None})
    _leave_out(sources["position"], {"shape": "ball"})
    for body in (sources["body"], *sources["body"].get("of", ())):
        _leave_out(body, {"count": None})
        if body.get("susceptibility", 0) is None:
            _leave_out(body, {"susceptibility": None, "remanence": "none"})
    return found


def _leave_out(table: dict[str, Any], later: Mapping[str, object]) -> None:
    """Remove keys that have their default, which tables of earlier releases lack."""
    for key, default in later.items():
        if key in table and table[key] == default:
            del table[key]


def _declared(
    recipe: DatasetRecipe, columns: SourceColumns, size: SampleSize, along: tuple[str, ...]
) -> tuple[DeclaredArray, ...]:
    found: tuple[DeclaredArray, ...] = ()
    if recipe.derivatives is not None:
        parameters = Directions(columns, along, moment=1.0, length=1.0).parameters
        found = (declaration(recipe.derivatives, size, len(parameters)),)
    if recipe.dynamics is not None:
        found += declared_trajectories(size, recipe.dynamics.num_steps)
    return found


class _Needed(NamedTuple):
    """Memory that samples of a split need."""

    size: SampleSize
    declared: tuple[DeclaredArray, ...]

    def block_bytes(self, num_samples: int) -> int:
        """Bytes of a block of some samples."""
        further = sum(4 * math.prod(array.item_shape) for array in self.declared)
        return self.size.block_bytes(num_samples) + num_samples * further


def _with_points(recipe: DatasetRecipe, dim: int) -> tuple[DatasetRecipe, int]:
    """The recipe with the sha256 of a file of points, and their number."""
    grid = recipe.grid
    if isinstance(grid, RegularGrid):
        return recipe, grid.points_per_side**dim
    if not isinstance(grid, GivenGrid):
        return recipe, grid.num_points
    points, known = given_points(grid, dim)
    return recipe.model_copy(update={"grid": known}), len(points)


def _with_block_size(recipe: DatasetRecipe, sizes: Collection[_Needed]) -> DatasetRecipe:
    """The recipe with the number of samples of a block: a power of 2, suited to batches."""
    samples = recipe.samples_per_grid
    if samples is None:
        samples = 1 if isinstance(recipe.grid, SurfaceGrid) else _SAMPLES_PER_GRID
        while samples > 1 and max(size.block_bytes(samples) for size in sizes) > _BLOCK_BYTES:
            samples //= 2
    return recipe.model_copy(update={"samples_per_grid": samples})


def _refuse_large_blocks(split: str, needed: _Needed, samples: int) -> None:
    found, size = needed.block_bytes(samples), needed.size
    if found > _MAX_BLOCK_BYTES:
        samples_too = "samples_per_grid, or " if samples > 1 else ""
        raise RecipeError(
            f"A block must take at most {in_bytes(_MAX_BLOCK_BYTES)}; got {in_bytes(found)} (split "
            f"{split!r}, samples_per_grid {samples}, {size.num_points} points, "
            f"{size.max_sources} sources). Lower {samples_too}the number of points or sources."
        )


def _layout(
    recipe: DatasetRecipe, name: str, size: SampleSize, declared: tuple[DeclaredArray, ...]
) -> SplitLayout:
    assert recipe.samples_per_grid is not None, "filled in above"
    num_samples = recipe.splits[name].num_samples
    per_grid = min(recipe.samples_per_grid, num_samples)
    _refuse_large_blocks(name, _Needed(size, declared), per_grid)
    return SplitLayout(
        num_samples=num_samples,
        samples_per_grid=per_grid,
        shared_grid=isinstance(recipe.grid, RegularGrid | GivenGrid),
        grid_shape=(
            GridShape(points_per_side=recipe.grid.points_per_side, halo=recipe.grid.halo)
            if isinstance(recipe.grid, RegularGrid)
            else None
        ),
        samples_per_shard=per_grid,
        declared=declared,
        **size._asdict(),
    )
