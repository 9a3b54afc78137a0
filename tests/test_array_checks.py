"""Which functions of the package the tests look at when they are called."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import jax.numpy as jnp
import numpy as np
import pytest
from array_checks import names_array
from jaxtyping import Array, Float, Int, PyTree, TypeCheckError

from hypermagnetics.files import digest_of
from hypermagnetics.models.reduced.divided_box import DividedBox
from hypermagnetics.sources.kinds import KINDS
from hypermagnetics.sources.soft.balls import Balls

Points = Float[Array, "points dim"]


@pytest.mark.parametrize(
    "annotation",
    [
        Points,
        Points | None,
        tuple[int, Int[np.ndarray, " samples"]],
        Callable[[Points], float],
        Annotated[Points, "in metres"],
        PyTree[float],
        "Float[Array, 'points dim']",
    ],
)
def test_annotations_of_arrays_are_known(annotation: object) -> None:
    assert names_array(annotation)


@pytest.mark.parametrize("annotation", [int, None, str | None, list[Path], Callable[[int], float]])
def test_others_are_left_to_mypy(annotation: object) -> None:
    assert not names_array(annotation)


def test_an_array_of_another_shape_is_refused() -> None:
    """By a method, and by the fields of a module."""
    with pytest.raises(TypeCheckError, match="bodies cells dim"):
        DividedBox((1.0, 0.5), 2).norms(np.zeros((2, 3)))
    rows = jnp.zeros(2)
    Balls(KINDS["disc"], jnp.zeros((2, 2)), rows, rows > 0, 1)
    with pytest.raises(TypeCheckError, match="centres"):
        Balls(KINDS["disc"], jnp.zeros((3, 2)), rows, rows > 0, 1)


def test_a_function_without_arrays_stays_as_it_is() -> None:
    """Unless everything is checked."""
    everything = os.environ.get("HM_TESTS_CHECK") == "everything"
    assert hasattr(digest_of, "__wrapped__") == everything
    assert hasattr(DividedBox.norms, "__wrapped__")
