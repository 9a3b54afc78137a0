"""Programs as XLA gets them for a GPU, read on a machine that has none."""

import re
from collections.abc import Callable
from typing import Any

import jax


def lowered_for_cuda(function: Callable[..., Any], *arguments: Any) -> str:
    """The StableHLO of a function for these arguments, on CUDA."""
    traced = jax.jit(lambda *given: function(*given)).trace(*arguments)
    text: str = traced.lower(lowering_platforms=("cuda",)).as_text()
    return text


def precisions(program: str) -> list[str]:
    """Precision of the factors of each matrix product, such as "HIGHEST"."""
    products = [line for line in program.splitlines() if "stablehlo.dot_general" in line]
    found = [re.search(r"precision = \[(\w+), (\w+)\]", line) for line in products]
    return [match[1] if match and match[1] == match[2] else str(match) for match in found]


def convolution_precisions(program: str) -> list[str]:
    """Precision of the factors of each convolution, such as "HIGHEST"."""
    lines = [line for line in program.splitlines() if "stablehlo.convolution" in line]
    found = [re.findall(r"#stablehlo<precision (\w+)>", line) for line in lines]
    return [" ".join(sorted(set(names))) for names in found]
