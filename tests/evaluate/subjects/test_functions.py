"""A user's functions: what they are given, and what they may return."""

import numpy as np
import pytest
from refused import refused
from user_modules import user_module

from hypermagnetics.errors import ExtensionError
from hypermagnetics.evaluate.subjects.function_model import FunctionModel

SOURCES = np.ones((3, 2, 4), np.float32)
POINTS = np.ones((5, 2), np.float32)

MODULE = """
import functools
import jax
import jax.numpy as jnp
import numpy as np

def fine(sources, points):
    return np.zeros((3, 5)), np.ones((3, 5, 2), np.int64)

@jax.jit
def of_jax(sources, points):
    return jnp.zeros((3, 5), jnp.float16), jnp.ones((3, 5, 2), jnp.float32)

def of_lists(sources, points):
    return [fine(sources, points)[0].tolist(), fine(sources, points)[1].tolist()]

def writes(sources, points):
    sources[:], points[:] = 0, 0
    return fine(sources, points)

class Scaled:
    def __init__(self, factor=1.0):
        self.factor = factor

    def __call__(self, sources, points):
        return tuple(self.factor * values for values in fine(sources, points))

scaled = Scaled()
broken = Scaled("a")
partial = functools.partial(lambda extra, sources, points: fine(sources, points), 1)
number = 3

def raises(sources, points):
    return np.linalg.inv(np.zeros((2, 2)))

@functools.wraps(raises)
def wrapped(*arguments):
    return raises(*arguments)

def takes_one(sources):
    return sources

def alone(sources, points):
    return np.zeros((3, 5))

def nothing(sources, points):
    pass

def three(sources, points):
    return *fine(sources, points), 1

def transposed(sources, points):
    return np.zeros((5, 3)), np.zeros((3, 5, 2))

def no_axis(sources, points):
    return np.zeros((3, 5)), np.zeros((3, 5))

def complex_values(sources, points):
    return np.zeros((3, 5), complex), np.zeros((3, 5, 2))

def objects(sources, points):
    return np.full((3, 5), None), np.zeros((3, 5, 2))

def ragged(sources, points):
    return [[1.0], [1.0, 2.0]], np.zeros((3, 5, 2))
"""


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    """The name of a module that can be imported."""
    with pytest.MonkeyPatch.context() as patch:
        directory = tmp_path_factory.mktemp("functions")
        with user_module(MODULE, directory, patch) as name:
            patch.syspath_prepend(directory)
            yield name


@pytest.mark.parametrize("name", ["fine", "of_jax", "of_lists", "writes", "scaled", "partial"])
def test_functions_return_anything_that_numpy_takes(module, name):
    values = FunctionModel(f"{module}:{name}").predict(SOURCES, POINTS, 8)
    assert values.potential.shape == (3, 5)
    assert values.field.shape == (3, 5, 2)
    assert {values.potential.dtype, values.field.dtype} <= {np.dtype("f4"), np.dtype("f8")}
    assert not values.potential.any()
    assert (values.field == 1).all()


def test_what_a_function_writes_stays_with_it(module):
    FunctionModel(f"{module}:writes").predict(SOURCES, POINTS, 8)
    assert SOURCES.all()
    assert POINTS.all()


@pytest.mark.parametrize(
    ("name", "fragments"),
    [
        ("raises", ("must take sources (3, 2, 4) and points (5, 2)", "LinAlgError", ".py:34 (")),
        ("wrapped", ("got LinAlgError", ".py:34 (")),
        ("broken", ("got UFuncTypeError", ".py:26 (")),
        ("takes_one", ("got TypeError", "1 positional argument")),
        ("alone", ("must return a pair of arrays", "got ndarray")),
        ("nothing", ("(potential, field)", "got NoneType")),
        ("three", ("got tuple of length 3",)),
        ("transposed", ("potential", "must be of shape (3, 5); got (5, 3)", "(samples, points)")),
        ("no_axis", ("field", "must be of shape (3, 5, 2); got (3, 5)", "(samples, points, dim)")),
        ("complex_values", ("potential", "must hold real numbers; got complex128")),
        ("objects", ("must hold real numbers; got object",)),
        ("ragged", ("potential", "must be an array", "inhomogeneous")),
    ],
)
def test_other_results_are_refused(module, name, fragments):
    model = FunctionModel(f"{module}:{name}")
    with refused(ExtensionError, f"{module}:{name}", "(a subject)", *fragments):
        model.predict(SOURCES, POINTS, 8)


@pytest.mark.parametrize(
    ("name", "fragments"),
    [
        ("Scaled", ("got the class", "an instance that can be called", "--model")),
        ("number", ("of type int", "Name the function")),
        ("scalde", ("got no 'scalde'", "Did you mean 'scaled'?")),
    ],
)
def test_what_is_no_function_is_refused(module, name, fragments):
    with refused(ExtensionError, f"{module}:{name}", *fragments):
        FunctionModel(f"{module}:{name}")


def test_a_module_that_is_not_there_is_refused():
    with refused(ExtensionError, "must be importable", "no_such_module"):
        FunctionModel("no_such_module:function")
