"""Model files of users' classes: read with the class they name, and never because they name it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from mending import hashed_model
from user_modules import MODEL, user_module

from hypermagnetics.errors import ExtensionError, ModelFileError
from hypermagnetics.models import HyperMLP, Model, ModelInputs, build_model, load, save_model
from hypermagnetics.models.user import UserModelConfig, check_user_model, import_user_model

FILE = Path("model.hm")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module with two classes, importable, in the working directory."""
    text = MODEL + "\n\nclass Others(Waves):\n    pass\n"
    with user_module(text, tmp_path, monkeypatch) as name:
        sys.path.append(str(tmp_path))
        yield name


@pytest.fixture
def waves(module: str) -> type[Model]:
    """The class of which model.hm is a file."""
    found = import_user_model(f"{module}:Waves", "here")
    config = UserModelConfig(name=f"{module}:Waves", settings={"width": 7})
    save_model(FILE, build_model(config, ModelInputs(), jr.key(3), found), {})
    return found


def test_loaded_with_its_class_equals_saved(waves: type[Model]) -> None:
    """Every leaf, bit for bit, and the settings."""
    config = UserModelConfig(name="any:name", settings={"width": 7})
    saved = build_model(config, ModelInputs(), jr.key(3), waves)
    again = load(FILE, user_model=waves)
    assert isinstance(again, Model)
    assert (type(again), again.config, again.inputs) == (waves, saved.config, saved.inputs)
    for one, other in zip(jax.tree.leaves(saved), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(one, other)
    sources, points = jnp.ones((2, 4), jnp.float32), jnp.ones((3, 2), jnp.float32)
    np.testing.assert_array_equal(again(sources, points), saved(sources, points))


def test_a_file_is_read_with_its_own_class_only(waves: type[Model], module: str) -> None:
    """The class is given by the reader; the name in the file must agree with it."""
    with pytest.raises(ModelFileError, match=rf"no module is imported .* got the name {module}:W"):
        load(FILE)
    others = import_user_model(f"{module}:Others", "here")
    with pytest.raises(ModelFileError, match=rf"{module}:Others; got one of {module}:Waves"):
        load(FILE, user_model=others)
    shipped = HyperMLP(4, 1, 0.5, 1, hyperkey=jr.key(0), mainkey=jr.key(1))
    save_model(FILE, shipped, {})
    with pytest.raises(ModelFileError, match=r"got one of hyper_mlp .* give no class"):
        load(FILE, user_model=waves)


def test_a_name_in_a_file_imports_nothing(waves: type[Model], module: str) -> None:
    """A module that is not imported yet stays so, whoever wrote its name into the file."""
    line, leaves = FILE.read_bytes().split(b"\n", 1)
    Path("trap.py").write_text("raise SystemExit('this has been run')")
    for name in (b"trap:Waves", b"antigravity:fly"):
        FILE.write_bytes(hashed_model(line.replace(f"{module}:Waves".encode(), name), leaves))
        for given in (None, waves):
            with pytest.raises(ModelFileError, match=name.decode()):
                load(FILE, user_model=given)
    assert not {"trap", "antigravity"} & set(sys.modules)
    FILE.write_bytes(hashed_model(line.replace(f"{module}:Waves".encode(), b"a b:c"), leaves))
    with pytest.raises(ModelFileError, match="written module:name"):
        load(FILE, user_model=waves)


def test_settings_in_a_file_that_the_class_refuses(waves: type[Model]) -> None:
    """They are named, as is the class."""
    line, leaves = FILE.read_bytes().split(b"\n", 1)
    FILE.write_bytes(hashed_model(line.replace(b'"width"', b'"depth"'), leaves))
    with pytest.raises(ExtensionError, match=r"Waves must be built .* got TypeError"):
        load(FILE, user_model=waves)


def test_a_name_alone_builds_nothing(waves: type[Model], module: str) -> None:
    """Not in Python either."""
    config = UserModelConfig(name=f"{module}:Waves")
    with pytest.raises(ExtensionError, match="must be built from its class"):
        build_model(config, ModelInputs(), jr.key(0))


def test_a_class_that_no_name_leads_to_is_refused(waves: type[Model]) -> None:
    """Its files could not say what they are."""
    local = cast(type[Model], type("Local", (waves,), {"__qualname__": "make.<locals>.Local"}))
    with pytest.raises(ExtensionError, match=r"at the top of a module.*make\.<locals>\.Local"):
        check_user_model(local, UserModelConfig(name="a:Local"), ModelInputs())


@pytest.mark.parametrize("kept", ["rates", "rate"])
def test_what_a_class_keeps_must_be_there(waves: type[Model], kept: str) -> None:
    """A misspelt name would keep nothing, without a word."""
    keeping = type(waves.__name__, (waves,), {"kept": property(lambda self: (kept,))})
    keeping.__module__, keeping.__qualname__ = waves.__module__, waves.__qualname__
    config = UserModelConfig(name="a:Waves")
    if kept == "rates":
        check_user_model(cast(type[Model], keeping), config, ModelInputs())
        return
    with pytest.raises(ExtensionError, match=r"names of its arrays.*got 'rate'.*mean 'rates'\?"):
        check_user_model(cast(type[Model], keeping), config, ModelInputs())
