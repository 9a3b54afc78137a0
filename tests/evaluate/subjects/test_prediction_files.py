"""Predictions in files: read in pieces, and held to the shapes of their splits."""

import json
import shutil

import h5py
import numpy as np
import pytest
import zarr
from refused import refused

from hypermagnetics.errors import RunError
from hypermagnetics.evaluate.subjects.prediction_file import PredictionFile

SHAPES = {"potential": (20, 24), "field": (20, 24, 2)}


@pytest.fixture(autouse=True)
def without_children(monkeypatch):
    """Files are read by this process alone; tests/data/test_hdf5_reading.py has the other one."""
    module = "hypermagnetics.evaluate.subjects.prediction_file"
    monkeypatch.setattr(f"{module}.read_first", len)


@pytest.fixture
def split(tiny):
    """Of 20 samples in blocks of 8."""
    return tiny.split("test_multi")


@pytest.fixture(params=["hdf5", "zarr"])
def write(request, tmp_path):
    """A function that writes arrays, by their names, into the group of the split."""

    def written(arrays):
        if request.param == "hdf5":
            path = tmp_path / "made.h5"
            with h5py.File(path, "w") as file:
                group = file.create_group("test_multi")
                for name, values in arrays.items():
                    group.create_dataset(name, data=values)
        else:
            path = tmp_path / "made.zarr"
            group = zarr.open_group(path, mode="w", zarr_format=3).create_group("test_multi")
            for name, values in arrays.items():
                group.create_array(name, data=values)
        return path

    return written


def _numbers(dtype="f4", **shapes):
    return {
        name: np.arange(np.prod(shape)).reshape(shape).astype(dtype)
        for name, shape in (SHAPES | shapes).items()
    }


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2", "<i4", "<u2"])
def test_values_of_any_real_type_are_read_where_they_are(write, split, dtype):
    arrays = _numbers(dtype)
    read = PredictionFile(write(arrays)).on_split(split, 8)
    blocks = list(split.blocks())
    for block, first in zip(blocks, (0, 8, 16), strict=True):
        values = read(block, first)
        rows = slice(first, first + len(block.sources))
        np.testing.assert_array_equal(values.potential, arrays["potential"][rows])
        np.testing.assert_array_equal(values.field, arrays["field"][rows])
        assert values.potential.dtype in (np.float32, np.float64)
        assert values.potential.dtype.isnative


def test_a_piece_of_a_block_is_read_alone(tmp_path, split, monkeypatch):
    """Never the whole array, nor more of it than is asked for."""
    seen = []
    original = h5py.Dataset.__getitem__

    def watched(self, rows, **options):
        seen.append(rows)
        return original(self, rows, **options)

    with h5py.File(tmp_path / "made.h5", "w") as file:
        for name, values in _numbers().items():
            file[f"test_multi/{name}"] = values
    monkeypatch.setattr(h5py.Dataset, "__getitem__", watched)
    PredictionFile(tmp_path / "made.h5").on_split(split, 8)(split.block(2), 16)
    assert seen == [slice(16, 20)] * 2


@pytest.mark.parametrize(
    ("arrays", "fragments"),
    [
        ({"potential": _numbers()["potential"]}, ("no test_multi/field, but only potential",)),
        ({}, ("no test_multi/potential, but only nothing",)),
        (_numbers(potential=(19, 24)), ("must be of shape (20, 24)", "got (19, 24)")),
        (_numbers(field=(20, 2, 24)), ("must be of shape (20, 24, 2)", "got (20, 2, 24)")),
        (_numbers("c8"), ("test_multi/potential must hold real numbers; got complex64",)),
        (_numbers("?"), ("must hold real numbers; got bool",)),
        (_numbers("S3"), ("must hold real numbers; got |S3",)),
    ],
)
@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
def test_other_arrays_are_refused_when_a_split_is_opened(write, split, arrays, fragments):
    path = write(arrays)
    with refused(RunError, str(path), *fragments):
        PredictionFile(path).on_split(split, 8)


def test_a_split_that_is_not_there_is_refused(write, tiny):
    path = write(_numbers())
    with refused(RunError, "no test_single, but only test_multi", str(path)):
        PredictionFile(path).on_split(tiny.split("test_single"), 8)


def test_objects_in_hdf5_are_refused(tmp_path, split):
    with h5py.File(tmp_path / "made.h5", "w") as file:
        file.create_dataset("test_multi/potential", SHAPES["potential"], h5py.string_dtype())
        file["test_multi/field"] = _numbers()["field"]
    with refused(RunError, "must hold real numbers; got object"):
        PredictionFile(tmp_path / "made.h5").on_split(split, 8)


