"""Labels of the CPU and of a GPU: chosen, said, agreeing, and never mixed."""

import importlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest
from lowered import lowered_for_cuda
from program_runs import assert_refused, contents, invoke, settings, snapshot
from recording import Killed, Recording
from shipped_datasets import random_recipes

from hypermagnetics.config import load_recipe
from hypermagnetics.data import CPU, Dataset, Identity, LabelDevice
from hypermagnetics.data.convert import convert
from hypermagnetics.data.in_directory import LOCK_NAME, InDirectory
from hypermagnetics.data.journal import Journal
from hypermagnetics.data.shard_threads import blocks_at_once, shard_threads
from hypermagnetics.errors import DatasetError, HypermagneticsError
from hypermagnetics.generate import generate
from hypermagnetics.generate.bodies import source_columns
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.plan import SourcePlan, make_plan
from hypermagnetics.generate.run import generate as make_dataset
from hypermagnetics.generate.shards import make_shard
from hypermagnetics.jax_setup import keep_to_cpu
from hypermagnetics.machine import Platform
from hypermagnetics.sources.sums import sums_for, sums_platform

labels_module = importlib.import_module("hypermagnetics.sources.labels")
shard_module = importlib.import_module("hypermagnetics.data.shard_threads")

GPU = LabelDevice(platform="gpu", kind="NVIDIA H100")
KEPT = Path(__file__).parents[1] / "reference" / "format-1" / "zarr-none"
SMALL = (
    "grid.num_points=16",
    "samples_per_grid=4",
    "splits={train={num_samples=22, num_sources=2}}",
    "storage.shard_mb=1e-6",
)
"""Six shards of a block, the last of them not full."""

RECIPES = [
    pytest.param(
        name, marks=[pytest.mark.slow] * name.startswith(("mixed", "prisms", "rectangles"))
    )
    for name in random_recipes()
]
"""All that are shipped; boxes take long to compile."""

PROGRAM = ("demo", *settings(*SMALL))


def stand_in(patch: pytest.MonkeyPatch) -> None:
    """Let the CPU compute in place of a GPU, with sums shaped for one."""
    cpu, named = jax.devices("cpu")[0], SimpleNamespace(device_kind=GPU.kind)
    patch.setattr("hypermagnetics.sources.sums.first_device", lambda platform: cpu)
    patch.setattr("hypermagnetics.generate.labels.first_device", lambda platform: named)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that the CPU stands in for."""
    stand_in(monkeypatch)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets JAX find devices of one platform alone."""

    def only(platform: str) -> None:
        def local_devices(backend: str) -> list[jax.Device]:
            if backend != platform:
                raise RuntimeError(f"Unknown backend {backend}")
            return jax.devices("cpu")

        monkeypatch.setattr(jax, "local_devices", local_devices)
        monkeypatch.setattr(jax, "default_backend", lambda: platform)
        monkeypatch.setenv("JAX_PLATFORMS", "cpu" if platform == "cpu" else "cuda")

    return only


def recipe_of(*overrides: str, name: str = "demo") -> DatasetRecipe:
    """A shipped one, changed."""
    return load_recipe(DatasetRecipe, "dataset", name, overrides)


def plan_of(*overrides: str, name: str = "demo") -> SourcePlan:
    """Of a shipped recipe."""
    return make_plan(recipe_of(*overrides, name=name), "zarr")


