"""Modules as a user writes them, in a working directory of their own."""

import itertools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MODEL = """
import equinox as eqx
import jax
import jax.numpy as jnp

from hypermagnetics.config import Config
from hypermagnetics.models import Model, ModelInputs


class WavesConfig(Config):
    width: int = 4


class Waves(Model):
    rates: jax.Array
    config: WavesConfig = eqx.field(static=True)
    inputs: ModelInputs = eqx.field(static=True)

    def __init__(self, inputs, key, width=4):
        self.config, self.inputs = WavesConfig(width=width), inputs
        self.rates = jax.random.normal(key, (inputs.dim, width), jnp.float32)

    def weights(self, sources):
        return jnp.sum(sources[:, : self.inputs.dim], axis=0) @ self.rates

    def evaluate(self, weights, points):
        phase = points @ self.rates
        return jnp.sin(phase) @ weights, -(jnp.cos(phase) * weights[None]) @ self.rates.T

    @property
    def rank(self):
        return self.config.width
"""
"""phi = sum_k w_k sin(r . rate_k)."""

FUNCTIONS = """
import jax.numpy as jnp

from hypermagnetics.models import Scales

NUMBER = 3


def relative(error, truth):
    return jnp.sum(error**2, axis=-1) / (1 + jnp.sum(truth**2, axis=-1))


def doubled(statistics):
    return Scales(length=2 * max(statistics["grid"].max), moment=2.0, potential=2.0)
"""

_NUMBERS = itertools.count()


@contextmanager
def user_module(text: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Write a module into a directory that becomes the working directory.

    Yields:
        The name of the module, never used before; it is forgotten behind the test.
    """
    name = f"user_module_{next(_NUMBERS)}"
    (directory / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(directory)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    try:
        yield name
    finally:
        sys.modules.pop(name, None)