@pytest.mark.parametrize("where", ["a group", "an array"])
@pytest.mark.parametrize("link", [h5py.ExternalLink("other.h5", "/"), h5py.SoftLink("/a")])
def test_links_are_not_followed(tmp_path, split, where, link):
    with h5py.File(tmp_path / "made.h5", "w") as file:
        if where == "a group":
            file["test_multi"] = link
        else:
            file.create_group("test_multi")["potential"] = link
    with refused(RunError, "in the file itself", f"but {type(link).__name__}"):
        PredictionFile(tmp_path / "made.h5").on_split(split, 8)


def test_values_in_other_files_are_not_read(tmp_path, split):
    (tmp_path / "raw").write_bytes(bytes(20 * 24 * 4))
    outside = [(str(tmp_path / "raw"), 0, 20 * 24 * 4)]
    with h5py.File(tmp_path / "made.h5", "w") as file:
        file.create_dataset("test_multi/potential", SHAPES["potential"], "f4", external=outside)
    with refused(RunError, "values lie in other files"):
        PredictionFile(tmp_path / "made.h5").on_split(split, 8)


def test_a_group_in_place_of_an_array_and_an_array_in_place_of_a_group(write, split, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.create_group("test_multi/potential")
    with refused(RunError, "no test_multi/potential, but Group"):
        PredictionFile(tmp_path / "other.h5").on_split(split, 8)
    root = zarr.open_group(tmp_path / "other.zarr", mode="w", zarr_format=3)
    root.create_array("test_multi", data=np.zeros(3))
    with refused(RunError, "no test_multi,"):
        PredictionFile(tmp_path / "other.zarr").on_split(split, 8)


@pytest.mark.parametrize("size", [0, 8, 200, 2000])
def test_a_file_that_is_cut_off_is_refused(tmp_path, split, size):
    with h5py.File(tmp_path / "made.h5", "w") as file:
        for name, values in _numbers().items():
            file[f"test_multi/{name}"] = values
    whole = (tmp_path / "made.h5").read_bytes()
    (tmp_path / "made.h5").write_bytes(whole[:size])
    with refused(RunError, "that can be read; got OSError", str(tmp_path)):
        PredictionFile(tmp_path / "made.h5")


def test_damage_that_shows_when_values_are_read_is_one_line(tmp_path, split):
    """A compressed chunk with other bytes, and a chunk of Zarr cut off."""
    with h5py.File(tmp_path / "made.h5", "w") as file:
        for name, values in _numbers().items():
            options = {"compression": "gzip", "chunks": values.shape}
            array = file.create_dataset(f"test_multi/{name}", data=values, **options)
        place = array.id.get_chunk_info(0)
    with (tmp_path / "made.h5").open("r+b") as raw:
        raw.seek(place.byte_offset)
        raw.write(bytes(place.size))
    root = zarr.open_group(tmp_path / "made.zarr", mode="w", zarr_format=3)
    for name, values in _numbers().items():
        root.create_array(f"test_multi/{name}", data=values)
    chunk = tmp_path / "made.zarr" / "test_multi" / "field" / "c" / "0" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:30])
    for name in ("made.h5", "made.zarr"):
        read = PredictionFile(tmp_path / name).on_split(split, 8)
        with refused(RunError, "that can be read; got", name):
            read(split.block(0), 0)


@pytest.mark.parametrize("file", ["chunks.h5", "whole.h5", "chunks.zarr", "shards.zarr"])
def test_values_that_were_never_written_are_not_zero(tmp_path, split, file):
    """A program that was killed leaves some; formats would read them as their fill value."""
    path, (name, shape) = tmp_path / file, ("potential", SHAPES["potential"])
    values = _numbers() | {name: np.ones(shape, "f4")}
    if path.suffix == ".h5":
        with h5py.File(path, "w") as opened:
            opened["test_multi/field"] = values["field"]
            chunks = (8, 24) if file == "chunks.h5" else None
            array = opened.create_dataset(f"test_multi/{name}", shape, "f4", chunks=chunks)
            if chunks:
                array[:16] = values[name][:16]
    else:
        group = zarr.open_group(path, mode="w", zarr_format=3).create_group("test_multi")
        group.create_array("field", data=values["field"])
        shards = (8, 24) if file == "shards.zarr" else None
        chunks = (4, 24) if shards else (8, 24)
        array = group.create_array(name, shape=shape, dtype="f4", chunks=chunks, shards=shards)
        array[:16] = values[name][:16]
    begin = "[0, 0]" if file == "whole.h5" else "[16, 0]"
    with refused(RunError, f"test_multi/potential without the chunk that begins at {begin}", file):
        PredictionFile(path).on_split(split, 8)


