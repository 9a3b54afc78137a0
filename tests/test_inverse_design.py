"""docs/inverse-design.md finds its magnets."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from packaging_facts import ROOT

from hypermagnetics.models import ModelInputs, RangeSplit, Scales, save_model
from hypermagnetics.models.split import RangeSplitConfig
from hypermagnetics.models.split.fit import FitConfig
from hypermagnetics.sources import SourceColumns


@pytest.mark.slow
def test_the_page_finds_its_magnets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a small model, fitted as hm-train fits it; float32 as in a program."""
    discs = SourceColumns.of("disc", constants={"radius": 1.0})
    inputs = ModelInputs(columns=discs, scales=Scales(length=3**0.5, moment=1.0, potential=0.1))
    config = RangeSplitConfig(rank=128, waves=512, fit=FitConfig(num_sources=1500, num_points=600))
    sources = jr.normal(jr.key(0), (3000, 4), jnp.float32)
    points = jr.uniform(jr.key(1), (1000, 2), jnp.float32, -3, 3)
    model = RangeSplit(config, inputs, jr.key(2)).fitted(sources, points, jr.key(3))
    save_model(tmp_path / "run" / "model.hm", model, {})
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "inverse-design.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    names: dict[str, np.ndarray] = {}
    with jax.enable_x64(False):
        exec(compile(code, "inverse-design.md", "exec"), names)
    assert np.abs(names["found"] - names["true"]).max() < 0.1
