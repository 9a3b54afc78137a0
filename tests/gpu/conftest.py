"""What needs a GPU is skipped where JAX has none; JAX is asked by a running test alone.

With HM_TESTS_GPU=cpu the CPU stands in for the card, with sums shaped for one, so that the tests
themselves can be tried where there is none.
"""

import os
from collections.abc import Iterator
from types import SimpleNamespace

import jax
import pytest

from hypermagnetics.sources.sums import sums_for


@pytest.fixture
def is_card() -> bool:
    """Whether there is a card, or the CPU stands in for it."""
    return os.environ.get("HM_TESTS_GPU") != "cpu"


@pytest.fixture(autouse=True)
def gpu(is_card: bool, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """JAX's device is a GPU, and sums are shaped for one."""
    if is_card:
        try:
            jax.devices("gpu")
        except RuntimeError:
            pytest.skip("JAX has no GPU here; docs/gpu.md says how to install it for one.")
        yield
        return
    (cpu, *_), named = jax.devices("cpu"), SimpleNamespace(device_kind="a CPU in its place")
    monkeypatch.setattr("hypermagnetics.sources.sums.first_device", lambda platform: cpu)
    monkeypatch.setattr("hypermagnetics.generate.labels.first_device", lambda platform: named)
    with sums_for("gpu"):
        yield
