"""A dataset for Hugging Face: its files, a card, Croissant metadata, and samples in Parquet."""

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import JsonValue

from hypermagnetics.data.card import dataset_card
from hypermagnetics.data.dataset import Dataset
from hypermagnetics.data.layout import ArraySpec
from hypermagnetics.data.manifest import CARD_NAME, CHECKSUMS_NAME, MANIFEST_NAME
from hypermagnetics.data.split import AnySplit, Split
from hypermagnetics.data.verify import check_file
from hypermagnetics.errors import DatasetError
from hypermagnetics.extras import refuse_missing
from hypermagnetics.files import atomic_file, sha256_of, write_text_atomically
from hypermagnetics.log import SILENT, Listener

if TYPE_CHECKING:
    import pyarrow

SHOWN_SAMPLES = 2000
"""Most samples of each split in its Parquet file, which has whole blocks, one at least."""
_SHOWN_BYTES = 1 << 28
"""Most bytes of them, beyond the first block."""

_TAGS = ("physics", "magnetics", "scientific-machine-learning")
_SIZES = {
    10**3: "n<1K",
    10**4: "1K<n<10K",
    10**5: "10K<n<100K",
    10**6: "100K<n<1M",
    10**7: "1M<n<10M",
    10**8: "10M<n<100M",
    10**9: "100M<n<1B",
}
"""Categories of the hub, by the number of samples below which they are."""
_TERMS = ("citeAs", "column", "extract", "field", "fileObject", "recordSet", "source")
"""Words of Croissant in use."""
_CROISSANT = "http://mlcommons.org/croissant/"


def export_for_hub(dataset: Dataset, out: Path, listener: Listener = SILENT) -> None:
    """Write a directory that may be uploaded to Hugging Face as it is.

    It is the dataset itself, whose files are links to the same bytes where the file system has such
    links, with a card that the hub understands, croissant.json, and parquet/SPLIT.parquet.

    Args:
        dataset: The dataset.
        out: The directory, which must not exist.
        listener: Receives the bytes of each file.

    Raises:
        DatasetError: If a file has other bytes than the manifest says, or `out` exists.
        HypermagneticsError: If the extra `hub` is not installed.
    """
    refuse_missing("pyarrow", "An export for Hugging Face (Parquet)")
    if out.exists():
        raise DatasetError(
            f"The directory of an export must not exist; got {str(out)!r}, which does. Choose "
            "another one, or move it away."
        )
    part = out.with_name(f"{out.name}.part-{secrets.token_hex(4)}")
    part.mkdir(parents=True)
    try:
        _write(dataset, part, listener)
        part.rename(out)
    except BaseException:
        shutil.rmtree(part)
        raise


def _write(dataset: Dataset, part: Path, listener: Listener) -> None:
    for entry in dataset.manifest.files:
        check_file(dataset, entry)
        _copy(dataset.directory / entry.path, part / entry.path)
        listener.advance(entry.bytes)
    for name in (MANIFEST_NAME, CHECKSUMS_NAME):
        _copy(dataset.directory / name, part / name)
    shown = {}
    for name in dataset.splits:
        path = part / "parquet" / f"{split_name(name)}.parquet"
        shown[name] = _write_parquet(dataset.any_split(name), path)
    card = f"---\n{front_matter(dataset)}---\n\n{dataset_card(dataset.manifest)}"
    write_text_atomically(part / CARD_NAME, card)
    about = croissant(dataset, part, shown)
    write_text_atomically(part / "croissant.json", json.dumps(about, indent=2) + "\n")


def split_name(name: str) -> str:
    """The name of a split on hubs, which refuse hyphens."""
    return name.replace("-", "_")


def front_matter(dataset: Dataset) -> str:
    """The YAML that begins a card: title, licence, tags, size, and the Parquet file of each split.

    Values are written as JSON, which YAML contains.
    """
    recipe = dataset.manifest.recipe
    about: dict[str, JsonValue] = {"pretty_name": dataset.manifest.title}
    if licence := recipe.get("licence"):
        about["license"] = str(licence).lower()
    about |= {
        "tags": list(_TAGS),
        "size_categories": [_size(dataset)],
        "configs": [
            {
                "config_name": "samples",
                "data_files": [
                    {"split": split_name(name), "path": f"parquet/{split_name(name)}.parquet"}
                    for name in dataset.splits
                ],
            }
        ],
    }
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in about.items())