@pytest.mark.slow_cases
@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(
    "recipe",
    RECIPES,
)
def test_labels_of_both_platforms_agree(recipe: str, tmp_path: Path) -> None:
    """To one rounding of float32, of the same sources and points; and verify takes them."""
    plan = plan_of(
        *("grid.num_points=40", "samples_per_grid=4"),
        "splits={train={num_samples=7, num_sources=[1, 3]}}",
        name=recipe,
    )
    made = {}
    for device in (CPU, GPU):
        make_dataset(plan.on(device), tmp_path / device.platform)
        made[device.platform] = Dataset.open(tmp_path / device.platform).split("train")[:]
    cpu, gpu = made["cpu"], made["gpu"]
    for name in ("sources", "num_sources", "grids"):
        np.testing.assert_array_equal(getattr(gpu, name), getattr(cpu, name))
    for name in ("potential", "field"):
        np.testing.assert_array_max_ulp(getattr(gpu, name), getattr(cpu, name))
    ran = invoke("hm-data", "verify", tmp_path / "gpu", "--recompute", "1")
    assert (ran.code, ran.complaints) == (0, [])
    assert "labels of 7 samples follow from their sources" in ran.stdout


@pytest.mark.slow_cases
@pytest.mark.parametrize(
    "recipe",
    RECIPES,
)
def test_a_gpu_gets_blocks_in_float64_without_loops(recipe: str) -> None:
    """One fused reduction, rounded at its end, where a CPU has a loop over sources."""
    columns = source_columns(recipe_of(name=recipe).sources.body)
    given = np.ones((4, 24, columns.size), "f4"), np.full(4, 24), np.ones((40, columns.dim), "f4")

    def lowered(platform: Platform) -> str:
        with sums_for(platform), jax.enable_x64(True):
            return lowered_for_cuda(lambda *some: labels_module._rounded(columns, *some), *given)

    program = lowered("gpu")
    assert "stablehlo.while" not in program
    assert "stablehlo.while" in lowered("cpu")
    assert "f64>" in program
    assert '-> (tensor<4x40xf32> {jax.result_info = "result[0]"}' in program


