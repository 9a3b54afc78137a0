"""The dataset card: the README.md of a dataset."""

import json
from textwrap import indent

from hypermagnetics.data.layout import AnyLayout, DeclaredArray, SplitLayout
from hypermagnetics.data.manifest import Manifest
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
            f"| {' | '.join(header := split_header(manifest))} |",
            f"|---|{'--:|' * (len(header) - 1)}",
            *(f"| {' | '.join(row)} |" for row in split_rows(manifest)),
            "",
            "## Arrays of each split",
            "",
            "| array | dimensions | unit | meaning |",
            "|---|---|---|---|",
            *_of_sources(manifest),
            *_declared(manifest),
            "",
            _labels(manifest),
            "",
            *_credits(manifest),
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


def _credits(manifest: Manifest) -> tuple[str, ...]:
    """Licence, authors and citation of the recipe, as far as it has them."""
    recipe = manifest.recipe
    authors, citation = recipe.get("authors"), recipe.get("citation")
    said = []
    if licence := recipe.get("licence"):
        said.append(f"Licence: {licence}")
    if isinstance(authors, list) and authors:
        said.append(f"Authors: {', '.join(map(str, authors))}")
    if citation:
        said.append(f"Cite as:\n\n{indent(str(citation).strip(), '    ')}")
    paragraphs = (line for text in said for line in (text, ""))
    return ("## Licence and authors", "", *paragraphs) if said else ()


def split_header(manifest: Manifest) -> list[str]:
    """Headings of the columns of `split_rows`."""
    of_sources = [] if manifest.array_layouts else ["sources each", "points"]
    return ["split", "samples", *of_sources, "blocks", "bytes"]


def split_rows(manifest: Manifest) -> list[list[str]]:
    """Name, samples, sources each, points, blocks and bytes of each split, for a table.

    Of arrays alone the sources and points are left out.
    """
    rows = []
    for name, split in manifest.splits.items():
        layout, of_sources = split.layout, []
        if isinstance(layout, SplitLayout):
            counts = split.arrays["num_sources"].statistics
            least, most = int(counts.min[0]), int(counts.max[0])
            sources = f"{least}" if least == most else f"{least} to {most}"
            of_sources = [sources, str(layout.num_points)]
        numbers = [str(layout.num_samples), *of_sources, str(layout.num_blocks)]
        rows.append([name, *numbers, in_bytes(layout.num_bytes)])
    return rows


def _of_sources(manifest: Manifest) -> tuple[str, ...]:
    if manifest.array_layouts:
        return ()
    return (
        f"| sources | sample, source, column | {', '.join(manifest.column_units)} | "
        f"{_columns(manifest)} |",
        "| num_sources | sample | | rows of `sources` in use |",
        "| grid | block, point, axis | m | points, shared by a block of samples |",
        "| potential | sample, point | A | magnetic scalar potential phi |",
        "| field | sample, point, axis | A/m | H = -grad phi |",
    )


def _declared(manifest: Manifest) -> list[str]:
    arrays = {array.name: array for split in _layouts(manifest) for array in split.declared}
    return [
        f"| {array.name} | {', '.join((array.per, *array.dimensions))} | {array.unit} | "
        f"{_meaning(array)} |"
        for array in arrays.values()
    ]


def _meaning(array: DeclaredArray) -> str:
    shape = " x ".join(map(str, array.item_shape)) or "one number"
    rows = "" if array.num_rows is None else f", of the first {array.num_rows} samples"
    return f"{shape} for each {array.per}{rows}"


def _layouts(manifest: Manifest) -> list[AnyLayout]:
    return [split.layout for split in manifest.splits.values()]


def _summary(manifest: Manifest) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in manifest.software.items())
    made = (
        f"Format version {manifest.format_version}, seed {manifest.seed}, made by {versions}. The "
        "full recipe is in manifest.json."
    )
    if manifest.array_layouts:
        return f"Arrays alone, without sources. {made}"
    dim = next(iter(manifest.source_layouts.values())).dim
    shared = "".join(f", {name} {value:g}" for name, value in manifest.constants.items())
    return (
        f"Magnetic sources in {dim} dimensions ({' and '.join(manifest.bodies)}{shared}), their "
        f"scalar potential and field. {made}"
    )


def _labels(manifest: Manifest) -> str:
    origin = manifest.recipe.get("imported")
    if isinstance(origin, dict) and manifest.array_layouts:
        return "Values were imported from the files in manifest.json and rounded to float32."
    if manifest.array_layouts:
        return (
            "States were computed in float64 on the CPU, by the physics of the recipe, and rounded "
            "to float32. `hm-data verify --recompute 0.01` computes each from the one before it."
        )
    if isinstance(origin, dict):
        return (
            f"Sources, points and labels were imported from {json.dumps(origin.get('file'))} and "
            "rounded to float32. `hm-data verify --recompute 0.01` says whether they agree."
        )
    device = manifest.label_device
    where = f" on {device.in_words}" if device else ""
    text = f"Labels were computed in float64{where} from the stored float32 sources and grid."
    if "susceptibility" in manifest.columns:
        text += (
            " They are of all bodies, whose magnetisation M = chi H + moment / volume answers to "
            "the field of all others and the applied one, without the applied field itself."
        )
    if (found := manifest.discretisation) is not None:
        text += (
            f" Of {found.samples} samples with {found.finer_cells} cells along a side in place of "
            f"{found.cells}, the field differs by {found.field_median:.2g} of it in the median, by "
            f"{found.field_p90:.2g} in the 90 % quantile."
        )
    return text


def _columns(manifest: Manifest) -> str:
    text = f"columns {', '.join(manifest.columns)}; rows past num_sources are zero"
    if "body" not in manifest.columns:
        return text
    codes = ", ".join(f"{code} {name}" for name, code in manifest.bodies.items())
    return f"{text}; body: {codes}"


def _reading(manifest: Manifest) -> tuple[str, ...]:
    split = next(iter(manifest.splits))
    reader = "array_split" if manifest.array_layouts else "split"
    ours = (
        "from hypermagnetics.data import Dataset",
        f'block = Dataset.open(".").{reader}("{split}").block(0)  # numpy arrays, mapped from disk',
    )
    if manifest.storage_format == "zarr":
        return (*ours, "", "import xarray", f'xarray.open_zarr("{split}.zarr", consolidated=False)')
    plugin = ("import hdf5plugin",) if manifest.compression == "zstd" else ()
    array = manifest.splits[split].layout.array_names[0 if manifest.array_layouts else 3]
    return (*ours, "", "import h5py", *plugin, f'h5py.File("{split}/shard-00000.h5")["{array}"]')
