"""The kinds of models, as their rows are told apart in tables."""

import jax.random as jr
import pytest
from exact_model import Exact
from shipped_models import MODELS, model_of

from hypermagnetics.models import HyperLayer, Knowledge
from hypermagnetics.sources import SourceColumns


@pytest.mark.parametrize("name", MODELS)
def test_a_shipped_model_knows_the_kernel_if_it_has_a_near_part(name):
    expected = Knowledge.KERNEL if name.endswith("_split") else Knowledge.LABELS
    assert model_of(name).knowledge is expected


def test_a_model_of_a_user_says_nothing_and_is_told_by_its_near_part():
    assert Exact(SourceColumns.of("disc", constants={"radius": 1.0})).knowledge is Knowledge.KERNEL


def test_a_model_can_say_that_it_knows_the_kernel_otherwise():
    class Fitted(HyperLayer):
        """One that was fitted to closed forms at any positions."""

        @property
        def knowledge(self) -> Knowledge:
            """The kernel, by its fit."""
            return Knowledge.KERNEL

    layer = model_of("hyper_layer")
    keys = {"hyperkey": jr.key(0), "mainkey": jr.key(1)}
    assert Fitted(config=layer.config, inputs=layer.inputs, **keys).knowledge is Knowledge.KERNEL