@pytest.mark.slow
@pytest.mark.usefixtures("gpu")
def test_labels_are_computed_where_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the CPU unless told otherwise, also where JAX would choose a GPU; verify likewise."""
    monkeypatch.setattr("hypermagnetics.sources.sums.default_platform", lambda: "gpu")
    used, compiled = set(), labels_module._compiled

    def spy(platform: Platform) -> Callable[..., Any]:
        device = jax.config.jax_default_device  # type: ignore[attr-defined]
        used.add((platform, sums_platform(), device))
        function: Callable[..., Any] = compiled(platform)
        return function

    monkeypatch.setattr(labels_module, "_compiled", spy)
    calls = (
        ("cpu", "hm-generate", *PROGRAM, tmp_path / "default"),
        ("cpu", "hm-generate", *PROGRAM, tmp_path / "cpu", "--device", "cpu"),
        ("gpu", "hm-generate", *PROGRAM, tmp_path / "gpu", "--device", "gpu"),
        ("cpu", "hm-data", "verify", tmp_path / "gpu", "--recompute", "1"),
    )
    for platform, name, *words in calls:
        used.clear()
        assert invoke(name, *words).code == 0
        assert used == {(platform, platform, jax.devices("cpu")[0])}
    assert contents(tmp_path / "default") == contents(tmp_path / "cpu")


@pytest.mark.parametrize(
    ("only", "words", "parts"),
    [
        ("cpu", ["--device", "gpu"], ["must find a GPU", "got cpu alone", "'cpu'", "[cuda]"]),
        ("gpu", [], ["must have a CPU", "got gpu alone", "JAX_PLATFORMS=cuda,cpu"]),
        ("gpu", ["--device", "gpu"], ["must have a CPU", "JAX_PLATFORMS=cuda,cpu"]),
    ],
)
def test_a_device_that_is_not_there_is_named(
    tmp_path: Path, found: Callable[[str], None], only: str, words: list[str], parts: list[str]
) -> None:
    """Before anything is written or deleted."""
    old = tmp_path / "old"
    assert invoke("hm-generate", *PROGRAM, old).code == 0
    before = snapshot(old)
    found(only)
    assert_refused(invoke("hm-generate", *PROGRAM, old, "--overwrite", *words), *parts)
    assert snapshot(old) == before
    assert_refused(invoke("hm-generate", *PROGRAM, tmp_path / "new", *words), *parts)
    with pytest.raises(HypermagneticsError, match=r"JAX must"):
        generate(recipe_of(*SMALL), tmp_path / "new", device="gpu" if words else "cpu")
    assert not (tmp_path / "new").exists()
    if only == "gpu":
        ran = invoke("hm-data", "verify", old, "--recompute", "1")
        assert (ran.code, len(ran.complaints)) == (2, 1)
        assert "must have a CPU" in ran.stderr


@pytest.mark.usefixtures("gpu")
def test_processes_do_not_share_a_gpu(tmp_path: Path) -> None:
    """JAX takes nearly all of its memory for one."""
    out = tmp_path / "out"
    ran = invoke("hm-generate", *PROGRAM, out, "--device", "gpu", "--workers", "2")
    assert_refused(ran, "workers must be 1 on a GPU", "got 2")
    assert not out.exists()


@pytest.mark.usefixtures("gpu")
def test_a_dataset_says_where_its_labels_were_computed(tmp_path: Path) -> None:
    """The kind of a GPU, "cpu" of every CPU, and nothing where it is not known."""
    where = {"cpu": "the CPU", "gpu": "a GPU (NVIDIA H100)"}
    for device in (CPU, GPU):
        out = tmp_path / device.platform
        assert invoke("hm-generate", *PROGRAM, out, "--device", device.platform).code == 0
        said = json.loads((out / "manifest.json").read_bytes())["label_device"]
        assert said == {"platform": device.platform, "kind": device.kind}
        assert f"in float64 on {where[device.platform]} from" in (out / "README.md").read_text()
        ran = invoke("hm-data", "info", out)
        assert f"labels: computed on {where[device.platform]}\n" in ran.stdout
        assert convert(Dataset.open(out), tmp_path / f"{out.name} 2").label_device == device
    assert Dataset.open(KEPT).manifest.label_device is None
    assert "labels: computed on an unknown device\n" in invoke("hm-data", "info", KEPT).stdout


@pytest.mark.slow_cases
@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(("first", "second"), [(CPU, GPU), (GPU, CPU)])
def test_labels_of_two_platforms_are_not_mixed(
    tmp_path: Path, first: LabelDevice, second: LabelDevice
) -> None:
    """Killed on one, it is gone on with there alone, to the bytes of an undisturbed run."""
    out, plan = tmp_path / "out", plan_of(*SMALL)
    with pytest.raises(Killed):
        make_dataset(plan.on(first), out, Recording(until=8))
    before = snapshot(out)
    ran = invoke("hm-generate", *PROGRAM, out, "--device", second.platform)
    assert_refused(
        ran,
        "must all be computed on one kind of device",
        f"got {first.in_words} before, and {second.in_words} now",
        f"Go on with device {first.platform}",
    )
    assert snapshot(out) == before
    assert (out / LOCK_NAME).exists()
    assert invoke("hm-generate", *PROGRAM, out, "--device", first.platform).code == 0
    make_dataset(plan.on(first), tmp_path / "undisturbed")
    assert contents(out) == contents(tmp_path / "undisturbed")


def test_another_recipe_is_not_called_another_device(tmp_path: Path) -> None:
    """Nor is a journal that names no device."""
    identity = plan_of(*SMALL).identity
    others: tuple[dict[str, Any], ...] = (
        {"label_device": GPU, "seed": 41},
        {"label_device": None},
    )
    for number, other in enumerate(others):
        begun: Identity = identity.model_copy(update=other)
        destination = InDirectory(tmp_path / str(number))
        Journal(destination, begun)
        with pytest.raises(DatasetError, match="another recipe, format or version"):
            Journal(destination, identity)


def test_a_finished_dataset_is_asked_for_by_its_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a notebook: one of a GPU is opened without any, and is none of the CPU."""
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        stand_in(patch)
        made = generate(recipe_of(*SMALL), out, device="gpu")
    assert generate(recipe_of(*SMALL), out, device="gpu").sha256 == made.sha256
    with pytest.raises(DatasetError, match="finished dataset"):
        generate(recipe_of(*SMALL), out)


