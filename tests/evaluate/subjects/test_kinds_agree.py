"""The same model gives the same values, whatever it is made into."""

import hashlib

import h5py
import jax.numpy as jnp
import numpy as np
import pytest
import zarr
from user_modules import user_module

from hypermagnetics import models
from hypermagnetics.evaluate.subjects.arguments import sort_arguments
from hypermagnetics.evaluate.subjects.jax_model import JaxModel
from hypermagnetics.evaluate.subjects.opening import open_subjects
from hypermagnetics.evaluate.subjects.subject import PointModel

FUNCTION = """
import jax.numpy as jnp

from hypermagnetics.models import load

MODEL = load({path!r})


def predict(sources, points):
    assert type(sources).__name__ == type(points).__name__ == "ndarray"
    return MODEL.block(jnp.asarray(sources), jnp.asarray(points))
"""
"""Returns arrays of JAX."""


def _values(subject, split):
    """Of the whole split, in pieces of a full block and less."""
    predict, parts, first = subject.on_split(split, split.layout.samples_per_grid), [], 0
    for block in split.blocks():
        parts.append(predict(block, first))
        first += len(block.sources)
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def _write(group, values, **options):
    """`create_array` is Zarr's, `create_dataset` that of HDF5."""
    create = getattr(group, "create_array", None) or group.create_dataset
    for name, array in zip(("potential", "field"), values, strict=True):
        create(name, data=array, **options)


@pytest.fixture
def everything(tmp_path, monkeypatch, tiny, trained_run, exported_run):
    """Words that name the same model in six ways."""
    split = tiny.split("test_multi")
    model = models.load(trained_run / "model.hm")
    blocks = [
        model.block(jnp.asarray(block.sources), jnp.asarray(block.grid)) for block in split.blocks()
    ]
    values = [np.concatenate(parts) for parts in zip(*blocks, strict=True)]
    with h5py.File(tmp_path / "made.h5", "w") as file:
        _write(file.create_group(split.name), values, chunks=True, compression="gzip")
    root = zarr.open_group(tmp_path / "made.zarr", mode="w", zarr_format=3)
    _write(root.create_group(split.name), values)
    (tmp_path / "copy.hm").write_bytes((trained_run / "model.hm").read_bytes())
    text = FUNCTION.format(path=str(trained_run / "model.hm"))
    with user_module(text, tmp_path, monkeypatch) as module:
        monkeypatch.syspath_prepend(tmp_path)
        yield [
            str(trained_run),
            "copy.hm",
            str(exported_run),
            f"{module}:predict",
            "made.h5",
            "made.zarr",
        ]


def test_all_kinds_give_the_same_values(everything, tiny):
    subjects = open_subjects(sort_arguments([*everything, str(tiny.directory)]).subjects)
    kinds = ["run", "model", "export", "function", "predictions", "predictions"]
    assert [subject.kind for subject in subjects] == kinds
    split = tiny.split("test_multi")
    potential, field = _values(subjects[0], split)
    assert potential.shape == (20, 24)
    assert field.shape == (20, 24, 2)
    for subject in subjects[1:]:
        other = _values(subject, split)
        np.testing.assert_allclose(other[0], potential, rtol=0, atol=1e-5 * np.abs(potential).max())
        np.testing.assert_allclose(other[1], field, rtol=0, atol=1e-5 * np.abs(field).max())


def test_subjects_say_what_they_are(everything, tiny, trained_run, exported_run):
    subjects = open_subjects(sort_arguments([*everything, str(tiny.directory)]).subjects)
    run, copy, export, function, hdf5, in_zarr = subjects
    model = models.load(trained_run / "model.hm")
    assert [subject.place for subject in subjects] == everything
    assert (run.name, copy.name) == ("run", "copy.hm")
    for subject in (run, copy):
        digest = hashlib.sha256((trained_run / "model.hm").read_bytes()).hexdigest()
        assert subject.sha256 == digest
        assert (subject.rank, subject.num_parameters) == (8, models.num_parameters(model))
        assert subject.table == tiny.columns
    # sha256sum field.jaxexport potential.jaxexport | sha256sum
    lines = "".join(
        f"{hashlib.sha256((exported_run / name).read_bytes()).hexdigest()}  {name}\n"
        for name in ("field.jaxexport", "potential.jaxexport")
    )
    assert export.sha256 == hashlib.sha256(lines.encode()).hexdigest()
    assert (function.sha256, function.table) == (None, None)
    assert len({hdf5.sha256, in_zarr.sha256, None}) == 3
    for subject in (export, function, hdf5, in_zarr):
        assert subject.rank is subject.num_parameters is None
    for subject in subjects:
        assert (subject.model is None) == (subject.kind == "predictions")
        assert subject.model is None or isinstance(subject.model, PointModel)


def test_empty_samples_change_nothing(everything, tiny):
    """And nothing but the samples comes back."""
    block = tiny.split("test_multi").block(0)
    for subject in open_subjects(sort_arguments([*everything[:4], str(tiny.directory)]).subjects):
        exact = subject.model.predict(block.sources, block.grid, len(block.sources))
        filled = subject.model.predict(block.sources[:5], block.grid, 8)
        assert filled.potential.shape == (5, 24)
        assert filled.field.shape == (5, 24, 2)
        np.testing.assert_allclose(filled.potential, exact.potential[:5], rtol=1e-5, atol=1e-6)


def test_a_model_compiles_once_for_blocks_of_all_sizes(tiny, oracle):
    model = oracle()
    predictor, block = JaxModel(model), tiny.split("test_multi").block(0)
    for size in (8, 3, 1, 8):
        predictor.predict(block.sources[:size], block.grid, 8)
    assert model.shapes == [(8, 4, 4)]
