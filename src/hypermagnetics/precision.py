"""Precision of the factors of matrix products: a choice of whoever asks a model, not of a process.

On GPUs and TPUs JAX rounds the factors of float32 products to fewer bits unless it is asked not to:
ten times the error of a trained model. So the models ask for all bits, whatever JAX is set to.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Literal, get_args

import jax

from hypermagnetics.errors import HypermagneticsError

MatmulPrecision = Literal["float32", "tensorfloat32", "bfloat16"]
"""Precision of the factors of float32 products; their sums stay in float32."""

_chosen: ContextVar[str] = ContextVar("matmul_precision", default="float32")


@contextmanager
def matmul_precision(precision: MatmulPrecision | str) -> Iterator[None]:
    """Let models multiply faster and less exactly inside a block, on GPUs and TPUs.

    A CPU multiplies in full float32 always. What is compiled inside serves inside alone.

    Args:
        precision: "float32", as everywhere without such a block, "tensorfloat32" or "bfloat16".

    Raises:
        HypermagneticsError: If the precision is another word.
    """
    known = get_args(MatmulPrecision)
    if precision not in known:
        raise HypermagneticsError(
            f"The precision of matrix products must be {', '.join(known[:-1])} or {known[-1]}; got "
            f"{precision!r} (matmul_precision). Give one of these."
        )
    token = _chosen.set(precision)
    try:
        with jax.default_matmul_precision(precision):
            yield
    finally:
        _chosen.reset(token)


def in_chosen_precision() -> AbstractContextManager[None]:
    """A block in which JAX multiplies as `matmul_precision` says, float32 outside of it."""
    chosen: AbstractContextManager[None] = jax.default_matmul_precision(_chosen.get())
    return chosen
