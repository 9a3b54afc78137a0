"""docs/extending.md works as it stands there: its modules, under its commands."""

import re
import shutil
from pathlib import Path

import pytest
from packaging_facts import ROOT
from program_runs import run_program, settings
from small_networks import small_arrays

from hypermagnetics.data import Dataset

PAGE = ROOT / "docs" / "extending.md"
SHORT = settings("schedule.max_steps=2", "schedule.warmup_fraction=0.0")


@pytest.mark.slow
def test_the_page_runs(tmp_path: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real processes in a directory with the modules of the page, but cut short."""
    shutil.copytree(tiny.directory, tmp_path / "discs")
    small_arrays(tmp_path, samples_per_block=1).directory.rename(tmp_path / "arrays")
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    modules = re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in modules] == [
        *("my_models.py", "my_networks.py", "my_losses.py", "my_scales.py")
    ]
    for name, code in modules:
        Path(name).write_text(code, encoding="utf-8")
    commands = re.findall(r"^    (hm-\w+) (.+)$", text, re.MULTILINE)
    assert [program for program, _ in commands] == ["hm-train", "hm-eval", *["hm-train"] * 6]
    for program, line in commands:
        words = line.split()
        # A run that is resumed under its names keeps the recipe it has.
        trains = program == "hm-train" and not {"--resume", "export"} & set(words)
        short = SHORT if trains else ("--metrics-only",) * (program == "hm-eval")
        ran = run_program(program, *words, *short)
        assert (ran.code, ran.complaints) == (0, []), (line, ran)