@pytest.mark.parametrize("text", ["", "no JSON", "[]", '{"zarr_format": 7}'])
def test_a_zarr_directory_that_is_damaged_is_refused(tmp_path, text):
    zarr.open_group(tmp_path / "made.zarr", mode="w", zarr_format=3)
    (tmp_path / "made.zarr" / "zarr.json").write_text(text)
    with refused(RunError, "Zarr group of version 3", "made.zarr"):
        PredictionFile(tmp_path / "made.zarr")


def test_an_array_of_zarr_is_no_group(tmp_path):
    zarr.create_array(tmp_path / "made.zarr", data=np.zeros(3), zarr_format=3)
    with refused(RunError, "Zarr group of version 3", "made.zarr"):
        PredictionFile(tmp_path / "made.zarr")


def test_a_file_that_went_is_refused(write, split):
    path = write(_numbers())
    predictions = PredictionFile(path)
    if path.is_dir():
        shutil.rmtree(path)
        with refused(RunError, str(path)):
            predictions.on_split(split, 8)


def test_a_file_that_is_exchanged_while_it_is_opened_is_refused(write, tmp_path, monkeypatch):
    """What a child has read first is what is opened."""
    if (path := write(_numbers())).is_dir():
        pytest.skip("Zarr needs no child")

    def exchange(files):
        (tmp_path / "other.h5").write_bytes(path.read_bytes())
        (tmp_path / "other.h5").replace(path)
        return len(files)

    module = "hypermagnetics.evaluate.subjects.prediction_file"
    monkeypatch.setattr(f"{module}.read_first", exchange)
    with refused(RunError, "must stay the same while they are opened; got another file"):
        PredictionFile(path)


def _write_shards(path, arrays, where="end", **options):
    """Arrays in shards of 2 x 2 chunks of 8 samples and 6 points."""
    root = zarr.open_group(path, mode="w", zarr_format=3).create_group("test_multi")
    for name, values in arrays.items():
        inner = values.shape[2:]
        root.create_array(
            name,
            shape=values.shape,
            dtype="f4",
            chunks=(8, 6, *inner),
            shards={"shape": (16, 12, *inner), "index_location": where},
            fill_value=0,
            **options,
        )[:] = values
    return path


@pytest.mark.parametrize("where", ["start", "end"])
def test_a_chunk_that_lacks_in_a_shard_is_refused(tmp_path, split, where):
    """The shard is a file as any other, and the chunk would read as zeros."""
    arrays = {name: values + 1 for name, values in _numbers().items()}
    path = _write_shards(tmp_path / "made.zarr", arrays, where)
    whole = PredictionFile(path).on_split(split, 8)(split.block(2), 16)
    np.testing.assert_array_equal(whole.field, arrays["field"][16:])
    arrays["field"][8:16, 18:24] = 0
    path = _write_shards(tmp_path / "made.zarr", arrays, where)
    with refused(RunError, "test_multi/field without the chunk that begins at [8, 18, 0]"):
        PredictionFile(path).on_split(split, 8)
    config = {"write_empty_chunks": True}
    path = _write_shards(tmp_path / "made.zarr", arrays, where, config=config)
    zeros = PredictionFile(path).on_split(split, 8)(split.block(1), 8)
    np.testing.assert_array_equal(zeros.field, arrays["field"][8:16])


@pytest.mark.parametrize("change", ["shard gone", "index larger than the shard", "inner shards"])
def test_a_shard_without_an_index_is_refused(tmp_path, split, change):
    """In little memory, whatever its metadata says of the number of chunks."""
    arrays = {name: values + 1 for name, values in _numbers().items()}
    path = _write_shards(tmp_path / "made.zarr", arrays)
    metadata = path / "test_multi" / "potential" / "zarr.json"
    if change == "shard gone":
        (path / "test_multi" / "potential" / "c" / "1" / "1").unlink()
        said = "test_multi/potential without the chunk that begins at [16, 12]"
    else:
        content = json.loads(metadata.read_text())
        codec = content["codecs"][0]
        if change == "inner shards":
            codec["configuration"]["codecs"] = [json.loads(json.dumps(codec))]
            said = "shards inside of shards"
        else:
            content["chunk_grid"]["configuration"]["chunk_shape"] = [1 << 25, 1 << 25]
            codec["configuration"]["chunk_shape"] = [1, 1]
            said = "its index"
        metadata.write_text(json.dumps(content))
    with refused(RunError, said, str(path)):
        PredictionFile(path).on_split(split, 8)
