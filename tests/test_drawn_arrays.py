"""Arrays drawn at random: of any type, layout and container, with what may be wrong in them."""

import warnings
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pandas
import pytest
from array_places import OF_ONE, PLACES
from hypothesis import given, settings
from hypothesis import strategies as st
from refused import FORM

from hypermagnetics.errors import HypermagneticsError


@pytest.fixture(autouse=True, scope="module")
def _as_users_have_it() -> Iterator[None]:
    """Without the type checker of the tests, and in float32 as JAX is set at first."""
    jaxtyping.config.update("jaxtyping_disable", True)
    with jax.enable_x64(False):
        yield
    jaxtyping.config.update("jaxtyping_disable", False)


_Change = Callable[[np.ndarray], Any]

_TYPES = (
    *("i1", "u1", ">i2", "u2", "<i4", ">i8", "u8", "f2", ">f2", "f4", ">f4", "f8", ">f8", "g"),
    *("?", "c8", ">c16", "O", "U", "S", "M8[s]", "m8[s]", "V8"),
)


def _with(value: object) -> _Change:
    """The last number is another."""

    def changed(array: np.ndarray) -> np.ndarray:
        copy = array.astype(np.float64 if isinstance(value, float) else object)
        copy.flat[-1:] = value
        return copy

    return changed


_DAMAGES: dict[str, _Change] = {
    "none": lambda a: a.astype(np.float64),
    "NaN": _with(float("nan")),
    "infinity": _with(float("-inf")),
    "more than float32": _with(1e300),
    "less than float32": _with(1e-300),
    "minus zero": _with(-0.0),
    "more than float64": _with(10**400),
    "a fraction": _with(Fraction(1, 3)),
    "None": _with(None),
    "text": _with("x"),
    "a truth value": _with(True),
    "an array": _with(np.zeros(())),
    "no rows": lambda a: a[:0].astype(np.float64),
    "no columns": lambda a: a[..., :0].astype(np.float64),
    "one row": lambda a: a[:1].astype(np.float64),
    "a column less": lambda a: a[..., :-1].astype(np.float64),
    "an axis less": lambda a: a[0].astype(np.float64),
    "an axis more": lambda a: a[None].astype(np.float64),
    "a number alone": lambda a: np.array(a.flat[0], np.float64),
}


def _locked(array: np.ndarray) -> np.ndarray:
    copy = array.copy()
    copy.setflags(write=False)
    return copy


def _strided(array: np.ndarray) -> np.ndarray:
    return np.repeat(array, 2, axis=-1)[..., ::2] if array.ndim else array


def _frame(array: np.ndarray) -> Any:
    return {1: pandas.Series, 2: pandas.DataFrame}.get(array.ndim, np.asarray)(array)


def _matrix(array: np.ndarray) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)  # that numpy has such a class
        return np.asmatrix(array) if array.ndim == 2 else array


def _masked(array: np.ndarray) -> Any:
    return np.ma.array(array, mask=np.arange(array.size).reshape(array.shape) == 0)


def _of_jax(array: np.ndarray) -> Any:
    """The array in the types that JAX has, if they hold its numbers."""
    if array.dtype.kind not in "?iufc" or array.dtype == "g":
        return array
    found = jnp.asarray(array.astype(array.dtype.newbyteorder("=")))
    values, kept = array.astype(np.complex128), np.asarray(found).astype(np.complex128)
    return found if np.allclose(kept, values, rtol=1e-5, equal_nan=True) else array


_FORMS: dict[str, _Change] = {
    "an array": lambda a: a,
    "Fortran order": np.asfortranarray,
    "not contiguous": _strided,
    "backwards": lambda a: a[::-1].copy()[::-1] if a.ndim else a,
    "read-only": _locked,
    "an unaligned array": lambda a: (
        np.frombuffer(b"0" + a.tobytes(), a.dtype, offset=1).reshape(a.shape)
        if a.dtype.kind in "iuf" and a.size
        else a
    ),
    "a list": lambda a: a.tolist(),
    "a tuple": lambda a: tuple(a.tolist()) if a.ndim else a.tolist(),
    "a list of arrays": lambda a: list(a) if a.ndim else a,
    "a tuple of tuples": lambda a: tuple(map(tuple, a)) if a.ndim == 2 else a,
    "masked, none of it": np.ma.array,
    "masked": _masked,
    "a matrix": _matrix,
    "records": lambda a: a.view(np.recarray),
    "pandas": _frame,
    "of JAX": _of_jax,
    "a list of those of JAX": lambda a: [_of_jax(row) for row in a] if a.ndim > 1 else a,
}


