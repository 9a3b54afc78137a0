"""Random configurations: what they depend on, and how they are distributed."""

import jax
import jax.random as jr
import numpy as np
import pytest

from hypermagnetics.errors import RecipeError
from hypermagnetics.models import HyperMLP
from hypermagnetics.sources import (
    Normal,
    body_kernel,
    configure,
    sample_sources,
    split_keys,
    superposition,
)


def test_the_published_interface_runs() -> None:
    """The example of the published code, with the shapes and sizes it gives."""
    source_config = {"N": 500, "M": 5, "lim": 3, "res": 32}
    configuration = configure(**source_config, key=jr.PRNGKey(40))
    assert {name: array.shape for name, array in configuration.items()} == {
        "sources": (500, 5, 4),
        "grid": (1024, 2),
        "field": (500, 1024, 2),
        "potential": (500, 1024),
    }
    hyperkey, mainkey = jr.split(jr.PRNGKey(42), 2)
    model = HyperMLP(width=16, depth=3, hdepth=3, hyperkey=hyperkey, mainkey=mainkey)
    pred = jax.vmap(model, in_axes=(0, None))(configuration["sources"], configuration["grid"])
    assert pred.shape == (500, 1024)
    grid = np.asarray(configuration["grid"])
    assert grid.min() == -3
    assert grid.max() == 3
    assert len(np.unique(grid, axis=0)) == 1024


def test_configure_labels_with_the_exact_sum() -> None:
    """Each sample's potential and field are those of its own sources."""
    made = configure(N=4, M=3, lim=2.0, res=5, key=jr.key(0))
    for i in range(4):
        potential, field = superposition(body_kernel("disc", 1.0), made["sources"][i], made["grid"])
        np.testing.assert_allclose(made["potential"][i], potential, rtol=1e-12)
        np.testing.assert_allclose(made["field"][i], field, rtol=1e-12)


def test_samples_have_the_stated_distribution() -> None:
    """Zero mean, and the stated standard deviation of moments and positions."""
    table = np.asarray(sample_sources(jr.key(1), 20_000, 2, Normal(std=1.5), Normal(std=0.25)))
    np.testing.assert_allclose(table.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(table.std(axis=0), [1.5, 1.5, 0.25, 0.25], rtol=0.03)
    assert table.dtype == np.float32


def test_splits_and_seeds_draw_apart() -> None:
    """Samples and grids of different splits, or of different seeds, share no numbers."""
    keys = [
        key
        for seed in (0, 1)
        for split in ("train", "valid", "test-multi")
        for key in split_keys(seed, split)
    ]
    words = {tuple(np.asarray(jr.key_data(key)).tolist()) for key in keys}
    assert len(words) == len(keys) == 12


@pytest.mark.parametrize(("body", "radius"), [("disc", None), ("disc", 0.0), ("dipole", 1.0)])
def test_a_radius_must_go_with_the_body(body: str, radius: float | None) -> None:
    """The message shows the value and says what to do."""
    with pytest.raises(RecipeError, match=rf"radius.* got {radius!r} \(sources.radius\)"):
        body_kernel(body, radius)  # type: ignore[arg-type]
