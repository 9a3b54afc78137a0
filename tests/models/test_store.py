"""A model file is the model: saved equals loaded, and damage is told."""

import hashlib
import io
import json
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from mending import edit_header, hashed_model
from refused import refused

from hypermagnetics.errors import DamagedFileError, ModelFileError
from hypermagnetics.models import HyperLayer, Model, ModelInputs, build_model, load, save_model
from hypermagnetics.models.fourier import FourierSeriesConfig
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.models.hyper_mlp import HyperMLPConfig
from hypermagnetics.models.linear import LinearConfig
from hypermagnetics.models.registry import ModelConfig
from hypermagnetics.models.store import OldFormWarning, write_tree
from hypermagnetics.models.wave_layer import WaveLayerConfig

OLD_RUN = Path(__file__).parents[1] / "reference" / "run-1"
OLD_POTENTIAL = [0.014016655273735523]


@pytest.fixture
def model() -> Model:
    """A small model."""
    config = HyperLayerConfig(width=8, depth=1, hwidth=0.5, hdepth=1, source_frequencies=3)
    return HyperLayer(config=config, hyperkey=jr.key(0), mainkey=jr.key(1))


@pytest.fixture
def file(tmp_path: Path, model: Model) -> Path:
    """Its file."""
    path = tmp_path / "model.hm"
    save_model(path, model, {"dataset_title": "none"})
    return path


@pytest.mark.slow_cases
@pytest.mark.parametrize(
    "config",
    [
        HyperLayerConfig(width=8, depth=1, hwidth=0.5, hdepth=1, source_frequencies=3),
        HyperMLPConfig(width=4, depth=1, hwidth=0.5, hdepth=1),
        FourierSeriesConfig(order=2, hdepth=1),
        LinearConfig(width=8, depth=1),
        WaveLayerConfig(width=8, source_width=8),
    ],
    ids=lambda config: str(config.name),
)
def test_loaded_equals_saved(config: ModelConfig, tmp_path: Path) -> None:
    """Every leaf, bit for bit, and the settings."""
    model = build_model(config, ModelInputs(), jr.key(2))
    save_model(tmp_path / "saved.hm", model, {})
    again = load(tmp_path / "saved.hm")
    assert isinstance(again, Model)
    assert (again.config, again.inputs) == (model.config, model.inputs)
    for one, other in zip(jax.tree.leaves(model), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(one, other)
    sources, points = jnp.ones((2, 4), jnp.float32), jnp.ones((3, 2), jnp.float32)
    np.testing.assert_array_equal(again(sources, points), model(sources, points))


def test_saving_twice_gives_the_same_bytes(file: Path, model: Model, tmp_path: Path) -> None:
    """No time and no machine in the file."""
    save_model(tmp_path / "again.hm", model, {"dataset_title": "none"})
    assert (tmp_path / "again.hm").read_bytes() == file.read_bytes()


def test_damaged_files_are_refused(file: Path, model: Model) -> None:
    """With what must hold and what came."""
    whole = file.read_bytes()
    damage = {
        "must be 1 or 2; got 3": lambda: edit_header(file, version=3),
        "begin with a JSON line": lambda: file.write_bytes(b"\x93NUMPY" + whole),
        "begin with a JSON line.*": lambda: file.write_bytes(b""),
        "bytes its first line promises": lambda: file.write_bytes(whole[:-1]),
        "bytes of another sha256": lambda: file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1])),
        "'model.name' must be one of": lambda: edit_header(file, model={"name": "os.system"}),
        "must exist": file.unlink,
    }
    for message, act in damage.items():
        file.write_bytes(whole)
        act()
        with pytest.raises(ModelFileError, match=message):
            load(file)
    write_tree(file, "hypermagnetics checkpoint", model, model, {})
    with pytest.raises(ModelFileError, match="must be a hypermagnetics model"):
        load(file)


def test_every_bit_of_the_file_counts(file: Path) -> None:
    """One in each byte: of the first line, and of the arrays in steps."""
    whole = file.read_bytes()
    places = [*range(whole.index(b"\n") + 1), *range(whole.index(b"\n") + 1, len(whole), 997)]
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        file.write_bytes(changed)
        with pytest.raises(ModelFileError):
            load(file)
    file.write_bytes(whole)
    load(file)


def test_a_sha256_that_is_left_out_is_missed(file: Path) -> None:
    """Whoever takes it away, or calls the file older than it is, has not made an older file."""
    line, arrays = file.read_bytes().split(b"\n", 1)
    header = json.loads(line)
    header["sha256"] = hashlib.sha256(arrays).hexdigest()
    for changes in ({}, {"version": 1}):
        text = json.dumps(header | changes).encode()
        for form in (text, text.replace(b", ", b",").replace(b": ", b":")):
            file.write_bytes(form + b"\n" + arrays)
            if changes and form is text:
                with pytest.warns(OldFormWarning):
                    load(file)
            else:
                with pytest.raises(DamagedFileError):
                    load(file)


def test_a_file_of_the_earlier_form_is_read_and_named() -> None:
    """Its values are those of the release that wrote it."""
    with pytest.warns(OldFormWarning, match=r"model\.hm is of an earlier form \(version 1\)"):
        old = load(OLD_RUN / "model.hm")
    assert isinstance(old, Model)
    sources = jnp.array([[1.0, 0.5, 0.25, -1.0]], jnp.float32)
    points = jnp.ones((1, 2), jnp.float32)
    np.testing.assert_allclose(old(sources, points), OLD_POTENTIAL, rtol=1e-5)


def test_arrays_are_looked_at_before_they_are_read(file: Path, model: Model) -> None:
    """However many values a file promises, none is read that the model does not have."""
    line, arrays = file.read_bytes().split(b"\n", 1)
    buffer = io.BytesIO()
    form = {"descr": "<f4", "fortran_order": False, "shape": (1 << 45,)}
    np.lib.format.write_array_header_1_0(buffer, form)
    changed = buffer.getvalue() + arrays
    text = json.dumps(json.loads(line) | {"bytes": len(changed)}).encode()
    file.write_bytes(hashed_model(text, changed))
    with refused(ModelFileError, "must fit its settings; got: ", "an array of shape"):
        load(file)
    text = json.dumps(json.loads(line) | {"bytes": len(arrays) + 1}).encode()
    file.write_bytes(hashed_model(text, arrays + b"x"))
    with refused(ModelFileError, "more arrays than the model has"):
        load(file)


def test_arrays_that_do_not_fit_the_settings_are_refused(file: Path, model: Model) -> None:
    """A header of one model on the arrays of another."""
    other = eqx.tree_at(lambda m: m.trunk.layers[0].bias, model, jnp.zeros(9, jnp.float32))
    write_tree(file, "hypermagnetics model", model, other, {})
    with pytest.raises(ModelFileError, match="must fit its settings"):
        load(file)
