"""Do trajectories and trainings by rollouts keep the bounds of docs/dynamics.md?

    python benchmarks/measure_rollouts.py [quickstart] [trainax] [trajectories] [memory]

- quickstart: how close two numbers come to the upwind stencil, for five datasets and rollouts of 1,
  5 and 20 steps;
- trainax: the time of such a training against that of trainax on the same data (extra `peers`);
- trajectories: stored moments against scipy's DOP853, and one sphere against its closed form;
- memory: that of a training on windows of 20 steps, against the dataset and a batch.

Each figure stands beside its bound, and the exit code is 1 if one that must be kept is not. Times
are good only where nothing else runs on the machine.
"""

import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
import optax
import trainax
from bench_train_memory import anonymous_bytes
from jaxtyping import Float64
from measurement import circumstances
from scipy.integrate import solve_ivp

from hypermagnetics.data import Dataset
from hypermagnetics.dynamics.llg import LLG
from hypermagnetics.generate import generate
from hypermagnetics.run_files import RunFiles
from hypermagnetics.train import TrainedRun, train

SEEDS = range(5)
STENCIL = np.array([0.25, 0.75])
DISTANCES = {1: 0.033, 5: 0.030, 20: 0.018}
"""Distance from the stencil by steps of the rollout, as trainax finds it."""
MARGIN = 0.004
STEPS = 1000
RATE = 1e-2
TURNS = 3
FEW = {"train": {"num_samples": 8}, "valid": {"num_samples": 1}, "test": {"num_samples": 1}}

_Moments = Float64[np.ndarray, "sources 3"]


class Bounds:
    """Figures that were printed beside their bounds, and whether all were kept."""

    def __init__(self) -> None:
        """Begin with none."""
        self.kept = True

    def at_most(self, name: str, figure: float, must: float, aim: float | None = None) -> None:
        """Print a figure, and remember whether it is too large."""
        met = bool(figure <= must)
        self.kept &= met
        aimed = "" if aim is None else f", aim {aim:g}{'' if figure <= aim else ' NOT reached'}"
        print(f"{name}: {figure:.3g} (must {must:g}{'' if met else ' NOT kept'}{aimed})")
        line = {"figure": name, "value": figure, "must": must, "aim": aim, "kept": met}
        print(json.dumps(line | circumstances()))


def of_rollouts(data: Dataset, run: Path, steps: int, **changes: Any) -> TrainedRun:
    """A training by the recipe of the quickstart."""
    terms = {"terms": {"rollout": {"rollout_steps": steps}}}
    return train(data, run, "advection-1d", objective=terms, **changes)


def quickstart(bounds: Bounds, scratch: Path) -> None:
    """Distance of the kernel from the stencil."""
    found: dict[int, list[float]] = {steps: [] for steps in DISTANCES}
    for seed in SEEDS:
        data = generate("advection-1d", scratch / f"advection{seed}", seed=seed)
        for steps, distances in found.items():
            run = of_rollouts(data, scratch / f"quickstart{seed}-{steps}", steps)
            kernel = np.asarray(run.model.layers[0].weight).ravel()
            distances.append(float(np.linalg.norm(kernel - STENCIL)))
        print(f"seed {seed}: " + ", ".join(f"r = {r} {d[-1]:.4f}" for r, d in found.items()))
    for steps, distances in found.items():
        off = abs(statistics.mean(distances) - DISTANCES[steps])
        for seed, distance in zip(SEEDS, distances, strict=True):
            name = f"distance off {DISTANCES[steps]}, r = {steps}, seed {seed}"
            bounds.at_most(name, abs(distance - DISTANCES[steps]), MARGIN)
        bounds.at_most(f"mean distance off {DISTANCES[steps]}, r = {steps}", off, MARGIN)
    for steps in (1, 5):
        worst = max(far / near for far, near in zip(found[20], found[steps], strict=True))
        bounds.at_most(f"distance of r = 20 over that of r = {steps}, worst seed", worst, 1)


class Seconds(NamedTuple):
    """Time of a training, and of its steps once they are compiled [s]."""

    whole: float
    steps: float


def own_seconds(data: Dataset, run: Path, steps: int, num_steps: int = STEPS) -> Seconds:
    """Of hm-train, with its files, validations and checkpoints."""
    start = time.perf_counter()
    of_rollouts(data, run, steps, schedule={"max_steps": num_steps})
    whole = time.perf_counter() - start
    lines = map(json.loads, RunFiles(run).metrics.read_text().splitlines())
    each = [line["seconds_per_step"] for line in lines if line.get("compiles") is False]
    return Seconds(whole, statistics.mean(each) * num_steps if each else math.nan)


