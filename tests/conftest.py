"""Strict modes of JAX, and datasets that many tests share."""

import gc
import importlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import array_checks

# Before the first module of the package is imported.
array_checks.install()

# Threads of OpenBLAS wait for each other by spinning, while other workers need the cores: a QR of a
# fit took five times as much CPU time. It reads the variable when numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import hypothesis
import jax
import jaxlib
import pytest
from hdf5_trials import fork_readings, start_server
from program_server import GARBAGE, share_compiled_programs, shorten_reports
from slow_cases import few_slow_cases, name_of
from tiny_datasets import MakeDataset, small_dataset

from hypermagnetics.data import Dataset

# How long a test of an example takes, and how long one is drawn, the machine decides. Hypothesis
# would fail a test whose first examples are drawn in more than half a minute.
hypothesis.settings.register_profile(
    "machines are noisy",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("machines are noisy")

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")

# Tests compile thousands of programs and run each for milliseconds, so they compile quickly: XLA
# optimises little, makes one module of a program instead of one for each thread, and uses its older
# emitters. That takes a quarter of the time. HM_TESTS_COMPILE=fully compiles as for users. XLA ends
# a process that gives it a flag which it does not know, so later versions compile fully as well.
_QUICK = (
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true "
    "--xla_cpu_parallel_codegen_split_count=1 --xla_cpu_use_fusion_emitters=false"
)
_VERSION = tuple(map(int, jaxlib.__version__.split(".")[:2]))


def pytest_configure(config: pytest.Config) -> None:
    """Let XLA compile quickly, but for a card, where tests run what users run."""
    is_for_card = config.option.markexpr == "gpu" and os.environ.get("HM_TESTS_GPU") != "cpu"
    if is_for_card or os.environ.get("HM_TESTS_COMPILE") == "fully" or _VERSION >= (0, 11):
        return
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_QUICK}".strip()


# Many tests compile the same programs. This process and those that are forked share a directory.
# Interpreters that tests start read the variables: a directory for each worker, as JAX does not
# write its files whole or not at all.
_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
_CACHE = str(Path(__file__).parents[1] / ".pytest_cache" / "jax" / _WORKER)
_SECONDS = 0.1
jax.config.update("jax_compilation_cache_dir", _CACHE)
jax.config.update("jax_persistent_cache_min_compile_time_secs", _SECONDS)
os.environ["JAX_COMPILATION_CACHE_DIR"] = _CACHE
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = str(_SECONDS)
share_compiled_programs()

# Each operation of a program would be written with the lines of code of all callers, here those of
# pytest as well: half of the time of lowering.
_NO_CALLERS = "0"
jax.config.update("jax_traceback_in_locations_limit", int(_NO_CALLERS))
os.environ["JAX_TRACEBACK_IN_LOCATIONS_LIMIT"] = _NO_CALLERS

# Thousands of small files are synced, each time some milliseconds of a disk and none of memory.
_MEMORY = Path("/dev/shm")
_ROOM = 4e9
if "TMPDIR" not in os.environ and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM:
    os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)

# A shell that starts tests in the background lets them ignore Ctrl-C, and so all their programs.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _texts_of_programs() -> Iterator[Any]:
    """Yield the caches of JAX that keep the text of programs, as far as this version has them.

    They have no public name.
    """
    for module, name in (
        ("jax._src.interpreters.pxla", "_cached_lowering_to_hlo"),
        ("jax._src.pjit", "_pjit_lower"),
    ):
        with suppress(ImportError, AttributeError):
            cached = getattr(importlib.import_module(module), name)
            if callable(getattr(cached, "cache_clear", None)):
                yield cached


_TEXTS = tuple(_texts_of_programs())


def pytest_collection_finish() -> None:
    """Look for garbage seldom, and not among what is imported."""
    gc.freeze()
    gc.set_threshold(*GARBAGE)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark cases of tests of `slow_cases` as slow, and leave out slow cases where asked to."""
    begun = set[str]()
    for item in items:
        if item.get_closest_marker("slow_cases"):
            test = name_of(item)
            if test in begun:
                item.add_marker("slow")
            begun.add(test)
    most = os.environ.get("HM_TESTS_CASES")
    if most:
        items[:], others = few_slow_cases(items, int(most))
        config.hook.pytest_deselected(items=others)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """Let go of the text of compiled programs, which makes each later one slower to write.

    JAX 0.10 keeps the text of every program, 3 MB each, and with some hundreds of them takes four
    times as long for the next. The programs stay.
    """
    for cached in _TEXTS:
        cached.cache_clear()


@pytest.fixture(scope="session", autouse=True)
def short_reports() -> Iterator[None]:
    """Short evaluations in this process too; see `program_server.shorten_reports`."""
    with pytest.MonkeyPatch.context() as patch:
        shorten_reports(patch.setattr)
        yield


@pytest.fixture(scope="session", autouse=True)
def forked_readings() -> Iterator[None]:
    """HDF5 files are read first by forked processes; scripts of tests have real ones."""
    with pytest.MonkeyPatch.context() as patch:
        fork_readings(patch.setattr, start_server)
        yield


@pytest.fixture(scope="session")
def make_dataset() -> MakeDataset:
    """A function that makes a small dataset in a directory."""
    return small_dataset


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, make_dataset: MakeDataset) -> Dataset:
    """A Zarr dataset of several shards; not to be changed."""
    return make_dataset(tmp_path_factory.mktemp("tiny") / "data", "storage.shard_mb=0.005")


@pytest.fixture(scope="session")
def tiny_hdf5(tmp_path_factory: pytest.TempPathFactory, make_dataset: MakeDataset) -> Dataset:
    """The same samples in HDF5; not to be changed."""
    directory = tmp_path_factory.mktemp("tiny_hdf5") / "data"
    return make_dataset(directory, "storage.shard_mb=0.005", storage_format="hdf5")