_ARGUMENTS = [
    (name, number) for name in PLACES for number in (0, 1) if not (number and name in OF_ONE)
]


def _typed(array: np.ndarray, name: str) -> np.ndarray:
    with np.errstate(all="ignore"):
        try:
            return np.asarray(array.astype(name))
        except (TypeError, ValueError, OverflowError):
            return array


def _values(name: str, number: int, argument: Any) -> list[np.ndarray] | HypermagneticsError:
    """What a place makes of an argument beside a sound one."""
    place = PLACES[name]
    pair: list[Any] = [place.first.astype(np.float64), place.second.astype(np.float64)]
    pair[number] = argument
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = place.call(*pair)
        except HypermagneticsError as error:
            return error
    return [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(found)]


def _numbers(array: np.ndarray) -> np.ndarray | None:
    """The numbers in float64; None if an entry is none."""
    if array.dtype.kind not in "iufO":
        return None
    try:
        with np.errstate(all="ignore"):
            return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        return None


_LARGEST = 1e30
"""Values in float32 are compared up to here."""


def assert_same_or_refused(name: str, number: int, damage: str, dtype: str, form: str) -> None:
    """A place gives of an argument what it gives of the same numbers in float64, or refuses it."""
    place = PLACES[name]
    array = _typed(_DAMAGES[damage]((place.first, place.second)[number]), dtype)
    found = _values(name, number, _FORMS[form](array))
    if isinstance(found, HypermagneticsError):
        assert FORM.fullmatch(str(found)), str(found)
        return
    numbers = _numbers(array)
    assert numbers is not None, "what is no number was taken"
    true = _values(name, number, numbers)
    assert not isinstance(true, HypermagneticsError), str(true)
    for one, other in zip(found, true, strict=True):
        is_told = np.isfinite(other) & (np.abs(other) < _LARGEST)
        scale = np.abs(other[is_told]).max(initial=0)
        np.testing.assert_allclose(one[is_told], other[is_told], rtol=1e-4, atol=1e-4 * scale)


_drawn = given(
    st.sampled_from(_ARGUMENTS),
    st.just("none") | st.sampled_from(sorted(_DAMAGES)),
    st.sampled_from(_TYPES),
    st.sampled_from(sorted(_FORMS)),
)


@pytest.mark.slow
@settings(max_examples=40, derandomize=True)
@_drawn
def test_a_drawn_array_counts_or_is_refused(
    argument: tuple[str, int], damage: str, dtype: str, form: str
) -> None:
    """A few, the same each time."""
    assert_same_or_refused(*argument, damage, dtype, form)


@pytest.mark.slow
@settings(max_examples=500, derandomize=True)
@_drawn
def test_many_drawn_arrays_count_or_are_refused(
    argument: tuple[str, int], damage: str, dtype: str, form: str
) -> None:
    """More of them; without `derandomize` others each time."""
    assert_same_or_refused(*argument, damage, dtype, form)


@pytest.mark.slow_cases
@pytest.mark.parametrize(
    ("name", "number", "damage", "dtype", "form"),
    [
        ("block_superposition", 1, "no rows", "f8", "an array"),
        ("resampled_ratios", 1, "infinity", "f8", "an array"),
        ("labels", 1, "no rows", "f8", "an array"),
        ("superposition", 0, "none", "i1", "of JAX"),
        ("magnetisation", 0, "none", ">i2", "a list of those of JAX"),
        ("potential", 0, "none", "u1", "of JAX"),
        ("learned_block", 0, "none", ">i8", "of JAX"),
        ("row_quantiles", 0, "no columns", "f4", "a list"),
    ],
)
def test_arrays_that_were_neither_taken_nor_refused(
    name: str, number: int, damage: str, dtype: str, form: str
) -> None:
    """Whole numbers of JAX beside float64, samples without points, infinite denominators."""
    assert_same_or_refused(name, number, damage, dtype, form)


def test_whole_numbers_of_jax_keep_their_digits_beside_float64() -> None:
    """Beyond the 24 bits of float32."""
    far = 2**24 + 1
    table = np.array([[1.0, 0.5, far + 0.25, 0.0, 0.5]])
    place, points = PLACES["superposition"], np.array([[far, 1]])
    for one, other in zip(
        place.call(table, jnp.asarray(points)), place.call(table, points), strict=True
    ):
        np.testing.assert_array_equal(one, other)
