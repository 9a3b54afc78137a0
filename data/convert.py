"""Conversion of a dataset to another format, compression or size of shards."""

from pathlib import Path

from pydantic import JsonValue

from hypermagnetics.data.dataset import Dataset
from hypermagnetics.data.layout import Compression, Shard, StorageFormat
from hypermagnetics.data.manifest import Identity, Manifest
from hypermagnetics.data.shard_threads import blocks_at_once, num_threads, shard_threads
from hypermagnetics.data.verify import verify_split
from hypermagnetics.data.writer import DatasetWriter
from hypermagnetics.log import SILENT, Listener
from hypermagnetics.waiting import as_finished


def convert(
    dataset: Dataset,
    out: Path | str,
    storage_format: StorageFormat | None = None,
    compression: Compression | None = None,
    shard_bytes: float | None = None,
    listener: Listener = SILENT,
) -> Manifest:
    """Rewrite a dataset with the same values. After an interruption, the same call goes on.

    Args:
        dataset: The source; all its bytes are checked first, so that no damage is passed on under
            new checksums.
        out: Directory of the new dataset, or its URL in an object store.
        storage_format: Format of its files; unchanged if None.
        compression: Compression of its files; unchanged if None.
        shard_bytes: Bytes of a shard before compression; unchanged if None.
        listener: Receives numbers of samples: each is checked once and written once.

    Returns:
        The manifest of the new dataset, equal to that of hm-generate with these settings.

    Raises:
        DatasetError: If the dataset is damaged, or something else is at `out`.
    """
    identity = _identity(dataset.manifest, storage_format, compression, shard_bytes)
    with DatasetWriter.open(out, identity, listener) as writer:
        splits = {name: dataset.any_split(name) for name in dataset.splits}
        for split in splits.values():
            verify_split(split)
            listener.advance(len(split))

        def write(name: str, shard: Shard) -> None:
            with writer.shard(name, shard) as sink:
                for index in range(shard.first_block, shard.first_block + shard.num_blocks):
                    sink.append(splits[name].block(index))

        largest = max(layout.block_bytes for layout in identity.splits.values())
        with shard_threads(min(num_threads(), blocks_at_once(largest))) as pool:
            tasks = {pool.submit(writer.write_metadata): 0}
            for name, layout in identity.splits.items():
                for shard in layout.shards():
                    if writer.has(name, shard):
                        listener.skip(shard.num_samples)
                        continue
                    tasks[pool.submit(write, name, shard)] = shard.num_samples
            for task in as_finished(tasks):
                task.result()
                listener.advance(tasks[task])
        return writer.finish(dataset.manifest.discretisation)


def _identity(
    manifest: Manifest,
    storage_format: StorageFormat | None,
    compression: Compression | None,
    shard_bytes: float | None,
) -> Identity:
    layouts = {name: split.layout for name, split in manifest.splits.items()}
    recipe = dict(manifest.recipe)
    if shard_bytes is not None:
        layouts = {name: layout.with_shards_of(shard_bytes) for name, layout in layouts.items()}
        storage = recipe.get("storage")
        if isinstance(storage, dict):  # recipes of imported data have none
            changed: dict[str, JsonValue] = {**storage, "shard_mb": shard_bytes / 1e6}
            recipe["storage"] = changed
    described = manifest.model_dump(
        include=set(Identity.model_fields) - {"splits", "recipe"}, mode="python"
    )
    described |= {
        "storage_format": storage_format or manifest.storage_format,
        "compression": compression or manifest.compression,
    }
    return Identity(**described, recipe=recipe, splits=layouts)
