"""Values of a dataset changed so that sizes and checksums agree with them."""

import hashlib
import json
import os
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import google_crc32c
import h5py
import numpy as np

from hypermagnetics.data import (
    Block,
    Compression,
    Dataset,
    DatasetWriter,
    Identity,
    SplitLayout,
    StorageFormat,
)

Edit = Callable[[np.ndarray], None]
Attack = Callable[[Path], object]
"""What is done to a dataset at a path."""

MUCH = 1 << 33
ABSURD = 10**18


def edit_manifest(directory: Path, edit: Callable[[Any], object]) -> None:
    """Change the parsed manifest, and mend the list of checksums."""
    path = directory / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    edit(manifest)
    text = json.dumps(manifest)
    path.write_text(text, encoding="utf-8")
    lines = [f"{entry[5]}  {entry[0]}\n" for entry in manifest["files"]]
    lines.append(f"{hashlib.sha256(text.encode()).hexdigest()}  manifest.json\n")
    (directory / "manifest-sha256.txt").write_text("".join(lines), encoding="utf-8")


def edit_header(path: Path, **changes: object) -> None:
    """Change the first line of a model file or a checkpoint, and mend its sha256."""
    line, arrays = path.read_bytes().split(b"\n", 1)
    path.write_bytes(hashed_model(json.dumps(json.loads(line) | changes).encode(), arrays))


def hashed_model(line: bytes, arrays: bytes) -> bytes:
    """A model file or checkpoint of these parts, with the right sha256 if the line is a table."""
    try:
        header = json.loads(line)
    except ValueError:
        return line + b"\n" + arrays
    header.pop("sha256", None)
    rest = b"," + json.dumps(header, separators=(",", ":")).encode()[1:] + b"\n" + arrays
    return b'{"sha256":"%s"' % hashlib.sha256(rest).hexdigest().encode() + rest


def mend_manifest(directory: Path, file: Path) -> None:
    """Make the manifest agree with a file that was changed."""

    def agree(manifest: Any) -> None:
        path = str(file.relative_to(directory))
        (entry,) = (entry for entry in manifest["files"] if entry[0] == path)
        data = file.read_bytes()
        entry[4:] = [len(data), hashlib.sha256(data).hexdigest()]

    edit_manifest(directory, agree)


def change_values(directory: Path, split: str, array: str, edit: Edit) -> None:
    """Edit what the first shard holds of an array, and mend the manifest.

    Args:
        directory: The dataset.
        split: Name of the split.
        array: Name of the array.
        edit: Changes the values in place.
    """
    dataset = Dataset.open(directory)
    layout = dataset.split(split).layout
    if dataset.manifest.storage_format == "hdf5":
        file = directory / split / "shard-00000.h5"
        with h5py.File(file, "r+") as opened:
            values = opened[array][:]
            edit(values)
            opened[array][:] = values
    else:
        spec = layout.array(array)  # type: ignore[arg-type]
        inner = ["0"] * (len(spec.shape) - 1)
        file = directory.joinpath(f"{split}.zarr", array, "c", "0", *inner)
        shape = (len(layout.rows(spec.name, layout.shard(0))), *spec.shape[1:])
        mapped = np.memmap(file, spec.dtype, "r+", shape=shape)
        edit(mapped)
        mapped.flush()
    mend_manifest(directory, file)


def random_blocks(layout: SplitLayout, seed: int = 0) -> list[Block]:
    """Values for every block of a split, drawn at random, with padding as the format asks."""
    random = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return random.normal(size=shape).astype(np.float32)

    shared, made = normal(layout.num_points, layout.dim), []
    for index in range(layout.num_blocks):
        size = len(layout.block_samples(index))
        counts = random.integers(1, layout.max_sources + 1, size).astype(np.int32)
        is_source = np.arange(layout.max_sources) < counts[:, None]
        sources = normal(size, layout.max_sources, layout.source_size) * is_source[..., None]
        grid = shared if layout.shared_grid else normal(layout.num_points, layout.dim)
        labels = normal(size, layout.num_points), normal(size, layout.num_points, layout.dim)
        made.append(Block(sources, counts, grid, *labels))
    return made


