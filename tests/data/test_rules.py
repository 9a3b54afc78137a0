"""Each rule of docs/format.md is kept: some damage is refused with its name, and with no other."""

import ast
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pytest
from mending import change_values, edit_manifest, mend_manifest, random_blocks, write_dataset
from packaging_facts import ROOT

from hypermagnetics.data import Dataset, Split, SplitLayout, StorageFormat, verify_split
from hypermagnetics.data.verify import find_problems, recompute_labels
from hypermagnetics.errors import DatasetError

LAYOUT = SplitLayout(
    num_samples=20,
    samples_per_grid=4,
    samples_per_shard=8,
    shared_grid=False,
    num_points=9,
    max_sources=3,
    source_size=4,
    dim=2,
)
BLOCKS = random_blocks(LAYOUT)
CHUNK = "train.zarr/potential/c/0/0"
SHARD = "train/shard-00000.h5"
FIELD = ("splits", "train", "arrays", "field")
METADATA = "train.zarr/potential/zarr.json"


class Damage(NamedTuple):
    """A change of a dataset that breaks one rule."""

    change: Callable[[Path], object]
    storage_format: StorageFormat = "zarr"
    compressed: bool = False
    step: str = "open"
    """What refuses it: open, split, read, verify, recompute or list."""


def setting(*keys: str | int, value: object) -> Callable[[Path], None]:
    """Set one value of the manifest."""

    def put(manifest: Any) -> None:
        for key in keys[:-1]:
            manifest = manifest[key]
        manifest[keys[-1]] = value

    return lambda directory: edit_manifest(directory, put)