def croissant(
    dataset: Dataset, directory: Path, shown: Mapping[str, tuple[ArraySpec, ...]]
) -> dict[str, JsonValue]:
    """Metadata in Croissant 1.0, of the Parquet files and their columns.

    Args:
        dataset: The dataset.
        directory: Directory of the export.
        shown: Arrays in the Parquet file of each split.

    Returns:
        JSON-LD.
    """
    manifest = dataset.manifest
    authors = manifest.recipe.get("authors")
    about: dict[str, JsonValue] = {
        "@context": {
            "@language": "en",
            "@vocab": "https://schema.org/",
            "cr": _CROISSANT,
            "dct": "http://purl.org/dc/terms/",
            "sc": "https://schema.org/",
            **{term: f"cr:{term}" for term in _TERMS},
            "conformsTo": "dct:conformsTo",
            "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
            "md5": "cr:md5",
        },
        "@type": "sc:Dataset",
        "conformsTo": f"{_CROISSANT}1.0",
        "name": manifest.title,
        "description": f"{manifest.title}. The first samples of each split; the rest is in Zarr or "
        "HDF5 beside them, read by hypermagnetics.",
        "version": f"{manifest.format_version}.0.0",
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": f"{split_name(name)}.parquet",
                "name": f"{split_name(name)}.parquet",
                "contentUrl": f"parquet/{split_name(name)}.parquet",
                "encodingFormat": "application/x-parquet",
                "sha256": sha256_of(directory / "parquet" / f"{split_name(name)}.parquet"),
            }
            for name in shown
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": split_name(name),
                "name": split_name(name),
                "field": [_field(split_name(name), spec) for spec in specs],
            }
            for name, specs in shown.items()
        ],
    }
    if licence := manifest.recipe.get("licence"):
        about["license"] = str(licence)
    if isinstance(authors, list) and authors:
        about["creator"] = [{"@type": "sc:Person", "name": str(name)} for name in authors]
    if citation := manifest.recipe.get("citation"):
        about["citeAs"] = str(citation)
    return about


def _field(split: str, spec: ArraySpec) -> JsonValue:
    unit = f" [{spec.unit}]" if spec.unit else ""
    axes = ", ".join(spec.dimensions[1:]) or "one number"
    return {
        "@type": "cr:Field",
        "@id": f"{split}/{spec.name}",
        "name": spec.name,
        "description": f"{axes}{unit}",
        "dataType": "sc:Float" if spec.dtype.kind == "f" else "sc:Integer",
        "source": {
            "fileObject": {"@id": f"{split}.parquet"},
            "extract": {"column": spec.name},
        },
    }


def _size(dataset: Dataset) -> str:
    total = sum(split.layout.num_samples for split in dataset.manifest.splits.values())
    return next((name for most, name in _SIZES.items() if total < most), "n>1B")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        with atomic_file(target) as file, source.open("rb") as original:
            shutil.copyfileobj(original, file)


def _write_parquet(split: AnySplit, path: Path) -> tuple[ArraySpec, ...]:
    """Write the first samples of a split, a row each, and return the arrays that are in it."""
    import pyarrow
    import pyarrow.parquet

    layout = split.layout
    blocks = -(-min(SHOWN_SAMPLES, layout.num_samples) // layout.samples_per_block)
    blocks = min(blocks, max(_SHOWN_BYTES // layout.block_bytes, 1))
    # Arrays that some samples lack have no column.
    specs = tuple(
        spec
        for spec in layout.arrays()
        if spec.per == "block" or spec.shape[0] == layout.num_samples
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    tables = [
        pyarrow.table({spec.name: _column(split, spec, index) for spec in specs})
        for index in range(blocks)
    ]
    with atomic_file(path) as file:
        pyarrow.parquet.write_table(pyarrow.concat_tables(tables), file, compression="zstd")
    return specs


def _column(split: AnySplit, spec: ArraySpec, index: int) -> "pyarrow.Array[Any]":
    """An array of the samples of a block, as lists of lists."""
    block = split.block(index)
    values = block.values(spec.name)
    if spec.per == "block":
        count = len(split.layout.block_samples(index))
        return _nested(np.broadcast_to(values, (count, *values.shape)))
    if isinstance(split, Split) and spec.name == "sources":
        return _of_lengths(values, block.values("num_sources"))
    return _nested(values)


def _nested(values: np.ndarray) -> "pyarrow.Array[Any]":
    import pyarrow

    found = pyarrow.array(np.ascontiguousarray(values).reshape(-1))
    shape = values.shape
    for axis in range(len(shape) - 1, 0, -1):
        number = int(np.prod(shape[:axis]))
        offsets = np.arange(number + 1, dtype=np.int32) * shape[axis]
        found = pyarrow.ListArray.from_arrays(offsets, found)
    return found


def _of_lengths(values: np.ndarray, lengths: np.ndarray) -> "pyarrow.Array[Any]":
    """Lists of rows of which each sample has a number of its own."""
    import pyarrow

    used = np.arange(values.shape[1]) < lengths[:, None]
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    return pyarrow.ListArray.from_arrays(offsets, _nested(values[used]))
