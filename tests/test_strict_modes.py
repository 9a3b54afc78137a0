"""Settings of JAX that find faults in a user's own code: ours works under each of them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import jax
import numpy as np
import pytest
from exact_model import inputs_of
from jax.random import key

from hypermagnetics.data import Dataset
from hypermagnetics.models import HyperLayer, load, save_model
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.sources import SourceColumns, superposition
from hypermagnetics.train import train

# The whole suite runs in float64, and without promotion of ranks.
_MODES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "dtype promotion": lambda: jax.numpy_dtype_promotion("strict"),
    "transfer guard": lambda: jax.transfer_guard("disallow"),
    "nans": lambda: jax.debug_nans(True),
    "infs": lambda: jax.debug_infs(True),
    "leaks": jax.checking_leaks,
    "float32": lambda: jax.enable_x64(False),
}
_COLUMNS = SourceColumns.of("disc", constants={"radius": 0.3})
_SMALL = HyperLayerConfig(width=8, depth=1, hwidth=0.5, hdepth=1)
_SOURCES = (np.eye(3, 4) - 0.3).astype(np.float32)
_POINTS = np.linspace(-1, 2, 10, dtype=np.float32).reshape(5, 2)


@pytest.mark.parametrize("mode", _MODES)
def test_a_model_is_read_and_gives_its_field(mode: str, tmp_path: Path) -> None:
    """From a file."""
    keys = {"hyperkey": key(0), "mainkey": key(1)}
    model = HyperLayer(config=_SMALL, inputs=inputs_of(_COLUMNS), **keys)
    save_model(tmp_path / "model.hm", model, {})
    arguments = jax.device_put((_SOURCES, _POINTS))
    expected = np.asarray(model.field(*arguments))
    with _MODES[mode]():
        found = load(tmp_path / "model.hm").field(*arguments)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("mode", _MODES)
def test_sources_are_summed(mode: str) -> None:
    """The exact field."""
    arguments = jax.device_put((_SOURCES, _POINTS))
    expected = superposition(_COLUMNS, *arguments)
    with _MODES[mode]():
        found = superposition(_COLUMNS, *arguments)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("mode", _MODES)
def test_a_model_is_trained(mode: str, tiny: Dataset, tmp_path: Path) -> None:
    """By the optimiser of the shipped recipe."""
    with _MODES[mode]():
        run = train(
            tiny,
            tmp_path / "run",
            model={"width": 8, "hwidth": 0.5},
            schedule={"max_steps": 2},
            quiet=True,
        )
    assert (run.directory / "model.hm").exists()
