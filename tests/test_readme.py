"""What the pages show runs as it stands there."""

import re
import shutil
from collections import Counter
from pathlib import Path

import jax.random as jr
import pytest
from packaging_facts import ROOT
from program_runs import invoke

from hypermagnetics.data import Dataset
from hypermagnetics.models import HyperLayer, ModelInputs, save_model
from hypermagnetics.sources import SourceColumns

PAGES = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{p.name}" for p in ROOT.glob("docs/*.md")))
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [pytest.param("README.md", marks=pytest.mark.slow), "docs/format.md", "docs/metrics.md"],
)
def test_python_blocks_run(
    page: str, tmp_path: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after another, beside a run as `make demo` leaves it, a dataset, and an evaluation."""
    shutil.copytree(tiny.directory, tmp_path / "discs")
    discs = ModelInputs(columns=SourceColumns.of("disc", constants={"radius": 1.0}))
    model = HyperLayer(
        width=8,
        depth=1,
        hwidth=0.5,
        hdepth=1,
        inputs=discs,
        hyperkey=jr.key(0),
        mainkey=jr.key(1),
    )
    save_model(tmp_path / "demo" / "run" / "model.hm", model, {})
    monkeypatch.chdir(tmp_path)
    if "samples.zarr" in (ROOT / page).read_text(encoding="utf-8"):
        evaluated = invoke("hm-eval", "demo/run", "discs", "--out", ".", "--metrics-only")
        assert evaluated.code == 0, evaluated
    blocks = _BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    assert blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, page, "exec"), names)


def test_no_placeholder_is_left() -> None:
    """A line that is one word in capitals stands for numbers to come."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\s*[A-Z]+\s*$", text, re.MULTILINE) == []


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """Every relative link names a file, and a heading of it if it names one."""
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!http)([^)#]*)(?:#([^)]+))?\)", text)
    for path, anchor in links:
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), path
        assert not anchor or anchor in anchors(file), f"{path}#{anchor}"


def anchors(file: Path) -> set[str]:
    """Of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    found: Counter[str] = Counter()
    names = set()
    for heading in headings:
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        names.add(f"{name}-{found[name]}" if found[name] else name)  # the same heading again
        found[name] += 1
    return names


@pytest.mark.parametrize("page", PAGES)
def test_scripts_that_pages_name_exist(page: str) -> None:
    """A figure is as good as the script that prints it."""
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:benchmarks|tests)/[\w/]+\.py", text))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_make_targets_and_programs_exist() -> None:
    """Every `make x` and `hm-x` the README types."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?:`|^    )make (\w+)", text, re.MULTILINE))
    assert targets >= {"demo", "test", "bench"}
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    programs = set(re.findall(r"^\s+(hm-\w+)", text, re.MULTILINE))
    assert programs == {"hm-data", "hm-generate", "hm-train", "hm-eval"}
