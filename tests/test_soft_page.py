"""docs/soft-magnets.md: its Python works, and its limits are those of the code."""

import re
from pathlib import Path

import numpy as np
import pytest

from hypermagnetics.models import ReducedConfig

TEXT = (Path(__file__).parent.parent / "docs" / "soft-magnets.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_its_python_works() -> None:
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert blocks
    for block in blocks:
        names: dict[str, object] = {}
        exec(compile(block, "docs/soft-magnets.md", "exec"), names)
        found = names["found"]
        assert found.residual < 1e-9
        # About as a disc of its area in the field of the magnet at its centre, 2 H each square.
        assert np.asarray(found.moments)[1, 0] > 2 / (2 * np.pi * 1.5**2) * 0.8


def test_its_limits_are_the_defaults() -> None:
    settings = ReducedConfig()
    assert f"`model.gap` ({settings.gap:g} of the longest side)" in TEXT
    for name in ("aspects", "gap", "largest_susceptibility"):
        assert f"`model.{name}`" in TEXT
        assert name in ReducedConfig.model_fields