def their_seconds(states: np.ndarray, steps: int, num_steps: int = STEPS) -> Seconds:
    """Of trainax, the first tenth of its steps left out where they are counted alone."""
    times: list[float] = []
    start = time.perf_counter()
    trainer = trainax.trainer.SupervisedTrainer(
        jax.numpy.asarray(states),
        num_rollout_steps=steps,
        optimizer=optax.adam(RATE),
        num_training_steps=num_steps,
        batch_size=len(states),
        callback_fn=lambda *_: times.append(time.perf_counter()),
    )
    network = eqx.nn.Conv1d(
        1, 1, 2, padding="SAME", padding_mode="CIRCULAR", use_bias=False, key=jax.random.key(73)
    )
    found, *_ = trainer(network, key=jax.random.key(42), spawn_tqdm=False)
    jax.block_until_ready(found.weight)
    end = time.perf_counter()
    first = num_steps // 10
    return Seconds(end - start, (end - times[first]) / (num_steps - first) * num_steps)


def against_trainax(bounds: Bounds, scratch: Path) -> None:
    """Time of trainings of the same network on the same data, the least of some in turns."""
    data = generate("advection-1d", scratch / "raced", seed=0)
    states = data.array_split("train").entries("states", range(20))
    own_seconds(data, scratch / "warm", 2, 2)
    their_seconds(states, 2, 2)  # both have started JAX
    for steps in DISTANCES:
        own, other = [], []
        for turn in range(TURNS):
            own.append(own_seconds(data, scratch / f"raced{steps}-{turn}", steps))
            other.append(their_seconds(states, steps))
        for kind in Seconds._fields:
            ours, theirs = (min(getattr(one, kind) for one in some) for some in (own, other))
            print(f"r = {steps}, {kind}: hm-train {ours:.2f} s, trainax {theirs:.2f} s")
            name = f"time over that of trainax, r = {steps}, {kind}"
            bounds.at_most(name, ours / theirs, 1, 0.3)


class Precession:
    """The equation of Landau, Lifshitz and Gilbert of some spheres, written down a second time."""

    def __init__(self, dynamics: LLG, positions: Float64[np.ndarray, "sources 3"]) -> None:
        """Keep the distances."""
        self.dynamics = dynamics
        self._apart = positions[:, None] - positions[None]
        distance = np.linalg.norm(self._apart, axis=-1)
        self._distance = np.where(np.eye(len(positions), dtype=bool), np.inf, distance)[..., None]

    def field(self, moments: _Moments) -> _Moments:
        """Field of all other dipoles [A/m]."""
        along = np.sum(self._apart * moments[None], axis=-1, keepdims=True)
        each = 3 * along * self._apart / self._distance**5 - moments[None] / self._distance**3
        found: _Moments = each.sum(axis=1) / (4 * np.pi)
        return found

    def rate(self, moments: _Moments) -> _Moments:
        """Rate of change [A m²/s]."""
        own, alpha = self.dynamics, self.dynamics.damping
        turning = np.cross(moments, self.field(moments) + np.array(own.applied_field))
        size = np.linalg.norm(moments, axis=-1, keepdims=True)
        found: _Moments = (
            -own.gamma / (1 + alpha**2) * (turning + alpha / size * np.cross(moments, turning))
        )
        return found

    def states(self, start: _Moments, num_steps: int) -> Float64[np.ndarray, "states sources 3"]:
        """The trajectory from a state."""
        times = np.arange(num_steps + 1) * self.dynamics.time_step
        found = solve_ivp(
            lambda _, values: self.rate(values.reshape(start.shape)).ravel(),
            (0, times[-1]),
            start.ravel(),
            method="DOP853",
            t_eval=times,
            rtol=1e-12,
            atol=1e-14,
        )
        values: np.ndarray = found.y
        return values.T.reshape(-1, *start.shape)

    def energy(self, moments: _Moments) -> float:
        """Energy over mu_0 [A² m]."""
        field = np.array(self.dynamics.applied_field) + self.field(moments) / 2
        return float(-np.sum(moments * field))


def off(found: np.ndarray, wanted: np.ndarray) -> float:
    """Largest error of a moment relative to its magnitude."""
    error = np.linalg.norm(found - wanted, axis=-1) / np.linalg.norm(wanted, axis=-1)
    return float(error.max())


def trajectories(bounds: Bounds, scratch: Path) -> None:
    """Stored moments against those of scipy, and against laws."""
    whole, step, drift, rise = [], [], [], []
    for dynamics, moments, sources in stored(scratch / "precession", FEW):
        spheres = Precession(dynamics, sources[:, 3:6])
        whole.append(off(moments, spheres.states(moments[0], len(moments) - 1)))
        step += [off(after, spheres.states(one, 1)[1]) for one, after in pairwise(moments)]
        size = np.linalg.norm(moments, axis=-1)
        drift.append(float(np.abs(size / size[0] - 1).max()))
        energy = np.array([spheres.energy(one) for one in moments])
        rise.append(float((np.diff(energy) / np.abs(energy).max()).max()))
    bounds.at_most("error of stored moments over a trajectory", max(whole), 1e-5, 1e-6)
    bounds.at_most("error of stored moments over a step", max(step), 1e-6, 2e-7)
    bounds.at_most("drift of |m|", max(drift), 1e-6)
    bounds.at_most("rise of the energy in a step", max(rise), 1e-6)
    alone = {name: {**split, "num_sources": 1} for name, split in FEW.items()}
    closed = [
        off(moments, closed_form(dynamics, moments[0], len(moments) - 1))
        for dynamics, moments, _ in stored(scratch / "alone", alone)
    ]
    bounds.at_most("one sphere against its closed form", max(closed), 1e-6)


