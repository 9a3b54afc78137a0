"""The dataset card: the README.md of a dataset."""

import json

from hypermagnetics.data.manifest import FORMAT_VERSION, Manifest
from hypermagnetics.log import in_bytes


def dataset_card(manifest: Manifest) -> str:
    """Markdown text on the content of a dataset, its units and its use.

    Args:
        manifest: The manifest of the dataset.

    Returns:
        The text of README.md.
    """
    return "\n".join(
        (
            f"# {manifest.title}",
            "",
            _summary(manifest),
            "",
            "| split | samples | sources each | points | blocks | bytes |",
            "|---|--:|--:|--:|--:|--:|",
            *(f"| {' | '.join(row)} |" for row in split_rows(manifest)),
            "",
            "## Arrays of each split",
            "",
            "| array | dimensions | unit | meaning |",
            "|---|---|---|---|",
            f"| sources | sample, source, column | {', '.join(manifest.column_units)} | "
            f"{_columns(manifest)} |",
            "| num_sources | sample | | rows of `sources` in use |",
            "| grid | block, point, axis | m | points, shared by a block of samples |",
            "| potential | sample, point | A | magnetic scalar potential phi |",
            "| field | sample, point, axis | A/m | H = -grad phi |",
            "",
            _labels(manifest),
            "",
            "## Reading and checking",
            "",
            "```python",
            *_reading(manifest),
            "```",
            "",
            "`sha256sum -c manifest-sha256.txt` checks every byte.",
            "",
        )
    )


def split_rows(manifest: Manifest) -> list[list[str]]:
    """Name, samples, sources each, points, blocks and bytes of each split, for a table."""
    rows = []
    for name, split in manifest.splits.items():
        layout, counts = split.layout, split.arrays["num_sources"].statistics
        least, most = int(counts.min[0]), int(counts.max[0])
        sources = f"{least}" if least == most else f"{least} to {most}"
        numbers = (layout.num_samples, sources, layout.num_points, layout.num_blocks)
        rows.append([name, *map(str, numbers), in_bytes(layout.num_bytes)])
    return rows


def _summary(manifest: Manifest) -> str:
    dim = next(iter(manifest.splits.values())).layout.dim
    shared = "".join(f", {name} {value:g}" for name, value in manifest.constants.items())
    versions = ", ".join(f"{name} {version}" for name, version in manifest.software.items())
    return (
        f"Magnetic sources in {dim} dimensions ({' and '.join(manifest.bodies)}{shared}), their "
        f"scalar potential and field. Format version {FORMAT_VERSION}, seed {manifest.seed}, made "
        f"by {versions}. The full recipe is in manifest.json."
    )


def _labels(manifest: Manifest) -> str:
    if isinstance(origin := manifest.recipe.get("imported"), dict):
        return (
            f"Sources, points and labels were imported from {json.dumps(origin.get('file'))} and "
            "rounded to float32. `hm-data verify --recompute 0.01` says whether they agree."
        )
    device = manifest.label_device
    where = f" on {device.in_words}" if device else ""
    return f"Labels were computed in float64{where} from the stored float32 sources and grid."


def _columns(manifest: Manifest) -> str:
    text = f"columns {', '.join(manifest.columns)}; rows past num_sources are zero"
    if "body" not in manifest.columns:
        return text
    codes = ", ".join(f"{code} {name}" for name, code in manifest.bodies.items())
    return f"{text}; body: {codes}"


def _reading(manifest: Manifest) -> tuple[str, ...]:
    split = next(iter(manifest.splits))
    ours = (
        "from hypermagnetics.data import Dataset",
        f'block = Dataset.open(".").split("{split}").block(0)  # numpy arrays, mapped from disk',
    )
    if manifest.storage_format == "zarr":
        return (*ours, "", "import xarray", f'xarray.open_zarr("{split}.zarr", consolidated=False)')
    plugin = ("import hdf5plugin",) if manifest.compression == "zstd" else ()
    return (*ours, "", "import h5py", *plugin, f'h5py.File("{split}/shard-00000.h5")["potential"]')
