"""Compressed datasets: other software reads them, and no frame, chunk or codec is trusted."""

import random
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google_crc32c
import h5py
import numpy as np
import pytest
import xarray
import zarr
from mending import mend_manifest, random_blocks, write_dataset
from program_runs import TIMEOUT

from hypermagnetics.data import Dataset, SplitLayout, StorageFormat, verify_split
from hypermagnetics.data.layout import SOURCE_ARRAYS
from hypermagnetics.data.rows import encode
from hypermagnetics.errors import DatasetError

LAYOUT = SplitLayout(
    num_samples=45,
    samples_per_grid=8,
    samples_per_shard=16,
    shared_grid=False,
    num_points=24,
    max_sources=3,
    source_size=4,
    dim=2,
)
BLOCKS = random_blocks(LAYOUT)
POTENTIAL = np.concatenate([block.potential for block in BLOCKS])
FORMATS: tuple[StorageFormat, ...] = ("zarr", "hdf5")
SHARDS = {"zarr": "train.zarr/potential/c/0/0", "hdf5": "train/shard-00000.h5"}
GOOD = [encode(block.potential, 8) for block in BLOCKS[:2]]
MAGIC = b"\x28\xb5\x2f\xfd"
CHUNK_BYTES = 8 * 24 * 4


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A dataset of each kind, not to be changed."""
    root, splits = tmp_path_factory.mktemp("kinds"), {"train": (LAYOUT, BLOCKS)}
    for storage_format in FORMATS:
        write_dataset(root / f"{storage_format}-none", splits, storage_format, "none")
        write_dataset(root / f"{storage_format}-zstd", splits, storage_format, "zstd")
    return {path.name: path for path in root.iterdir()}


def assert_refused(directory: Path, rule: str) -> None:
    with pytest.raises(DatasetError, match=rf"rule {rule}\)"):
        Dataset.open(directory).split("train").block(0)


@pytest.mark.slow
@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_other_software_reads_zarr(sources: dict[str, Path], compression: str) -> None:
    group = sources[f"zarr-{compression}"] / "train.zarr"
    np.testing.assert_array_equal(zarr.open_group(group, mode="r")["potential"][:], POTENTIAL)
    with xarray.open_zarr(group, consolidated=False) as opened:
        np.testing.assert_array_equal(opened["potential"].values, POTENTIAL)
    tensorstore = pytest.importorskip("tensorstore")
    kvstore = {"driver": "file", "path": str(group / "potential")}
    opened = tensorstore.open({"driver": "zarr3", "kvstore": kvstore}).result()
    np.testing.assert_array_equal(opened.read().result(), POTENTIAL)


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_other_software_reads_hdf5(sources: dict[str, Path], compression: str) -> None:
    pytest.importorskip("hdf5plugin")
    for number in range(LAYOUT.num_shards):
        path = sources[f"hdf5-{compression}"] / f"train/shard-{number:05d}.h5"
        with h5py.File(path, "r") as file:
            expected = POTENTIAL[16 * number : 16 * (number + 1)]
            np.testing.assert_array_equal(file["potential"][:], expected)


def test_compression_changes_no_value(sources: dict[str, Path]) -> None:
    for directory in sources.values():
        split = Dataset.open(directory).split("train")
        verify_split(split)
        for found, expected in zip(split.read(range(6)), BLOCKS, strict=True):
            for name in SOURCE_ARRAYS:
                np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def bomb(size: int, header: bytes) -> bytes:
    """A frame of so many zeros in blocks that say only how long they are."""
    last = 1 << 17
    full, rest = divmod(size, last)
    lengths = [last] * full + [rest] * bool(rest)
    blocks = [(length << 3 | 2).to_bytes(3, "little") + b"\0" for length in lengths]
    blocks[-1] = (lengths[-1] << 3 | 3).to_bytes(3, "little") + b"\0"
    return MAGIC + header + b"".join(blocks)


def promise(size: int) -> bytes:
    """The header of a frame that says its size in 8 bytes."""
    return b"\xc0\x50" + size.to_bytes(8, "little")


UNKNOWN = b"\x00\x50"
"""The header of a frame that leaves its size open."""
GIGABYTES = 1 << 32
FRAMES = {
    "more rows": encode(POTENTIAL[:9], 9),
    "fewer rows": encode(POTENTIAL[:7], 7),
    "promises 2^40 bytes": bomb(CHUNK_BYTES, promise(2**40)),
    "holds more than it promises": bomb(GIGABYTES, promise(CHUNK_BYTES)),
    "holds less than it promises": bomb(CHUNK_BYTES - 4, promise(CHUNK_BYTES)),
    "bomb": bomb(GIGABYTES, promise(GIGABYTES)),
    "bomb of unknown size": bomb(GIGABYTES, UNKNOWN),
    "bomb behind a good frame": GOOD[0] + bomb(GIGABYTES, promise(GIGABYTES)),
    "unknown bomb behind a good frame": GOOD[0] + bomb(GIGABYTES, UNKNOWN),
    "two halves": encode(POTENTIAL[:4], 4) + encode(POTENTIAL[4:8], 4),
    "two frames": GOOD[0] + GOOD[1],
    "with a dictionary": MAGIC + bytes([GOOD[0][4] | 1, 7]) + GOOD[0][5:],
    "cut off": GOOD[0][:-5],
    "garbage behind": GOOD[0] + b"garbage",
    "no frame": bytes(50),
    "one byte": b"\x28",
}


def index(lengths: list[int], offsets: list[int]) -> bytes:
    """That of a sharded array of Zarr."""
    entries = b"".join(struct.pack("<QQ", *entry) for entry in zip(offsets, lengths, strict=True))
    return entries + struct.pack("<I", google_crc32c.value(entries))


def put_frame(directory: Path, storage_format: StorageFormat, frame: bytes) -> None:
    """Make a frame the first chunk of the potential, in a dataset that agrees with it."""
    path = directory / SHARDS[storage_format]
    if storage_format == "zarr":
        lengths = [len(frame), len(GOOD[1])]
        path.write_bytes(frame + GOOD[1] + index(lengths, [0, len(frame)]))
    else:
        with h5py.File(path, "r+") as file:
            file["potential"].id.write_direct_chunk((0, 0), frame)
    mend_manifest(directory, path)


@pytest.mark.slow
@pytest.mark.parametrize("storage_format", FORMATS)
def test_hostile_frames_are_refused_in_little_memory(
    tmp_path: Path, sources: dict[str, Path], storage_format: StorageFormat
) -> None:
    """Sizes and checksums agree; what was not given memory beforehand is not decoded."""
    for name, frame in {**FRAMES, "good": GOOD[0]}.items():
        copy = shutil.copytree(sources[f"{storage_format}-zstd"], tmp_path / name)
        put_frame(Path(copy), storage_format, frame)
    program = """if True:
        import resource, sys
        from pathlib import Path
        from hypermagnetics.data import Dataset
        from hypermagnetics.errors import DatasetError
        Dataset.open(Path(sys.argv[1]) / "good").split("train")[:]
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + (1 << 29)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for path in sorted(Path(sys.argv[1]).iterdir()):
            try:
                Dataset.open(path).split("train").block(0)
                print(path.name, "accepted", sep=": ")
            except DatasetError as error:
                print(path.name, str(error).split("rule ")[1][:2], sep=": ")
    """
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr
    found = dict(line.split(": ") for line in done.stdout.splitlines())
    assert found == dict.fromkeys(FRAMES, "C1") | {"good": "accepted"}


LENGTHS = [len(frame) for frame in GOOD]
INDICES = {
    "swapped": (LENGTHS[::-1], [LENGTHS[0], 0]),
    "overlapping": (LENGTHS, [0, 0]),
    "a gap": ([LENGTHS[0] - 1, LENGTHS[1]], [0, LENGTHS[0]]),
    "beyond the end": ([LENGTHS[0], LENGTHS[1] + 1], [0, LENGTHS[0]]),
    "missing": ([LENGTHS[0], 2**64 - 1], [0, 2**64 - 1]),
    "wraps around": ([2**64 - 1, sum(LENGTHS) + 1], [0, 2**64 - 1]),
    "too few": ([sum(LENGTHS)], [0]),
    "too many": ([*LENGTHS, 0], [0, LENGTHS[0], sum(LENGTHS)]),
}


@pytest.mark.parametrize("case", INDICES)
def test_another_index_of_zarr_is_refused(
    tmp_path: Path, sources: dict[str, Path], case: str
) -> None:
    copy = Path(shutil.copytree(sources["zarr-zstd"], tmp_path / "data"))
    path = copy / SHARDS["zarr"]
    path.write_bytes(b"".join(GOOD) + index(*INDICES[case]))
    mend_manifest(copy, path)
    assert_refused(copy, "Z2")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["zarr-none", "zarr-zstd", "hdf5-none", "hdf5-zstd"])
def test_one_bit_is_an_error_or_no_difference(
    tmp_path: Path, sources: dict[str, Path], kind: str
) -> None:
    """Every value of a compressed file is under a checksum; no other exception comes of any bit."""
    copy = Path(shutil.copytree(sources[kind], tmp_path / "data"))
    path, draw = copy / SHARDS[kind.split("-")[0]], random.Random(kind)
    content = path.read_bytes()
    for position in draw.sample(range(len(content)), 80):
        changed = bytearray(content)
        changed[position] ^= 1 << draw.randrange(8)
        path.with_name("new").write_bytes(changed)
        path.with_name("new").replace(path)
        split = Dataset.open(copy).split("train")
        with pytest.raises(DatasetError, match="rule D5"):
            verify_split(split)
        try:
            found = split.block(0)
        except DatasetError:
            continue
        if kind.endswith("zstd"):
            np.testing.assert_array_equal(found.potential, BLOCKS[0].potential)


def chunked(filters: dict[str, Any], rows: int = 8) -> Callable[[h5py.File], None]:
    """Store the potential in chunks of its own."""

    def change(file: h5py.File) -> None:
        values = POTENTIAL[:16]
        del file["potential"]
        file.create_dataset("potential", data=values, chunks=(rows, 24), **filters)

    return change


def contiguous(file: h5py.File) -> None:
    del file["potential"]
    file["potential"] = POTENTIAL[:16]


def unfiltered(file: h5py.File) -> None:
    file["potential"].id.write_direct_chunk((0, 0), BLOCKS[0].potential.tobytes(), 1)


def empty(file: h5py.File) -> None:
    """The dataset as it was, with no chunk written."""
    properties = file["potential"].id.get_create_plist()
    del file["potential"]
    space, kind = h5py.h5s.create_simple((16, 24)), h5py.h5t.py_create(np.dtype("<f4"))
    h5py.h5d.create(file.id, b"potential", kind, space, properties)


ZSTD = {"compression": 32015, "compression_opts": (3,)}
STORAGES: dict[str, tuple[str, Callable[[h5py.File], None]]] = {
    "gzip": ("zstd", chunked({"compression": "gzip"})),
    "no filter": ("zstd", chunked({})),
    "two filters": ("zstd", chunked({"shuffle": True, **ZSTD})),
    "checksum too": ("zstd", chunked({"fletcher32": True, **ZSTD})),
    "other chunks": ("zstd", chunked(ZSTD, rows=4)),
    "a large chunk": ("zstd", chunked(ZSTD, rows=16)),
    "filter left out": ("zstd", unfiltered),
    "no chunks": ("zstd", empty),
    "contiguous": ("zstd", contiguous),
    "compressed": ("none", chunked(ZSTD)),
    "chunked": ("none", chunked({})),
}


@pytest.mark.slow_cases
@pytest.mark.parametrize("case", STORAGES)
def test_another_storage_of_hdf5_is_refused(
    tmp_path: Path, sources: dict[str, Path], case: str
) -> None:
    pytest.importorskip("hdf5plugin")
    compression, change = STORAGES[case]
    copy = Path(shutil.copytree(sources[f"hdf5-{compression}"], tmp_path / "data"))
    path = copy / SHARDS["hdf5"]
    with h5py.File(path, "r+") as file:
        change(file)
    mend_manifest(copy, path)
    assert_refused(copy, "H4")
