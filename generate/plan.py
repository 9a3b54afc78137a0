"""From a recipe to sizes: what will be made, before anything is."""

from dataclasses import dataclass
from importlib.metadata import version

from hypermagnetics.data import Identity, Shard, SplitLayout, StorageFormat
from hypermagnetics.data.layout import samples_per_shard
from hypermagnetics.errors import RecipeError
from hypermagnetics.generate.config import DatasetRecipe, RegularGrid, SplitConfig
from hypermagnetics.log import in_bytes
from hypermagnetics.sources import COLUMNS, DIM

_SOFTWARE = ("hypermagnetics", "jax", "jaxlib", "numpy", "scipy", "zarr", "h5py")
"""What decides the bytes."""

_MAX_BLOCK_BYTES = 2e9
"""Several blocks are in memory at a time, for a while in float64."""

_COLUMN_UNITS = ("A m", "A m", "m", "m")


@dataclass(frozen=True)
class Plan:
    """All that decides the bytes of a dataset."""

    recipe: DatasetRecipe
    identity: Identity

    @property
    def num_samples(self) -> int:
        """Samples of all splits."""
        return sum(layout.num_samples for layout in self.identity.splits.values())

    @property
    def num_bytes(self) -> int:
        """Bytes of the values of all splits."""
        return sum(layout.num_bytes for layout in self.identity.splits.values())

    @property
    def num_evaluations(self) -> int:
        """Pairs of source and point."""
        return sum(
            layout.num_samples * layout.max_sources * layout.num_points
            for layout in self.identity.splits.values()
        )

    def shards(self) -> list[tuple[str, Shard]]:
        """All shards in the order of work."""
        return [
            (name, shard)
            for name, layout in self.identity.splits.items()
            for shard in layout.shards()
        ]


def make_plan(recipe: DatasetRecipe, storage_format: StorageFormat) -> Plan:
    """Work out every size.

    Args:
        recipe: What to make.
        storage_format: In which format.

    Returns:
        The plan.

    Raises:
        RecipeError: If a block would not fit in memory.
    """
    splits = {name: _layout(recipe, split) for name, split in recipe.splits.items()}
    for name, layout in splits.items():
        _refuse_large_blocks(name, layout)
    identity = Identity(
        title=recipe.title,
        body=recipe.sources.body,
        radius=recipe.sources.radius,
        columns=COLUMNS,
        column_units=_COLUMN_UNITS,
        seed=recipe.seed,
        storage_format=storage_format,
        recipe=recipe.model_dump(mode="json"),
        splits=splits,
        software={name: version(name) for name in _SOFTWARE},
    )
    return Plan(recipe, identity)


def _refuse_large_blocks(split: str, layout: SplitLayout) -> None:
    size = layout.num_bytes / layout.num_samples * layout.samples_per_grid
    if size > _MAX_BLOCK_BYTES:
        raise RecipeError(
            f"A block must take at most {in_bytes(_MAX_BLOCK_BYTES)}; got {in_bytes(size)} (split "
            f"{split!r}, {layout.samples_per_grid} samples at {layout.num_points} points). Lower "
            "samples_per_grid, or the number of points."
        )


def _layout(recipe: DatasetRecipe, split: SplitConfig) -> SplitLayout:
    grid = recipe.grid
    shared = isinstance(grid, RegularGrid)
    num_points = grid.resolution**DIM if isinstance(grid, RegularGrid) else grid.num_points
    columns = len(COLUMNS)
    sample_floats = num_points * (1 + DIM) + split.num_sources * columns + 1
    per_grid = min(recipe.samples_per_grid, split.num_samples)
    grid_floats = 0 if shared else num_points * DIM / per_grid
    return SplitLayout(
        num_samples=split.num_samples,
        samples_per_grid=per_grid,
        shared_grid=shared,
        samples_per_shard=samples_per_shard(
            split.num_samples,
            per_grid,
            int(4 * (sample_floats + grid_floats)),
            recipe.storage.shard_mb * 1e6,
        ),
        max_sources=split.num_sources,
        source_size=columns,
        num_points=num_points,
        dim=DIM,
    )
