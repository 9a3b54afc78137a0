"""What needs a GPU is skipped where JAX has none; JAX is asked by a running test alone."""

import jax
import pytest


@pytest.fixture(scope="session", autouse=True)
def card() -> jax.Device:
    """The first GPU."""
    try:
        return jax.devices("gpu")[0]
    except RuntimeError:
        pytest.skip("JAX has no GPU here; docs/gpu.md says how to install it for one.")


@pytest.fixture(scope="session")
def cpu() -> jax.Device:
    """The machine's own processor."""
    return jax.devices("cpu")[0]
