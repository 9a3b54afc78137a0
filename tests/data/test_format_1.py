"""Datasets of format version 1 are read for ever; those in tests/reference are never made anew."""

from pathlib import Path

import numpy as np
import pytest

from hypermagnetics.data import Dataset
from hypermagnetics.data.verify import find_problems, recompute_labels
from hypermagnetics.sources import SourceColumns, labels

KEPT = Path(__file__).parents[1] / "reference" / "format-1"
MANIFESTS = {
    "zarr-none": "7fb29e5b25da393b4983c4cdca4e63602dcaf371ae7c1281108ae6efcae7b9a4",
    "zarr-zstd": "b6dda563d5494992c3dcf8b99c02b1b0a08ff6307ee641297e131cbdea7b820d",
    "hdf5-none": "67b4b4a411e4e69c36856bbb25ea37b0553df520e5977c7396e14ac7b1714110",
    "hdf5-zstd": "4f64bab9865d514c9b57d04680a9e10958bdaef9bbfa8a923977a8d86fbe026e",
}


@pytest.mark.parametrize("kind", MANIFESTS)
def test_a_dataset_of_format_version_1_is_read(kind: str) -> None:
    """Opened, checked in every byte, and the values are those that were written then."""
    dataset = Dataset.open(KEPT / kind)
    assert (dataset.manifest.format_version, dataset.sha256) == (1, MANIFESTS[kind])
    assert not list(find_problems(dataset.directory))
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
    manifest = dataset.manifest
    columns = SourceColumns.described(2, manifest.bodies, manifest.columns, manifest.constants)
    found = recompute_labels(
        dataset.split("train"),
        lambda *stored: tuple(np.asarray(part) for part in labels(columns, *stored)),  # type: ignore[return-value]
        1.0,
        1e-6,
        np.random.default_rng(0),
    )
    assert found.num_samples == 5
