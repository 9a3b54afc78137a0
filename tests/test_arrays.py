"""Whatever kind of array a user hands over, values are right, or a sentence says what is wrong."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import jaxtyping
import ml_dtypes
import numpy as np
import pandas
import pytest
from array_places import OF_ONE, PLACES
from refused import refused

from hypermagnetics.errors import HypermagneticsError


@pytest.fixture(autouse=True)
def _as_users_have_it() -> Iterator[None]:
    """Without the type checker of the tests, which would refuse some of this before the library."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


_Kind = Callable[[np.ndarray], Any]


def _read_only(array: np.ndarray) -> np.ndarray:
    copy = array.astype(np.float64)
    copy.setflags(write=False)
    return copy


def _frame(array: np.ndarray) -> Any:
    shaped = {1: pandas.Series, 2: pandas.DataFrame}.get(array.ndim, np.asarray)
    return shaped(array.astype(np.float64))


_TAKEN: dict[str, _Kind] = {
    "lists of whole numbers": np.ndarray.tolist,
    "lists of floats": lambda a: a.astype(float).tolist(),
    "tuples": lambda a: tuple(map(tuple, a.astype(float))) if a.ndim == 2 else tuple(a.tolist()),
    "a list of arrays": lambda a: list(a.astype(np.float64)),
    "int64": lambda a: a.astype(np.int64),
    "int8": lambda a: a.astype(np.int8),
    "big-endian whole numbers": lambda a: a.astype(">i4"),
    "float16": lambda a: a.astype(np.float16),
    "bfloat16": lambda a: a.astype(ml_dtypes.bfloat16),
    "float32": lambda a: a.astype(np.float32),
    "big-endian float32": lambda a: a.astype(">f4"),
    "big-endian float64": lambda a: a.astype(">f8"),
    "longdouble": lambda a: a.astype(np.longdouble),
    "read-only": _read_only,
    "Fortran order": lambda a: np.asfortranarray(a.astype(np.float64)),
    "not contiguous": lambda a: np.repeat(a.astype(np.float64), 2, axis=-1)[..., ::2],
    "reversed twice": lambda a: np.ascontiguousarray(a[::-1].astype(np.float64))[::-1],
    "masked arrays without masked entries": lambda a: np.ma.array(a.astype(np.float64)),
    "pandas": _frame,
    "objects that are numbers": lambda a: a.astype(object),
    "fractions": lambda a: np.vectorize(Fraction, otypes=[object])(a),
    "decimals": lambda a: np.vectorize(lambda x: Decimal(int(x)), otypes=[object])(a),
    "arrays of JAX": lambda a: jnp.asarray(a, jnp.float32),
    "whole numbers of JAX": jnp.asarray,
    "bfloat16 of JAX": lambda a: jnp.asarray(a, jnp.bfloat16),
}


def _masked(array: np.ndarray) -> Any:
    mask = np.zeros(array.shape, bool)
    mask.flat[0] = True
    return np.ma.array(array.astype(np.float64), mask=mask)


def _with(entry: object) -> _Kind:
    def changed(array: np.ndarray) -> Any:
        objects = array.astype(object)
        objects.flat[0] = entry
        return objects

    return changed


_REFUSED: dict[str, _Kind] = {
    "masked entries": _masked,
    "a list of masked arrays": lambda a: list(_masked(a)) if a.ndim > 1 else [_masked(a)],
    "complex numbers": lambda a: a + 0j,
    "complex numbers of JAX": lambda a: jnp.asarray(a) + 0j,
    "truth values": lambda a: a > 0,
    "truth values of JAX": lambda a: jnp.asarray(a > 0),
    "text": lambda a: a.astype(str),
    "bytes": lambda a: a.astype("S"),
    "dates": lambda a: a.astype("M8[s]"),
    "None among numbers": _with(None),
    "text among numbers": _with("1.0"),
    "a missing value of pandas": _with(pandas.NA),
    "records": lambda a: np.zeros(a.shape, [("x", "f4")]),
    "nothing": lambda a: None,
    "a word": lambda a: "points.npy",
    "a dictionary": lambda a: {"x": a},
    "rows of different length": lambda a: [a.tolist(), [[1.0]], 2.0],
    "a random key": lambda a: jax.random.key(0),
    "a number": lambda a: 1.0,
    "one axis more": lambda a: a[None].astype(np.float64),
}


def _numbers(values: Any) -> list[np.ndarray]:
    return [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(values)]


def _share(name: str, kinds: dict[str, _Kind]) -> dict[str, _Kind]:
    """Some of the kinds for each place, all of them for all places together."""
    first, number = [*PLACES].index(name), len(PLACES)
    own = {what: kind for i, (what, kind) in enumerate(kinds.items()) if i % number == first}
    return own or dict([[*kinds.items()][first % len(kinds)]])


@pytest.mark.slow
@pytest.mark.parametrize("name", PLACES)
def test_all_kinds_of_real_numbers_count_everywhere(name: str) -> None:
    """With the values that they have in float64, as far as a model in float32 has them."""
    # Each place as JAX is set at first or to float64, by turns: both take twice the time.
    assert_they_count(name, _TAKEN, x64=[*PLACES].index(name) % 2 == 0)


@pytest.mark.slow_cases
@pytest.mark.parametrize("name", PLACES)
def test_all_kinds_of_real_numbers_count(name: str) -> None:
    """Each in one place at least."""
    assert_they_count(name, _share(name, _TAKEN), x64=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", PLACES)
def test_anything_else_is_refused_everywhere(name: str) -> None:
    """As either argument, by one sentence."""
    assert_they_are_refused(name, _REFUSED)


@pytest.mark.parametrize("name", PLACES)
def test_anything_else_is_refused(name: str) -> None:
    """Each in one place at least."""
    assert_they_are_refused(name, _share(name, _REFUSED))


def assert_they_count(name: str, kinds: dict[str, _Kind], *, x64: bool) -> None:
    """A place takes kinds of arrays."""
    place = PLACES[name]
    with jax.enable_x64(x64):
        true = _numbers(place.call(place.first.astype(np.float64), place.second.astype(np.float64)))
        assert all(np.isfinite(part).all() for part in true)
        for what, kind in kinds.items():
            found = _numbers(place.call(kind(place.first), kind(place.second)))
            for one, other in zip(found, true, strict=True):
                scale = np.abs(other).max(initial=0)
                np.testing.assert_allclose(one, other, rtol=0, atol=1e-4 * scale, err_msg=what)


def assert_they_are_refused(name: str, kinds: dict[str, _Kind]) -> None:
    """A place refuses kinds of arguments."""
    place = PLACES[name]
    for what, kind in kinds.items():
        pairs = [(kind(place.first), place.second), (place.first, kind(place.second))]
        for number, pair in enumerate(pairs):
            if number and name in OF_ONE:
                continue
            try:
                with refused(HypermagneticsError):
                    place.call(*pair)
            except (AssertionError, pytest.fail.Exception) as error:
                raise AssertionError(f"{what}, argument {number}") from error
