"""Datasets of format version 1 are read for ever; those in tests/reference are never made anew."""

import subprocess
import sys
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  (h5py reads zstd with it)
import numpy as np
import pytest

from hypermagnetics.data import Dataset
from hypermagnetics.data.convert import convert
from hypermagnetics.data.verify import find_problems, recompute_labels
from hypermagnetics.errors import DatasetError
from hypermagnetics.sources import labels

KEPT = Path(__file__).parents[1] / "reference" / "format-1"
MANIFESTS = {
    "zarr-none": "f4ae21b6b7b1fe1c7d7f2dcb0483e022c52395ec7c5b4b170b514ef89bdaa489",
    "zarr-zstd": "438c89ed9613a3d45e81581b0d1c665091dd53037d760a76db6d42ee39b82624",
    "hdf5-none": "2ed5a6e8a590efd88ea94d312565642ea9d3d6050aefa9d0a659aeda6c45aadd",
    "hdf5-zstd": "e4ad90ea1a164c0306c9422a54e2e9a5835133ec4df4c8d5c8b1e2440614ea04",
}


@pytest.mark.parametrize("kind", MANIFESTS)
def test_a_dataset_of_format_version_1_is_read(kind: str) -> None:
    """Opened, checked in every byte, and the values are those that were written then."""
    dataset = Dataset.open(KEPT / kind)
    assert (dataset.manifest.format_version, dataset.sha256) == (1, MANIFESTS[kind])
    assert not list(find_problems(dataset))
    split = dataset.split("train")
    samples = split[:]
    assert samples.num_sources.tolist() == [1, 1, 2, 1, 2]
    np.testing.assert_array_equal(
        samples.potential[0],
        np.float32([-0.01454038918018341, 0.009091508574783802, -0.08126859366893768]),
    )
    np.testing.assert_array_equal(
        samples.field[4],
        np.float32(
            [
                [0.029047144576907158, 0.05987236648797989],
                [-0.024642597883939743, 0.04985750466585159],
                [-0.02205958217382431, 0.002606898546218872],
            ]
        ),
    )


@pytest.mark.parametrize("kind", MANIFESTS)
def test_its_labels_follow_from_its_sources(kind: str) -> None:
    """Then as now."""
    dataset = Dataset.open(KEPT / kind)
    found = recompute_labels(
        dataset.split("train"),
        lambda *stored: dict(
            zip(
                ("potential", "field"),
                map(np.asarray, labels(dataset.columns, *stored)),
                strict=True,
            )
        ),
        1.0,
        1e-6,
        np.random.default_rng(0),
    )
    assert found.num_samples == 5


@pytest.mark.slow
def test_bytes_do_not_depend_on_the_plugins_of_hdf5(tmp_path: Path) -> None:
    """HDF5 would write the name of the filter into the file when it knows one."""
    code = (
        "import sys, importlib; from pathlib import Path; importlib.import_module(sys.argv[1]); "
        "from hypermagnetics.data import Dataset; from hypermagnetics.data.convert import convert; "
        "convert(Dataset.open(sys.argv[2]), Path(sys.argv[3]), 'hdf5', 'zstd', 200.0); "
        "import h5py; print(h5py.h5z.filter_avail(32015))"
    )
    known = {}
    for module in ("json", "hdf5plugin"):
        command = [sys.executable, "-c", code, module, KEPT / "zarr-none", tmp_path / module]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        known[module] = done.stdout.strip()
    assert known == {"json": "False", "hdf5plugin": "True"}
    one, other = (tmp_path / name / "manifest.json" for name in known)
    assert one.read_bytes() == other.read_bytes()


def test_a_file_that_is_read_by_the_filter_is_not_spoilt(tmp_path: Path) -> None:
    """HDF5 cannot forget the filter then; closed, it can, and knows it again afterwards."""
    source = Dataset.open(KEPT / "zarr-none")
    expected = convert(source, tmp_path / "before", "hdf5", "zstd")
    file = KEPT / "hdf5-zstd" / "train" / "shard-00000.h5"
    with h5py.File(file) as opened:
        dataset = opened["potential"]
        values = dataset[:]
        with pytest.raises(DatasetError, match="Close the files that this process reads with h5py"):
            convert(source, tmp_path / "data", "hdf5", "zstd")
    assert convert(source, tmp_path / "data", "hdf5", "zstd") == expected
    with h5py.File(file) as opened:
        np.testing.assert_array_equal(opened["potential"][:], values)
