"""Datasets with arrays beyond those of sources, and of arrays alone, of drawn values."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hypermagnetics.data import (
    AnyBlock,
    AnyLayout,
    ArrayBlock,
    ArrayLayout,
    Compression,
    Dataset,
    DatasetWriter,
    DeclaredArray,
    Identity,
    SplitLayout,
    StorageFormat,
    version_of,
)

INPUTS = DeclaredArray(
    name="inputs", item_shape=(3,), dimensions=("input",), components="input", unit="m"
)
TARGETS = DeclaredArray(name="targets", item_shape=(2, 4), dimensions=("channel", "cell"))
JACOBIAN = DeclaredArray(
    name="jacobian",
    item_shape=(2, 4, 3),
    dimensions=("channel", "cell", "input"),
    components="input",
)
FEW = DeclaredArray(
    name="few", item_shape=(5,), dimensions=("parameter",), components="parameter", num_rows=9
)
"""Of the first samples alone."""
OF_BLOCKS = DeclaredArray(name="of_blocks", per="block", item_shape=(2,), dimensions=("pair",))
NUMBER = DeclaredArray(name="number", item_shape=(), dimensions=())
ALL = (INPUTS, TARGETS, JACOBIAN, FEW, OF_BLOCKS, NUMBER)


def array_layout(
    declared: tuple[DeclaredArray, ...] = ALL,
    num_samples: int = 23,
    samples_per_block: int = 4,
    samples_per_shard: int = 8,
) -> ArrayLayout:
    """A split that ends in the middle of a block."""
    return ArrayLayout(
        num_samples=num_samples,
        samples_per_block=samples_per_block,
        samples_per_shard=samples_per_shard,
        declared=declared,
    )


def drawn_values(layout: AnyLayout, seed: int = 0) -> dict[str, np.ndarray]:
    """Whole declared arrays of a split, far from zero and of spreads of their own."""
    random = np.random.default_rng(seed)
    return {
        spec.name: (number + random.normal(size=spec.shape) * 2.0**number).astype(np.float32)
        for number, spec in enumerate(layout.declared_specs)
    }


def parts_of_block(
    layout: AnyLayout, values: Mapping[str, np.ndarray], block: int
) -> dict[str, np.ndarray]:
    """The parts of whole declared arrays in a block."""
    found = {}
    for spec in layout.declared_specs:
        rows = layout.block_rows(spec.name, block)
        part = values[spec.name][rows.start : rows.stop]
        found[spec.name] = part[0] if spec.per == "block" else part
    return found


def array_blocks(layout: ArrayLayout, values: Mapping[str, np.ndarray]) -> list[ArrayBlock]:
    """The blocks of a split of arrays alone."""
    return [
        ArrayBlock(len(layout.block_samples(block)), parts_of_block(layout, values, block))
        for block in range(layout.num_blocks)
    ]


def write_any(
    directory: Path,
    splits: Mapping[str, tuple[AnyLayout, Sequence[AnyBlock]]],
    storage_format: StorageFormat = "zarr",
    compression: Compression = "none",
) -> Dataset:
    """Write the blocks of splits of sources, or of arrays alone, and open what was written."""
    layouts = {name: layout for name, (layout, _) in splits.items()}
    sizes = {layout.source_size for layout in layouts.values() if isinstance(layout, SplitLayout)}
    columns = tuple(f"column_{number}" for number in range(max(sizes, default=0)))
    identity = Identity(
        format_version=version_of(layouts.values()),
        title="A test",
        bodies={"dipole": 0} if sizes else {},
        constants={},
        columns=columns,
        column_units=("m",) * len(columns),
        seed=0,
        storage_format=storage_format,
        compression=compression,
        recipe={},
        splits=layouts,
        software={},
    )
    with DatasetWriter.open(directory, identity) as writer:
        writer.write_metadata()
        for name, (layout, blocks) in splits.items():
            for shard in layout.shards():
                with writer.shard(name, shard) as sink:
                    for block in blocks[shard.first_block :][: shard.num_blocks]:
                        sink.append(block)
        writer.finish()
    return Dataset.open(directory)
