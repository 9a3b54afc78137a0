"""Options of XLA for our programs."""

import warnings

import jax
import pytest

from hypermagnetics.jax_setup import compiler_options, pass_over_unfinished_programs


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