def stored(
    directory: Path, splits: dict[str, dict[str, int]]
) -> list[tuple[LLG, np.ndarray, np.ndarray]]:
    """Dynamics, moments and sources of the samples of the recipe `precession`, in float64."""
    data = generate("precession", directory, splits=splits)
    dynamics = LLG.model_validate(data.manifest.recipe["dynamics"], strict=False)
    split = data.split("train")
    arrays = [split.entries(name, range(len(split))) for name in ("moments", "sources")]
    moments, sources = (np.asarray(values, np.float64) for values in arrays)
    return [(dynamics, *both) for both in zip(moments, sources, strict=True)]


def closed_form(
    dynamics: LLG, start: _Moments, num_steps: int
) -> Float64[np.ndarray, "states 1 3"]:
    """One moment in a field H along z.

    tan(theta / 2) = tan(theta_0 / 2) exp(-alpha gamma H t / (1 + alpha²)), and phi = phi_0 + gamma
    H t / (1 + alpha²).
    """
    x, y, z = start[0]
    assert dynamics.applied_field is not None, "the recipe has one"
    along_x, along_y, field = dynamics.applied_field
    assert along_x == along_y == 0, "the field of the recipe is along z"
    size, alpha = np.linalg.norm(start[0]), dynamics.damping
    turned = dynamics.gamma * field / (1 + alpha**2) * dynamics.time_step * np.arange(num_steps + 1)
    half = np.tan(np.arctan2(np.hypot(x, y), z) / 2) * np.exp(-alpha * turned)
    theta, phi = 2 * np.arctan(half), np.arctan2(y, x) + turned
    parts = np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)
    found: np.ndarray = size * np.stack(parts, axis=-1)[:, None]
    return found


def memory(bounds: Bounds, scratch: Path) -> None:
    """Memory of a training on windows of many states, beyond that on few."""
    points, states, per_block, steps = 1000, 100, 32, 20
    peaks, sizes = [], []
    for count in (per_block, 1024):
        data = scratch / f"states{count}"
        runs = (scratch / f"trained{count}-{number}" for number in range(3))
        splits = {"train": {"num_samples": count}, "valid": {"num_samples": 1}}
        splits |= {"test": {"num_samples": 1}}
        made = {"num_points": points, "num_steps": states - 1}
        generate("advection-1d", data, states=made, splits=splits, samples_per_block=per_block)
        sizes.append(4 * count * states * points)
        # The allocator takes some 20 MB more or less from run to run.
        peaks.append(min(peak_memory(data, run, steps) for run in runs))
    batch = 4 * per_block * (steps + 1) * points
    more, allowed = peaks[1].whole - peaks[0].whole, sizes[1] + batch
    for size, peak in zip(sizes, peaks, strict=True):
        print(
            f"{size / 1e6:.0f} MB of states: largest memory {peak.whole / 1e6:.0f} MB, of which "
            f"{peak.own / 1e6:.0f} MB are no mapped files; a batch has {batch / 1e6:.1f} MB"
        )
    bounds.at_most("memory over dataset and a batch, windows of 20 steps", more / allowed, 1, 1)


class Peak(NamedTuple):
    """Largest memory of a process [bytes]."""

    whole: int
    """With the pages of mapped files."""
    own: int


def peak_memory(data: Path, run: Path, steps: int) -> Peak:
    """Of a training, one block a step and one step a call, which holds the batches of its steps."""
    settings = (
        f"objective.terms.rollout.rollout_steps={steps}",
        "data.blocks_per_batch=1",
        "compute.steps_per_dispatch=1",
        "schedule.max_steps=200",
    )
    program = Path(sys.executable).parent / "hm-train"
    command: list[str | Path] = [program, data, run, "--recipe", "advection-1d"]
    command += [word for setting in settings for word in ("--set", setting)]
    process, peak = subprocess.Popen(command), Peak(0, 0)
    while process.poll() is None:
        found = high_water(process.pid), anonymous_bytes(process.pid)
        peak = Peak(*map(max, peak, found))
        time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"hm-train ended with {process.returncode}.")
    return peak


def high_water(process: int) -> int:
    """VmHWM of a process, 0 when it has ended; that of getrusage includes its parent's."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


PARTS: dict[str, Callable[[Bounds, Path], None]] = {
    "quickstart": quickstart,
    "trainax": against_trainax,
    "trajectories": trajectories,
    "memory": memory,
}


def main() -> None:
    """Measure the parts of the command line, or all."""
    bounds = Bounds()
    with tempfile.TemporaryDirectory() as scratch:
        for name in sys.argv[1:] or PARTS:
            PARTS[name](bounds, Path(scratch))
    sys.exit(not bounds.kept)


if __name__ == "__main__":
    main()
