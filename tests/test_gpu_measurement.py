"""The script that measures a GPU, tried without one."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from every_model import registered
from magnets import KINDS
from packaging_facts import ROOT

SCRIPT = ROOT / "benchmarks" / "measure_gpu.py"


@pytest.fixture(scope="module")
def figures() -> ModuleType:
    """How figures are judged and printed; benchmarks are no package."""
    path = SCRIPT.with_name("card_figures.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def models() -> Iterator[ModuleType]:
    """The models whose predictions are compared."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SCRIPT.parent)
        yield importlib.import_module("card_models")


def lines(text: str) -> list[dict[str, Any]]:
    """Lines of JSON."""
    return [json.loads(line) for line in text.splitlines()]


def measured(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the script on a CPU."""
    return subprocess.run(
        [sys.executable, SCRIPT, *options],
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("value", "is_rate", "holds"),
    [(1.9, False, True), (2.1, False, False), (1.9, True, False), (2.1, True, True)]
    + [(float("nan"), is_rate, False) for is_rate in (False, True)],
)
def test_a_bound_is_a_most_or_a_least(
    value: float,
    is_rate: bool,
    holds: bool,
    figures: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A value that is no number reaches neither."""

    def measure(place: object) -> Iterator[Any]:
        yield figures.Figure("time", value, "s", 2.0, is_rate)

    row = figures.Row("row", "how long", measure)
    assert row.printed(figures.Place(tmp_path, False)) is holds
    (line,) = lines(capsys.readouterr().out)
    assert (line["bound"], line["bound_is"]) == (2.0, "least" if is_rate else "most")
    assert line["holds"] is holds
    assert row.printed(figures.Place(tmp_path, True))  # a trial is not judged
    (line,) = lines(capsys.readouterr().out)
    assert (line["bound"], line["holds"]) == (None, None)


def test_a_row_that_fails_is_missed(
    figures: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also in a trial; what it had found before is there."""

    def measure(place: object) -> Iterator[Any]:
        yield figures.Figure("time", 1.0, "s")
        raise RuntimeError("out of\nmemory")

    assert not figures.Row("row", "how long", measure).printed(figures.Place(tmp_path, True))
    found, failed = lines(capsys.readouterr().out)
    assert found["value"] == 1.0
    assert failed == {"row": "row", "error": "RuntimeError: out of memory", "holds": False}


def test_predictions_are_those_of_every_model_and_body(
    models: ModuleType, figures: ModuleType, tmp_path: Path
) -> None:
    """By the registry, and by the kinds of bodies."""
    place = figures.Place(tmp_path, True)
    configs = [
        *models.source_configs(place),
        models.soft_config(2),
        *models.network_configs(place).values(),
    ]
    assert {type(config) for config in configs} == registered()
    bodies = {(body, dim) for body, dim, _ in models.BODIES.values()}
    assert bodies == {(kind.bodies[0], kind.dim) for kind in KINDS.values()}


@pytest.mark.slow
def test_errors_are_those_of_the_whole_model(tmp_path: Path) -> None:
    """Of a RangeSplit those of its learned part are in the file as well."""
    evaluations = [
        {
            "subject": subject,
            "split": "test_multi",
            "potential": {"median_relative_error": error},
            "field": {"median_relative_error": 2 * error},
        }
        for subject, error in (("run", 0.01), ("run, learned part", 0.5))
    ]
    (path := tmp_path / "results.json").write_text(json.dumps({"evaluations": evaluations}))
    code = "import sys, pathlib, card_programs as c; path = pathlib.Path(sys.argv[1]); "
    code += "print(*(figure.value for figure in c.errors_of(path, 'run')))"
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, cwd=SCRIPT.parent, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1.0", "2.0"]


@pytest.mark.slow
def test_rows_are_those_of_the_page() -> None:
    """And the ceilings, which have no bound."""
    listed = {line.split()[0] for line in measured("--list").stdout.splitlines()}
    page = (ROOT / "docs" / "gpu.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE))
    assert listed == named | {"ceilings"}


@pytest.mark.slow
def test_a_row_is_tried_on_a_cpu() -> None:
    """Machine, figures without bounds, end."""
    done = measured("--small", "--only", "exact-sums")
    assert done.returncode == 0, done.stderr
    machine, *found, end = lines(done.stdout)
    assert machine["card"] == "cpu"
    assert [line["figure"] for line in found] == [
        f"{bodies}, 64 x 64" for bodies in ("discs", "spheres", "cuboids")
    ]
    assert all(line["value"] > 0 and line["bound"] is None for line in found)
    assert end["missed"] == []


@pytest.mark.slow
def test_rows_behind_the_time_are_missed() -> None:
    """And named."""
    done = measured("--small", "--only", "exact-sums", "--minutes", "0.1")
    assert done.returncode == 1
    _, left_out, end = lines(done.stdout)
    assert left_out["error"] == "left out: 0.1 minutes are over"
    assert end["missed"] == ["exact-sums"]


@pytest.mark.slow
def test_without_a_gpu_nothing_is_measured() -> None:
    """One line says what to do."""
    done = measured()
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "must find a GPU; got cpu" in done.stderr