def test_a_finished_dataset_of_an_unknown_device_is_opened(tmp_path: Path) -> None:
    """As an earlier release made it."""
    out, plan = tmp_path / "out", plan_of(*SMALL)
    unknown = plan.identity.model_copy(update={"label_device": None})
    make_dataset(replace(plan, identity=unknown), out)
    assert generate(recipe_of(*SMALL), out).manifest.label_device is None


def test_blocks_go_out_before_the_oldest_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is sent to the host as soon as it is computed; no more than asked for are under way."""
    done: list[str] = []

    class Sent:
        """Potential or field of a block, on a device."""

        def __init__(self, number: int, values: np.ndarray) -> None:
            self.number, self.values = number, values

        def copy_to_host_async(self) -> None:
            """Begin to send it."""
            done.append(f"send {self.number}")

        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            """Wait for it."""
            done.append(f"wait {self.number}")
            return self.values

    def computed(columns: Any, sources: Any, num_sources: Any, grid: Any) -> tuple[Sent, Sent]:
        number = sum(each.startswith("compute") for each in done)
        done.append(f"compute {number}")
        zeros = np.zeros((len(sources), *grid.shape), np.float32)
        return Sent(number, zeros[..., 0]), Sent(number, zeros)

    monkeypatch.setattr("hypermagnetics.generate.labels.labels", computed)
    plan = plan_of(*SMALL[:-1])
    shard = plan.identity.splits["train"].shard(0)
    assert shard.num_blocks == 6
    make_shard(plan, InDirectory(tmp_path), "train", shard, 2, lambda count: None)
    start = [f"{what} {number}" for number in range(6) for what in ("compute", "send", "send")]
    assert [each for each in done if not each.startswith("wait")] == start
    for number in range(4):
        assert done.index(f"wait {number}") > done.index(f"compute {number + 2}")
        assert number == 3 or done.index(f"wait {number}") < done.index(f"compute {number + 3}")


@pytest.mark.parametrize("cores", [1, 7])
def test_threads_follow_the_cores(
    cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In generation and conversion; and the bytes do not."""
    plan = plan_of(*SMALL)
    make_dataset(plan, tmp_path / "usual")
    counts: list[int] = []
    monkeypatch.setattr(shard_module, "num_cores", lambda: cores)

    def counted(count: int, *others: Any) -> Any:
        counts.append(count)
        return shard_threads(count, *others)

    for user in ("generate.makers", "data.convert"):
        monkeypatch.setattr(f"hypermagnetics.{user}.shard_threads", counted)
    make_dataset(plan, tmp_path / "made")
    convert(Dataset.open(tmp_path / "made"), tmp_path / "converted")
    assert counts == [min(cores + 1, 6), cores + 1]
    assert contents(tmp_path / "made") == contents(tmp_path / "usual")
    assert contents(tmp_path / "converted") == contents(tmp_path / "usual")


def test_blocks_in_memory_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the cores, and by the memory of a small machine."""
    monkeypatch.setattr(shard_module, "num_cores", lambda: 2)
    for memory, count in ((1 << 40, 9), (1 << 31, 4), (1 << 20, 1)):
        monkeypatch.setattr(shard_module, "memory_bytes", lambda m=memory: m)
        assert blocks_at_once(64_000_000) == count


def test_programs_leave_gpus_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the environment names platforms."""
    before = jax.config.jax_platforms  # type: ignore[attr-defined]
    try:
        jax.config.update("jax_platforms", "")
        monkeypatch.setenv("JAX_PLATFORMS", "cuda,cpu")
        keep_to_cpu()
        assert jax.config.jax_platforms == ""  # type: ignore[attr-defined]
        monkeypatch.delenv("JAX_PLATFORMS")
        keep_to_cpu()
        assert jax.config.jax_platforms == "cpu"  # type: ignore[attr-defined]
    finally:
        jax.config.update("jax_platforms", before)
