"""Options of XLA for our programs."""

import warnings
from pathlib import Path

import jax
import pytest

from hypermagnetics.jax_setup import compiler_options, keep_compiled, pass_over_unfinished_programs


def test_options_are_those_of_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    """None on a CPU."""
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    for platform, names in (("cpu", set()), ("gpu", {"xla_gpu_enable_triton_gemm"})):
        monkeypatch.setattr(jax, "default_backend", lambda platform=platform: platform)
        assert set(compiler_options()) == names


def test_flags_of_a_user_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever they say."""
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setenv("XLA_FLAGS", "--xla_gpu_enable_triton_gemm=true --xla_gpu_autotune_level=2")
    assert compiler_options() == {}


def test_a_program_that_is_cut_short_is_compiled_anew_without_a_word() -> None:
    """Another process may be writing it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pass_over_unfinished_programs()
        warnings.warn("Error reading persistent compilation cache entry for 'f': cut", stacklevel=1)
        warnings.warn("another", stacklevel=1)
    assert [str(warning.message) for warning in caught] == ["another"]


@pytest.mark.parametrize(("asked", "kept"), [(None, 0.2), ("3", 7.0)])
def test_short_compilations_are_kept_in_a_cache_of_the_user_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asked: str | None, kept: float
) -> None:
    """Unless the user says how short; JAX itself has read that already."""
    name = "jax_persistent_cache_min_compile_time_secs"
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv(name.upper(), raising=False)
    if asked is not None:
        monkeypatch.setenv(name.upper(), asked)
    before = getattr(jax.config, name)
    try:
        jax.config.update(name, 7.0)
        keep_compiled()
        assert getattr(jax.config, name) == kept
    finally:
        jax.config.update(name, before)