def rewriting(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Change the bytes of one file, and make the manifest agree with it."""

    def rewrite(directory: Path) -> None:
        path = directory / name
        path.write_bytes(change(path.read_bytes()))
        mend_manifest(directory, path)

    return rewrite


def metadata(**changes: Any) -> Callable[[Path], None]:
    """Change the zarr.json of the potential."""
    return rewriting(METADATA, lambda text: json.dumps(json.loads(text) | changes).encode())


def consolidated(content: Any) -> Callable[[Path], None]:
    """Put consolidated metadata into the group that is not that of the arrays."""
    added = {"consolidated_metadata": content}
    return rewriting(
        "train.zarr/zarr.json", lambda text: json.dumps(json.loads(text) | added).encode()
    )


def with_codecs(*codecs: Any) -> Callable[[Path], None]:
    """Let the chunks of the potential have other codecs."""
    sharding = {
        "chunk_shape": [4, 9],
        "codecs": codecs,
        "index_codecs": [LITTLE, {"name": "crc32c"}],
        "index_location": "end",
    }
    return metadata(codecs=[{"name": "sharding_indexed", "configuration": sharding}])


def in_hdf5(change: Callable[[h5py.File], None]) -> Callable[[Path], None]:
    """Change the first shard, and make the manifest agree with it."""

    def rewrite(directory: Path) -> None:
        with h5py.File(directory / SHARD, "r+") as file:
            change(file)
        mend_manifest(directory, directory / SHARD)

    return rewrite


def instead_of_potential(make: Callable[[h5py.File], object]) -> Callable[[Path], None]:
    """Put something else where the potential was."""

    def change(file: h5py.File) -> None:
        file.move("potential", "elsewhere")
        make(file)

    return in_hdf5(change)


def replaced_by(value: Any) -> Callable[[Path], None]:
    """Put a link or other values where the potential was."""
    return instead_of_potential(lambda file: file.update(potential=value))


def never_written(file: h5py.File) -> None:
    file.create_dataset("potential", (8, 9), "<f4")


def linked(name: str) -> Callable[[Path], None]:
    """Move a file or directory out of the dataset, and link to it."""

    def link(directory: Path) -> None:
        outside = directory.parent / "outside"
        (directory / name).rename(outside)
        (directory / name).symlink_to(outside)

    return link


def writing(array: str, value: float) -> Callable[[Path], None]:
    """Change one value, and make the manifest agree with it."""

    def edit(values: np.ndarray) -> None:
        values[(-1,) * values.ndim] = value

    return lambda directory: change_values(directory, "train", array, edit)


def flip(position: int) -> Callable[[bytes], bytes]:
    """Change one bit."""

    def change(content: bytes) -> bytes:
        changed = bytearray(content)
        changed[position] ^= 1
        return bytes(changed)

    return change


def flip_silently(directory: Path) -> None:
    """Behind the back of the manifest."""
    path = directory / CHUNK
    path.write_bytes(flip(5)(path.read_bytes()))


def misname(directory: Path) -> None:
    """End the list of checksums with another one."""
    path = directory / "manifest-sha256.txt"
    path.write_bytes(flip(-20)(path.read_bytes()))


LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
BIG = {"name": "bytes", "configuration": {"endian": "big"}}
ZSTD = {"name": "zstd", "configuration": {"level": 3, "checksum": True}}
HDF5: StorageFormat = "hdf5"
DAMAGES: tuple[tuple[str, Damage], ...] = (
    ("D1", Damage(lambda d: (d / "manifest.json").unlink())),
    ("D2", Damage(linked("manifest.json"))),
    ("D2", Damage(linked(CHUNK))),
    ("D2", Damage(linked("train.zarr"))),
    ("D2", Damage(linked(SHARD), HDF5)),
    ("D2", Damage(linked("train.zarr/field/c/1"), step="read")),
    ("D3", Damage(lambda d: (d / CHUNK).unlink())),
    ("D3", Damage(lambda d: (d / METADATA).rename(d / "train.zarr/potential/.zarray"))),
    ("D4", Damage(lambda d: (d / CHUNK).write_bytes((d / CHUNK).read_bytes()[:-1]))),
    ("D4", Damage(lambda d: (d / SHARD).write_bytes(b""), HDF5)),
    ("D5", Damage(flip_silently, step="verify")),
    ("D6", Damage(misname)),
    ("M1", Damage(lambda d: (d / "manifest.json").write_bytes(b"{"))),
    ("M1", Damage(lambda d: (d / "manifest.json").write_bytes(b"\xff" * 9))),
    ("M1", Damage(lambda d: (d / "manifest.json").write_bytes(b"[" * 99_999))),
    ("M2", Damage(setting("format_version", value=3))),
    ("M2", Damage(setting("format_version", value=None))),
    ("M3", Damage(setting("run", value="rm -r"))),
    ("M3", Damage(setting("files", 3, 0, value="../../etc/passwd"))),
    ("M3", Damage(setting("splits", "train", "layout", "num_samples", value=2**70))),
    ("M4", Damage(setting("splits", "train", "layout", "num_points", value=10))),
    ("M4", Damage(setting(*FIELD, "unit", value="T"))),
    ("M4", Damage(setting(*FIELD, "dimensions", 0, value="point"))),
    ("M4", Damage(setting("columns", value=["column_0"]))),
    ("M5", Damage(setting("files", 3, 2, value=1))),
    ("M5", Damage(lambda d: edit_manifest(d, lambda m: m["files"].pop()))),
    ("Z1", Damage(metadata(zarr_format=2), step="split")),
    ("Z1", Damage(metadata(shape=[20, 10]), step="split")),
    ("Z1", Damage(metadata(data_type="object"), step="split")),
    ("Z1", Damage(metadata(data_type={"name": "python_object"}), step="split")),
    ("Z1", Damage(metadata(fill_value=0.0), step="split")),
    ("Z1", Damage(metadata(storage_transformers=[{"name": "x"}]), step="split")),
    ("Z1", Damage(metadata(further={"must_understand": False}), step="split")),
    ("Z1", Damage(with_codecs(BIG), step="split")),
    ("Z1", Damage(with_codecs(LITTLE, ZSTD), step="split")),
    ("Z1", Damage(with_codecs(LITTLE), compressed=True, step="split")),
    ("Z1", Damage(with_codecs(LITTLE, {"name": "gzip"}), compressed=True, step="split")),
    ("Z1", Damage(with_codecs(LITTLE, {"name": "blosc"}), compressed=True, step="split")),
    ("Z1", Damage(with_codecs({"name": "numcodecs.pickle"}), step="split")),
    ("Z1", Damage(rewriting(METADATA, lambda text: text + b" " * (1 << 21)), step="split")),
    ("Z1", Damage(rewriting(METADATA, lambda text: b"[" * 99_999), step="split")),
    ("Z1", Damage(rewriting(METADATA, lambda text: b"[]"), step="split")),
    ("Z1", Damage(rewriting("train.zarr/zarr.json", lambda text: b"{}"), step="split")),
    ("Z1", Damage(consolidated(None), step="split")),
    ("Z1", Damage(consolidated({"metadata": {}}), step="split")),
    ("Z1", Damage(consolidated({"metadata": {"grid": {"shape": [9]}}}), step="split")),
    ("Z2", Damage(rewriting(CHUNK, flip(-1)), step="read")),
    ("Z2", Damage(rewriting(CHUNK, lambda content: b""), step="read")),
    ("Z2", Damage(rewriting(CHUNK, lambda content: b"0" + content), step="read")),
    ("Z2", Damage(rewriting(CHUNK, flip(-1)), compressed=True, step="read")),
    ("H1", Damage(rewriting(SHARD, flip(0)), HDF5, step="read")),
    ("H1", Damage(rewriting(SHARD, lambda content: b""), HDF5, step="read")),
    ("H1", Damage(rewriting(SHARD, lambda content: content[:2000]), HDF5, step="read")),
    ("H2", Damage(instead_of_potential(lambda file: None), HDF5, step="read")),
    ("H2", Damage(instead_of_potential(lambda f: f.create_group("potential")), HDF5, step="read")),
    ("H2", Damage(replaced_by(h5py.SoftLink("elsewhere")), HDF5, step="read")),
    ("H2", Damage(replaced_by(h5py.ExternalLink("x.h5", "x")), HDF5, step="read")),
    ("H3", Damage(replaced_by(np.zeros((8, 9), ">f4")), HDF5, step="read")),
    ("H3", Damage(replaced_by(np.zeros((8, 8), "<f4")), HDF5, step="read")),
    ("H4", Damage(instead_of_potential(never_written), HDF5, step="read")),
    ("C1", Damage(rewriting(CHUNK, flip(0)), compressed=True, step="read")),
    ("V1", Damage(writing("field", np.nan), step="verify")),
    ("V1", Damage(writing("grid", np.inf), HDF5, step="verify")),
    ("V2", Damage(writing("num_sources", 0), step="verify")),
    ("V3", Damage(writing("num_sources", 1), step="verify")),
    ("V4", Damage(writing("potential", 3.0), step="recompute")),
    *(
        ("V5", Damage(setting(*FIELD, "statistics", key, 1, value=value), step="list"))
        for key, value in (
            ("mean", 0.1),
            ("std", 0.0),
            ("median_abs", 2.0),
            ("min", -9),
            ("max", 9),
        )
    ),
)


def stored(sources: np.ndarray, num_sources: np.ndarray, grid: np.ndarray) -> Any:
    """Stands for the physics: the labels that were written, of the block that has the grid."""
    (block,) = (block for block in BLOCKS if np.array_equal(block.grid, grid))
    order = [int(np.flatnonzero((block.sources == table).all((1, 2)))[0]) for table in sources]
    return {"potential": block.potential[order], "field": block.field[order]}


def recompute(split: Split) -> None:
    recompute_labels(split, stored, 1.0, 1e-5, np.random.default_rng(0))


def list_problems(split: Split) -> None:
    """Raise the first problem that hm-data verify would list."""
    for problem in find_problems(Dataset.unchecked(split.directory)):
        raise problem


STEPS: dict[str, Callable[[Split], object]] = {
    "split": lambda split: None,
    "read": lambda split: list(split.blocks()),
    "verify": verify_split,
    "recompute": recompute,
    "list": list_problems,
}


ORDER = ("open", *STEPS)


def perform(directory: Path, step: str) -> None:
    """Open a dataset, and do one thing with its split."""
    dataset = Dataset.open(directory)
    if step != "open":
        STEPS[step](dataset.split("train"))


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, bool], Path]:
    """Undamaged datasets."""
    root, splits = tmp_path_factory.mktemp("rules"), {"train": (LAYOUT, BLOCKS)}
    return {
        ("zarr", False): write_dataset(root / "a", splits).directory,
        ("zarr", True): write_dataset(root / "b", splits, compression="zstd").directory,
        ("hdf5", False): write_dataset(root / "c", splits, HDF5).directory,
    }


@pytest.mark.slow_cases
@pytest.mark.parametrize(
    ("rule", "damage"), DAMAGES, ids=[f"{rule}-{i}" for i, (rule, _) in enumerate(DAMAGES)]
)
def test_damage_is_refused_with_the_rule_it_breaks(
    tmp_path: Path, whole: dict[tuple[str, bool], Path], rule: str, damage: Damage
) -> None:
    """By the step that looks at it: the one before passes."""
    source = whole[damage.storage_format, damage.compressed]
    copy = Path(shutil.copytree(source, tmp_path / "data"))
    perform(copy, "list")
    damage.change(copy)
    if damage.step != "open":
        perform(copy, ORDER[ORDER.index(damage.step) - 1])
    with pytest.raises(DatasetError) as refusal:
        perform(copy, damage.step)
    assert re.findall(r"rule ([A-Z]\d)", str(refusal.value)) == [rule]


def cited() -> set[str]:
    """Rules in the messages of the package, also where a message is broken within `rule X9`."""
    found = set()
    for path in (ROOT / "data").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            text = "".join(str(p.value) for p in parts if isinstance(p, ast.Constant))
            found |= set(re.findall(r"rule ([A-Z]\d)\b", text))
    return found


def test_every_rule_is_documented_cited_and_tried() -> None:
    text = (ROOT / "docs" / "format.md").read_text()
    documented = re.findall(r"^\| ([A-Z]\d) \|", text, re.MULTILINE)
    assert len(documented) == len(set(documented))
    assert set(documented) == cited() == {rule for rule, _ in DAMAGES}