def write_dataset(
    directory: Path,
    splits: Mapping[str, tuple[SplitLayout, Sequence[Block]]],
    storage_format: StorageFormat = "zarr",
    compression: Compression = "none",
    backwards: bool = False,
) -> Dataset:
    """Write the given blocks, the last shard first if `backwards`, and open what was written."""
    source_size = next(iter(splits.values()))[0].source_size
    identity = Identity(
        title="A test",
        bodies={"dipole": 0},
        constants={},
        columns=tuple(f"column_{i}" for i in range(source_size)),
        column_units=("m",) * source_size,
        seed=0,
        storage_format=storage_format,
        compression=compression,
        recipe={},
        splits={name: layout for name, (layout, _) in splits.items()},
        software={},
    )
    shards = [(name, shard) for name, (layout, _) in splits.items() for shard in layout.shards()]
    with DatasetWriter.open(directory, identity) as writer:
        for name, shard in reversed(shards) if backwards else shards:
            with writer.shard(name, shard) as sink:
                for index in range(shard.first_block, shard.first_block + shard.num_blocks):
                    sink.append(splits[name][1][index])
        writer.write_metadata()
        writer.finish()
    return Dataset.open(directory)


def edit_json(directory: Path, path: str, edit: Callable[[Any], object]) -> None:
    """Change a file of metadata, and mend the manifest."""
    file = directory / path
    content = json.loads(file.read_text(encoding="utf-8"))
    edit(content)
    rewrite(directory, path, json.dumps(content).encode())


def rewrite(directory: Path, path: str, content: bytes) -> None:
    """Replace a file, and mend the manifest."""
    (directory / path).write_bytes(content)
    mend_manifest(directory, directory / path)


def edit_hdf5(directory: Path, path: str, edit: Callable[[h5py.File], object]) -> None:
    """Change a file of HDF5 by its library, and mend the manifest."""
    with h5py.File(directory / path, "r+") as file:
        edit(file)
    mend_manifest(directory, directory / path)


def zstd_zeros(promised: int, held: int) -> bytes:
    """A small zstd frame of very many zeros, whose header promises a size (RFC 8878, 3.1.1)."""
    largest = 1 << 17
    blocks = [(min(largest, held - start) << 3) | 2 for start in range(0, held, largest)]
    blocks[-1] |= 1
    head = b"\x28\xb5\x2f\xfd\xe0" + promised.to_bytes(8, "little")
    return head + b"".join(block.to_bytes(3, "little") + b"\0" for block in blocks)


def zarr_shard(chunk: bytes) -> bytes:
    """A shard of one chunk, with its index."""
    index = struct.pack("<QQ", 0, len(chunk))
    return chunk + index + struct.pack("<I", google_crc32c.value(index))


def metadata(**changes: object) -> Attack:
    """An array's zarr.json with other keys."""
    path = "train.zarr/potential/zarr.json"
    return lambda data: edit_json(data, path, lambda content: content.update(changes))


def written(path: str, content: bytes) -> Attack:
    """A file of metadata that is something else."""
    return lambda data: rewrite(data, path, content)


def replaced(make: Callable[[h5py.File], object]) -> Attack:
    """The potential of a shard taken out, and something else put there."""

    def edit(file: h5py.File) -> None:
        del file["potential"]
        make(file)

    return lambda data: edit_hdf5(data, "train/shard-00001.h5", edit)


def virtual(file: h5py.File) -> None:
    """The potential as a view of a file outside."""
    layout = h5py.VirtualLayout((8, 24), "f4")
    layout[:] = h5py.VirtualSource("../../canary.h5", "potential", (8, 24))
    file.create_virtual_dataset("potential", layout)


def dataset(**options: Any) -> Attack:
    """A potential of the right type and shape, stored otherwise, if nothing else is said."""
    wanted = {"shape": (8, 24), "dtype": "f4", **options}
    return replaced(lambda file: file.create_dataset("potential", **wanted))


