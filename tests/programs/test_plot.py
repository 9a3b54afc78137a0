"""hm-train plot: one run and several, finished or not, and what is no run."""

import json
import shutil
from pathlib import Path

import pytest
from matplotlib.image import imread
from program_runs import (
    Made,
    assert_refused,
    copy_of,
    finished_dataset,
    finished_run,
    invoke,
    settings,
    snapshot,
)

from hypermagnetics.train.plotting.figure import plot_runs
from hypermagnetics.train.plotting.history import History, read_history


def assert_picture(path: Path) -> None:
    """A PNG of a good size, and something in it."""
    pixels = imread(path)
    height, width, _ = pixels.shape
    assert width > height > 500
    assert pixels.std() > 0.05


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy of the shared run."""
    return copy_of(finished_run("zarr"), tmp_path / "run")


def cut(run: Path, lines: int, tail: bytes = b"") -> None:
    """Leave some lines of metrics.jsonl, and something behind them."""
    path = run / "metrics.jsonl"
    kept = path.read_bytes().splitlines(keepends=True)[:lines]
    path.write_bytes(b"".join(kept) + tail)


@pytest.mark.slow
def test_one_run_is_drawn_into_its_directory(run: Path) -> None:
    ran = invoke("hm-train", "plot", run)
    assert (ran.code, ran.stderr, ran.stdout) == (0, "", f"Wrote {run / 'plot.png'}.\n")
    assert_picture(run / "plot.png")


@pytest.mark.slow
def test_several_are_drawn_where_one_stands(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And --out says where else; nothing is written into a run."""
    other = copy_of(Made(run, finished_run("zarr").ran), tmp_path / "other")
    before = snapshot(run), snapshot(other)
    monkeypatch.chdir(tmp_path)
    assert invoke("hm-train", "plot", "run", "other").stdout == "Wrote plot.png.\n"
    assert_picture(tmp_path / "plot.png")
    assert invoke("hm-train", "plot", "run", "other", "--out", "both.PNG").code == 0
    assert_picture(tmp_path / "both.PNG")
    assert (snapshot(run), snapshot(other)) == before


@pytest.mark.slow
@pytest.mark.parametrize("tail", [b"", b'{"step": 12, "lo', b"\0\0\0"], ids=repr)
@pytest.mark.parametrize("lines", [1, 11])
def test_a_run_in_progress_is_drawn(run: Path, lines: int, tail: bytes) -> None:
    """Its last line may be half written."""
    (run / "model.hm").unlink()
    cut(run, lines, tail)
    assert len(read_history(run).curve("loss").steps) == lines
    assert invoke("hm-train", "plot", run).code == 0
    assert_picture(run / "plot.png")


@pytest.mark.slow
def test_a_resumed_run_is_drawn_with_each_step_once(run: Path) -> None:
    data = finished_dataset("zarr").path
    later = settings("schedule.max_steps=340")
    assert invoke("hm-train", data, run, "--resume", *later).code == 0
    steps = read_history(run).curve("loss").steps
    assert [*steps] == list(range(1, 341))
    assert invoke("hm-train", "plot", run).code == 0


@pytest.mark.slow
def test_a_plotted_run_can_be_overwritten(run: Path) -> None:
    """The picture is one of its files."""
    assert invoke("hm-train", "plot", run).code == 0
    (run / "tracking" / "wandb").mkdir(parents=True)
    (run / "tracking" / "wandb" / "debug.log").write_text("")
    short = settings("schedule.max_steps=2")
    ran = invoke("hm-train", finished_dataset("zarr").path, run, "--overwrite", *short)
    assert ran.code == 0, ran
    assert not (run / "plot.png").exists()
    assert not (run / "tracking").exists()


@pytest.mark.parametrize(
    "content", [None, b"", b'{"step": 1, "lo'], ids=["no log", "empty", "torn"]
)
def test_a_run_without_a_line_is_refused(run: Path, content: bytes | None) -> None:
    path = run / "metrics.jsonl"
    path.unlink() if content is None else path.write_bytes(content)
    assert_refused(invoke("hm-train", "plot", run), "must have logged some steps", str(path))


@pytest.mark.slow
@pytest.mark.parametrize(
    "line", [b"{", b"[1]", b"3", b'{"loss": 1}', b'{"step": "one"}', b"\xff\0", b"[" * 100_000]
)
def test_a_damaged_line_costs_that_line(run: Path, line: bytes) -> None:
    """The number of the line is said, and the others are drawn."""
    cut(run, 4, line + b'\n{"step": 9, "loss": 1.0}\n')
    ran = invoke("hm-train", "plot", run)
    assert ran.code == 0, ran
    (complaint,) = ran.complaints
    assert complaint.startswith(f"Line 5 of {run / 'metrics.jsonl'} is damaged and is left out: ")


@pytest.mark.parametrize("name", ["nothing", "a-file", "a-dataset"])
def test_what_is_no_run_is_refused(run: Path, tmp_path: Path, name: str) -> None:
    """Though a good one is given, too; nothing is written."""
    (tmp_path / "a-file").write_text("")
    shutil.copytree(finished_dataset("zarr").path, tmp_path / "a-dataset")
    ran = invoke("hm-train", "plot", run, tmp_path / name, "--out", tmp_path / "out.png")
    assert_refused(ran, "RUN must be the directory of a training", name)
    assert not (tmp_path / "out.png").exists()


def test_another_kind_of_file_is_refused(run: Path, tmp_path: Path) -> None:
    ran = invoke("hm-train", "plot", run, "--out", tmp_path / "out.pdf")
    assert_refused(ran, "--out must name a PNG file", "out.pdf")


def test_speed_is_a_mean_weighted_by_time(run: Path) -> None:
    """Of lines about steps that were compiled before, if there are such."""
    lines = [
        {"step": 1, "loss": 9.0, "steps": 1, "seconds_per_step": 50.0, "compiles": True},
        {"step": 2, "loss": 8.0, "steps": 1, "seconds_per_step": 3.0, "compiles": False},
        {"step": 4, "loss": 7.0, "steps": 2, "seconds_per_step": 0.5, "compiles": False},
    ]
    for line, rate, share in zip(lines, (1.0, 10.0, 50.0), (0.9, 0.2, 0.6), strict=True):
        line |= {"samples_per_second": rate, "wait_share": share}
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    history = read_history(run)
    assert history.curve("samples_per_second").steps.tolist() == [2, 4]
    assert history.curve("samples_per_second").values == pytest.approx([10.0, 20.0])
    assert history.curve("wait_share").values == pytest.approx([0.2, 0.3])
    assert history.curve("loss").values.tolist() == [9.0, 8.0, 7.0]


@pytest.mark.slow
@pytest.mark.parametrize("count", [3, 12])
def test_many_runs_of_one_name_have_a_colour_and_a_number_each(run: Path, count: int) -> None:
    """More than there are colours of the usual palette."""
    found = read_history(run)
    same = [History(found.name, found.curves) for _ in range(count)]
    assert plot_runs(same).startswith(b"\x89PNG")


def test_help_names_the_command() -> None:
    assert "hm-train plot RUN..." in invoke("hm-train", "--help").stdout
    assert "Usage: hm-train plot" in invoke("hm-train", "plot", "--help").stdout
