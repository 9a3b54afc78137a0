"""docs/soft-magnets-gallery.md: its programs print what stands below them."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from packaging_facts import ROOT

from hypermagnetics.models import ModelInputs, Reduced, ReducedConfig, save_model
from hypermagnetics.table import SourceColumns

PAGE = (ROOT / "docs" / "soft-magnets-gallery.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(
    r"^```python\n(.*?)^```\n\n```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL
)
TIME = re.compile(r" \S+ ms a step")


def test_its_pictures_are_there() -> None:
    pictures = re.findall(r"\]\((images/.*?)\)", PAGE)
    assert len(pictures) == len(PROGRAMS) == 3
    for picture in pictures:
        assert (ROOT / "docs" / picture).is_file()


def _numbers(text: str) -> np.ndarray:
    return np.array(re.findall(r"-?\d+\.?\d*", TIME.sub("", text)), float)


@pytest.mark.slow
@pytest.mark.parametrize(("program", "printed"), PROGRAMS[:2], ids=["sheet", "yoke"])
def test_it_prints_what_the_page_says(
    program: str, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(compile(program, "soft-magnets-gallery.md", "exec"), {})
    np.testing.assert_allclose(_numbers(capsys.readouterr().out), _numbers(printed), rtol=0.01)


@pytest.mark.slow
def test_the_design_is_that_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With modes of other random neighbours."""
    program, printed = PROGRAMS[2]
    names = ("radius", "dimension_x", "dimension_y", "angle", "susceptibility")
    columns = SourceColumns.of(
        "disc", "rectangle", varying=names, constants={"applied_x": 0.0, "applied_y": 0.0}
    )
    magnet = [[1.0, 0, 0, 0, 0.5, 0, 0, 0, 0, 1]]
    config = ReducedConfig(aspects=((1.0, 1.0),))
    with jax.enable_x64(False):
        model = Reduced(config, ModelInputs(columns=columns))
        fitted = model.fitted(jnp.array(magnet), jnp.zeros((1, 2)), jax.random.key(1))
    save_model(tmp_path / "run" / "model.hm", fitted, {})
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "soft-magnets-gallery.md", "exec"), {})
    found = capsys.readouterr().out
    np.testing.assert_allclose(_numbers(found), _numbers(printed), rtol=0.02, atol=5e-3)