DEEP = b"[" * 200_000
CANARY = [("../../canary.raw", 0, 768)]
ZARR_ATTACKS: dict[str, tuple[Attack, str]] = {
    "version 2": (metadata(zarr_format=2), "'zarr_format' must be 3; got 2"),
    "objects": (metadata(data_type="object"), "'data_type' must be"),
    "pickles": (metadata(codecs=[{"name": "numcodecs.pickle"}]), "'codecs' must be"),
    "absurd shape": (metadata(shape=[ABSURD, ABSURD]), "'shape' must be"),
    "transformers": (metadata(storage_transformers=[{"name": "url"}]), "'storage_transformers'"),
    "other key": (metadata(url="file:///etc/passwd"), "must have no keys but"),
    "other node": (metadata(node_type="group"), "'node_type' must be"),
    "nested": (written("train.zarr/potential/zarr.json", DEEP), "must be JSON; got"),
    "nested group": (written("train.zarr/zarr.json", DEEP), "must be JSON; got"),
    "list": (written("train.zarr/zarr.json", b"[]"), "must be a table; got list"),
    "bytes": (written("train.zarr/zarr.json", b"\xff\xfe"), "must be JSON; got"),
    "long": (written("train.zarr/zarr.json", b" " * (2 << 20)), "must be below"),
}
HDF5_ATTACKS: dict[str, tuple[Attack, str]] = {
    "external link": (
        replaced(lambda f: f.__setitem__("potential", h5py.ExternalLink("../../canary.h5", "x"))),
        "itself; got ExternalLink",
    ),
    "soft link": (
        replaced(lambda f: f.__setitem__("potential", h5py.SoftLink("/field"))),
        "itself; got SoftLink",
    ),
    "group": (replaced(lambda f: f.create_group("potential")), "'potential' itself; got"),
    "external storage": (dataset(external=CANARY), "external storage"),
    "virtual": (replaced(virtual), "virtual"),
    "objects": (dataset(dtype=h5py.string_dtype()), "must be float32 [8, 24]"),
    "absurd shape": (dataset(shape=(ABSURD, 9), chunks=(8, 9)), "must be float32 [8, 24]"),
    "never written": (dataset(), "absent storage"),
    "chunks": (dataset(data=np.ones((8, 24), "f4"), chunks=(1, 24)), "chunked"),
    "gzip": (dataset(data=np.ones((8, 24), "f4"), compression="gzip"), "chunked"),
    "no HDF5": (written("train/shard-00001.h5", bytes(4096)), "must be an HDF5 file; got"),
}


def resized(manifest: Any) -> None:
    """More samples than there are atoms."""
    manifest["splits"]["train"]["layout"]["num_samples"] = ABSURD


MANIFEST_ATTACKS: dict[str, tuple[Attack, str]] = {
    "absurd": (lambda data: edit_manifest(data, resized), "less than or equal to"),
    "upwards": (
        lambda data: edit_manifest(data, lambda m: m["files"][7].__setitem__(0, "../../secret")),
        "relative path without '..'",
    ),
    "absolute": (
        lambda data: edit_manifest(data, lambda m: m["files"][7].__setitem__(0, "/etc/passwd")),
        "relative path without '..'",
    ),
    "split upwards": (
        lambda data: edit_manifest(data, lambda m: m["splits"].update({"..": {}})),
        "rule M3",
    ),
    "nested": (lambda data: (data / "manifest.json").write_bytes(DEEP), "must be JSON"),
    "nested recipe": (
        lambda data: (data / "manifest.json").write_bytes(b'{"recipe":' + b'{"a":' * 99_999),
        "must be JSON",
    ),
    "sparse": (lambda data: os.truncate(data / "manifest.json", MUCH), "must be a file of at most"),
}


MANIFEST_EDITS: dict[str, Callable[[Any], object]] = {
    "title": lambda m: m.update(title="Another"),
    "seed": lambda m: m.update(seed=41),
    "recipe": lambda m: m["recipe"].update(seed=41),
    "columns": lambda m: m.update(columns=m["columns"][::-1]),
    "units": lambda m: m.update(column_units=["A m", "A m", "mm", "mm"]),
    "statistics": lambda m: m["splits"]["train"]["arrays"]["field"]["statistics"].update(
        std=[9.0, 9.0]
    ),
}


def link_away(data: Path, name: str) -> None:
    """Move something out of the dataset, and put a link to it there."""
    outside = data.parent / "outside"
    (data / name).rename(outside)
    (data / name).symlink_to(outside)


def put_pipe(data: Path, name: str) -> None:
    """A file that never ends."""
    (data / name).unlink()
    os.mkfifo(data / name)
