"""A model file is the model: saved equals loaded, and damage is told."""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from mending import edit_header

from hypermagnetics.errors import ModelFileError
from hypermagnetics.models import HyperLayer, Model, ModelInputs, build_model, load, save_model
from hypermagnetics.models.fourier import FourierSeriesConfig
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.models.hyper_mlp import HyperMLPConfig
from hypermagnetics.models.linear import LinearConfig
from hypermagnetics.models.registry import ModelConfig
from hypermagnetics.models.store import write_tree


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


@pytest.mark.parametrize(
    "config",
    [
        HyperLayerConfig(width=8, depth=1, hwidth=0.5, hdepth=1, source_frequencies=3),
        HyperMLPConfig(width=4, depth=1, hwidth=0.5, hdepth=1),
        FourierSeriesConfig(order=2, hdepth=1),
        LinearConfig(width=8, depth=1),
    ],
    ids=lambda config: str(config.name),
)
def test_loaded_equals_saved(config: ModelConfig, tmp_path: Path) -> None:
    """Every leaf, bit for bit, and the settings."""
    model = build_model(config, ModelInputs(), jr.key(2))
    save_model(tmp_path / "saved.hm", model, {})
    again = load(tmp_path / "saved.hm")
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
        "must be 1; got 2": lambda: edit_header(file, version=2),
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


def test_arrays_that_do_not_fit_the_settings_are_refused(file: Path, model: Model) -> None:
    """A header of one model on the arrays of another."""
    other = eqx.tree_at(lambda m: m.trunk.layers[0].bias, model, jnp.zeros(9, jnp.float32))
    write_tree(file, "hypermagnetics model", model, other, {})
    with pytest.raises(ModelFileError, match="must fit its settings"):
        load(file)
