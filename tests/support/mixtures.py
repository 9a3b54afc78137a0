"""An exact model, to be made worse as a test needs, and datasets of all bodies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from hypermagnetics.data import Block, Dataset, DatasetWriter, Identity, SplitLayout
from hypermagnetics.sources import (
    BODIES,
    Body,
    Dipole,
    Disc,
    Rectangle,
    SourceColumns,
    Sphere,
    block_superposition,
    source_table,
)

DISCS = SourceColumns.of("disc", constants={"radius": 1.0})


@dataclass(frozen=True)
class Oracle:
    """The closed form of the bodies, with factors on what it predicts."""

    columns: SourceColumns = DISCS
    rank: int | None = None
    factor: float = 1.0
    """Potential and field are multiplied by it."""
    blind_below: float = field(default=-jnp.inf)
    """The prediction is NaN where x is below."""
    shapes: list[tuple[int, ...]] = field(default_factory=list, compare=False)
    """Shapes of the source tables of each trace."""

    @property
    def dim(self) -> int:
        """Of the bodies."""
        return self.columns.dim

    def block(self, sources: Array, points: Array) -> tuple[Array, Array]:
        """Potential and field of samples that share their points."""
        self.shapes.append(sources.shape)
        rows = jnp.any(sources[..., : self.dim] != 0, axis=-1).sum(axis=-1)
        potential, values = block_superposition(self.columns, sources, rows, points)
        seen = jnp.where(points[:, 0] < self.blind_below, jnp.nan, self.factor)
        return potential * seen[None], values * seen[None, :, None]


@pytest.fixture(scope="session")
def oracle() -> Callable[..., Oracle]:
    """Make an exact model; arguments make it wrong."""
    return Oracle


def _bodies_2d(random: np.random.Generator) -> list[Body]:
    moment, position = random.normal(size=(4, 2)), random.uniform(-1.5, 1.5, (4, 2))
    return [
        Rectangle(moment[0], position[0], random.uniform(0.5, 2, 2), random.uniform(-3, 3)),
        Disc(moment[1], position[1], random.uniform(0.3, 1)),
        Rectangle(moment[2], position[2], random.uniform(0.5, 2, 2)),
        Dipole(0.1 * moment[3], position[3]),
    ]


def _bodies_3d(random: np.random.Generator) -> list[Body]:
    # No cuboid: its closed form takes seconds to compile, in each of several programs.
    moment, position = random.normal(size=(4, 3)), random.uniform(-1.2, 1.2, (4, 3))
    return [
        Sphere(moment[0], position[0], random.uniform(0.5, 1)),
        Sphere(moment[1], position[1], random.uniform(0.5, 1)),
        Dipole(0.1 * moment[2], position[2]),
        Sphere(moment[3], position[3], random.uniform(0.5, 1)),
    ]


MIXTURES = {2: _bodies_2d, 3: _bodies_3d}


@dataclass(frozen=True)
class Mixture:
    """A dataset of several bodies, of sizes and rotations of their own."""

    columns: SourceColumns
    dataset: Dataset


def _block(samples: Sequence[Sequence[Body]], grid: np.ndarray) -> tuple[SourceColumns, Block]:
    """The samples in float32 with their labels; all must hold the same kinds of bodies."""
    columns, _ = source_table([body for bodies in samples for body in bodies])
    tables = [np.asarray(source_table(bodies)[1], np.float32) for bodies in samples]
    num_sources = 1 + np.arange(len(samples), dtype=np.int32) % len(tables[0])
    sources = np.stack(tables)
    sources[np.arange(sources.shape[1]) >= num_sources[:, None]] = 0
    grid = grid.astype(np.float32)
    exact = (jnp.asarray(part, jnp.float64) for part in (sources, grid))
    tables, points = exact
    labels = block_superposition(columns, tables, jnp.asarray(num_sources), points)
    return columns, Block(sources, num_sources, grid, *(np.float32(label) for label in labels))


def _written(directory: Path, columns: SourceColumns, block: Block) -> Dataset:
    samples, max_sources, source_size = block.sources.shape
    layout = SplitLayout(
        num_samples=samples,
        samples_per_grid=samples,
        shared_grid=False,
        samples_per_shard=samples,
        max_sources=max_sources,
        source_size=source_size,
        num_points=len(block.grid),
        dim=columns.dim,
    )
    identity = Identity(
        title="Bodies of all kinds",
        bodies={body: BODIES.index(body) for body in columns.bodies},
        constants=dict(columns.constants),
        columns=columns.names,
        column_units=columns.units,
        seed=0,
        storage_format="zarr",
        compression="none",
        recipe={},
        software={},
        splits={"test": layout},
    )
    with DatasetWriter.open(directory, identity) as writer:
        with writer.shard("test", layout.shard(0)) as sink:
            sink.append(block)
        writer.write_metadata()
        writer.finish()
    return Dataset.open(directory)


@pytest.fixture(scope="session", params=MIXTURES, ids=lambda dim: f"{dim}D")
def mixture(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Mixture:
    """Eight samples of one to four bodies at 40 points; not to be changed."""
    dim = request.param
    random = np.random.default_rng(dim)
    samples = [MIXTURES[dim](random) for _ in range(8)]
    columns, block = _block(samples, random.uniform(-2.5, 2.5, (40, dim)))
    directory = tmp_path_factory.mktemp("mixture") / "data"
    return Mixture(columns, _written(directory, columns, block))
