"""hm-generate for notebooks and scripts."""

import gc
from pathlib import Path
from typing import Any

from hypermagnetics.config import changed_recipe
from hypermagnetics.data import Compression, Dataset, Identity, StorageFormat
from hypermagnetics.data.manifest import MANIFEST_NAME
from hypermagnetics.data.writer import destination_of
from hypermagnetics.generate import run
from hypermagnetics.generate.labels import label_device
from hypermagnetics.generate.makers import open_makers
from hypermagnetics.generate.recipes import DATASET_SCHEMA, AnyDatasetRecipe, plan_of
from hypermagnetics.log import progress
from hypermagnetics.machine import Platform


def generate(
    recipe: str | Path | AnyDatasetRecipe,
    out: str | Path,
    *,
    storage_format: StorageFormat = "zarr",
    compression: Compression = "none",
    device: Platform = "cpu",
    workers: int = 1,
    cluster: str | None = None,
    quiet: bool = True,
    **changes: Any,
) -> Dataset:
    """Make a dataset, or complete an unfinished one; if it is finished, open it.

    Args:
        recipe: The name of a shipped recipe, a .toml or .json file, or a checked recipe.
        out: The directory of the dataset, or its URL in an object store.
        storage_format: Format of the files.
        compression: Compression of the files; uncompressed ones ("none") are mapped into memory.
        device: Where labels are computed. Those of a CPU are the same bytes everywhere, those of a
            GPU may differ by a rounding.
        workers: Processes that make shards; 1 for threads in this process.
        cluster: Workers of Dask that make shards: "local:N", "tcp://HOST:PORT", or a .toml file.
        quiet: Show no progress.
        **changes: Keys of the recipe with other values. A dictionary changes the keys that it
            names, and leaves the others of its table.

    Returns:
        The dataset.

    Raises:
        RecipeError: If a key is unknown, or a value does not fit.
        DatasetError: If something else is at `out`, such as a dataset of another recipe.
        HypermagneticsError: If JAX has no such device, the disk has no room for it, a worker
            process died, or the cluster does not answer.
    """
    given = str(recipe) if isinstance(recipe, str | Path) else recipe
    parsed: AnyDatasetRecipe = changed_recipe(DATASET_SCHEMA, "dataset", given, changes)
    plan = plan_of(parsed, storage_format, compression)
    if (found := _finished(out)) and _is_of(found.manifest.identity, plan.identity, device):
        return found
    plan = plan.on(label_device(device, workers))
    with (
        open_makers(workers, cluster, device, gc.freeze) as makers,
        progress("generate", plan.num_samples, "samples", quiet=quiet) as listener,
    ):
        run.generate(plan, out, listener, makers)
    return Dataset.open(out)


def _finished(out: str | Path) -> Dataset | None:
    return Dataset.open(out) if destination_of(out).has(MANIFEST_NAME) else None


def _is_of(found: Identity, wanted: Identity, platform: Platform) -> bool:
    """Whether a dataset is the requested one, in any versions of the software.

    Labels of any device of the platform count, and those of an unknown one.
    """
    if found.label_device and found.label_device.platform != platform:
        return False
    made = {"software": wanted.software, "label_device": wanted.label_device}
    return found.model_copy(update=made) == wanted
