"""Rows of a GPU about whole programs, each in a process as a user starts it."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from card_figures import Figure, Place
from timed_trainings import seconds_to_first_line

from hypermagnetics.run_files import RESULTS_NAME
from hypermagnetics.train.metrics_log import wait_share

FEW_SAMPLES = ("samples_per_grid=16", "grid.num_points=32")
FEW_STEPS = {
    "schedule.max_steps": 8,
    "validation.every": 8,
    "checkpoint.every": 8,
    "tracking.log_every": 4,
    "data.points_per_step": 16,
}
SMALL_MODELS = {
    "demo": {"model.width": 16, "model.trunk_frequencies": 8, "model.source_frequencies": 8},
    "hyper-layer": {"model.width": 16},
    "split-5min": {"model.rank": 8, "model.waves": 16},
}
SPLITS = ("train", "valid", "test_single", "test_multi")


def first_step(place: Place) -> Iterator[Figure]:
    """From the start of hm-train to its first step, with an empty cache and with a full one."""
    data, cache = dataset_of(place, "demo"), _empty(place)
    changes = [f"{key}={value}" for key, value in _changes(place, "demo").items()]
    times = [
        seconds_to_first_line(data, _empty(place) / "run", cache, *changes)
        for _ in range(place.size(4, 2))
    ]
    yield Figure("cold cache", times[0], "s", 8.0, before=41)
    yield Figure("warm cache", median(times[1:]), "s", 4.0, before=4.5)


def training(place: Place) -> Iterator[Figure]:
    """The whole of hm-train with an empty cache."""
    data = dataset_of(place, "paper-discs-2d")
    yield Figure("paper-discs-2d, split-5min", _train(place, data), "s", 14.0, before=53)


def evaluation(place: Place) -> Iterator[Figure]:
    """Errors of trained models, and how long hm-eval takes to find them."""
    for recipe, bodies, bound, before in (
        ("paper-discs-2d", "discs", 6.0, 10.8),
        ("prisms-3d", "cuboids", 8.0, 22.9),
    ):
        data, run = dataset_of(place, recipe), _run_of(place, recipe)
        if not (run / "model.hm").exists():
            _train(place, data)
        out = _empty(place)
        words = ("hm-eval", run, data, "--metrics-only", "--out", out)
        printed = _printed(*words, cache=_empty(place))
        if bodies == "discs":
            yield from errors_of(out / RESULTS_NAME, run.name)
        (taken,) = re.findall(r"predicted samples, ([\d.]+) s in all", printed)
        yield Figure(f"--metrics-only, {bodies}", float(taken), "s", bound, before=before)


def waiting(place: Place) -> Iterator[Figure]:
    """Share of the time of steps in which the device waits for data."""
    for name, recipe, before in (
        ("demo", "demo", {"device": 0.52}),
        ("paper-discs-2d", "hyper-layer", {"device": 0.18, "stream": 0.30}),
    ):
        data = dataset_of(place, name)
        for mode, bound in (("device", 0.02), ("stream", 0.05)):
            run = _empty(place) / "run"
            changes = {"schedule.max_steps": 2000, **_changes(place, recipe), "data.mode": mode}
            words = ("hm-train", data, run, "--recipe", recipe, *_set(changes))
            _printed(*words, cache=place.scratch / "cache")
            share = wait_share(run / "metrics.jsonl")
            yield Figure(f"{recipe}, mode {mode}", share, "", bound, before=before.get(mode))


def labels(place: Place) -> Iterator[Figure]:
    """Samples a second of hm-generate, by its own count, with an empty cache."""
    device = () if place.is_small else ("--device", "gpu")
    many = {} if place.is_small else {"splits.train.num_samples": 100_000}
    for recipe, changes, bound, before in (
        ("paper-discs-2d", many, 60_000, 20_400),
        ("prisms-3d", {}, 20_000, 1014),
    ):
        words = _set(_few(place) | changes)
        out = _empty(place) / "data"
        printed = _printed("hm-generate", recipe, out, *device, *words, cache=_empty(place))
        ((count, rate),) = re.findall(r"(\d+) samples, .*\(([\d.e+]+) samples/s\)", printed)
        yield Figure(f"{recipe}, {count} samples", float(rate), "samples/s", bound, True, before)


def errors_of(results: Path, subject: str) -> Iterator[Figure]:
    """Median relative errors of four discs, of the whole model and not of its learned part."""
    (found,) = (
        evaluation
        for evaluation in json.loads(results.read_text(encoding="utf-8"))["evaluations"]
        if evaluation["split"] == "test_multi" and evaluation["subject"] == subject
    )
    for name, bound, before in (("potential", 0.0070, 0.075), ("field", 0.070, 0.31)):
        error = 100 * found[name]["median_relative_error"]
        yield Figure(f"{name} of four discs, median error", error, "%", bound, before=before)


def dataset_of(place: Place, recipe: str) -> Path:
    """The dataset of a recipe, which rows share."""
    directory = place.scratch / recipe
    if not (directory / "manifest.json").exists():
        words = ("hm-generate", recipe, directory, *_set(_few(place)))
        _printed(*words, cache=place.scratch / "cache")
    return directory


def _train(place: Place, data: Path) -> float:
    """Seconds of a training by `split-5min` with an empty cache."""
    words = ("hm-train", data, _run_of(place, data.name), "--recipe", "split-5min")
    changes = _set(_changes(place, "split-5min"))
    start = time.perf_counter()
    _printed(*words, *changes, cache=_empty(place))
    return time.perf_counter() - start


def _run_of(place: Place, recipe: str) -> Path:
    return place.scratch / f"run-{recipe}"


def _few(place: Place) -> dict[str, object]:
    counts = {f"splits.{name}.num_samples": 64 for name in SPLITS}
    few = dict(change.split("=") for change in FEW_SAMPLES)
    return few | counts if place.is_small else {}


def _changes(place: Place, recipe: str) -> dict[str, object]:
    return {**FEW_STEPS, **SMALL_MODELS[recipe]} if place.is_small else {}


def _set(changes: dict[str, object]) -> list[str]:
    return [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]


def _empty(place: Place) -> Path:
    return Path(tempfile.mkdtemp(dir=place.scratch))


def _printed(program: str, *words: str | Path, cache: Path) -> str:
    """All that a program prints.

    Raises:
        RuntimeError: If it fails.
    """
    done = subprocess.run(
        [Path(sys.executable).parent / program, *words],
        env={**os.environ, "JAX_COMPILATION_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = " ".join(done.stderr.split()[-60:])
        raise RuntimeError(f"{program} ended with {done.returncode}: {last}")
    return done.stdout + done.stderr
