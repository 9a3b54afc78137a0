"""JAX as the programs use it: its platform, and a cache of compiled programs on disk."""

import hashlib
import os
import platform
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar, cast

import equinox as eqx
import jax

from hypermagnetics.errors import HypermagneticsError
from hypermagnetics.machine import Platform, user_cache

_P = ParamSpec("_P")
_T = TypeVar("_T")

Donation = Literal["none", "all-except-first"]
_Function = TypeVar("_Function", bound=Callable[..., Any])

_VARIABLE = "JAX_COMPILATION_CACHE_DIR"
"""JAX's own variable, which takes precedence if set; empty for no cache."""

_GENERATOR = "threefry2x32"
"""Generator of random numbers; JAX's default."""

_LEAST_SECONDS = 0.2
"""Shortest compilation that is kept on disk [s], unless `_SHORTEST` says otherwise."""

_SHORTEST = "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"
"""JAX's own variable of it; its default, a second, leaves out most programs."""

_GPU_OPTIONS: dict[str, bool | str] = {"xla_gpu_enable_triton_gemm": False}
"""Options of XLA on a GPU, see `compiler_options`."""


def refuse_missing_platform() -> None:
    """Refuse a platform on which JAX finds no device.

    Raises:
        HypermagneticsError: If the environment asks for one.
    """
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:
        # JAX asserts where it has tried all platforms that were asked for.
        reason = " ".join(str(error).split())[:300] or "no device"
        asked = os.environ.get("JAX_PLATFORMS")
        if asked:
            raise HypermagneticsError(
                f"JAX must find a device of a platform in JAX_PLATFORMS; got none of {asked!r} "
                f"({reason}). Install JAX for that platform, or unset JAX_PLATFORMS."
            ) from error
        raise HypermagneticsError(
            f"JAX must find a device; got none ({reason}). Mend its installation, or set "
            "JAX_PLATFORMS=cpu."
        ) from error


def first_device(platform: Platform) -> jax.Device:
    """Device of this process that computes for a platform, the first of them.

    Args:
        platform: The platform.

    Raises:
        HypermagneticsError: If JAX finds none.
    """
    try:
        return jax.local_devices(backend=platform)[0]
    except (RuntimeError, AssertionError) as error:
        refuse_missing_platform()
        found = jax.default_backend()
        asked = os.environ.get("JAX_PLATFORMS")
        got = f"{found} alone (JAX_PLATFORMS is {repr(asked) if asked else 'not set'})"
        if platform == "cpu":
            raise HypermagneticsError(
                f"JAX must have a CPU beside other devices; got {got}. Unset JAX_PLATFORMS, or "
                f"add cpu to it, as in JAX_PLATFORMS={asked or found},cpu."
            ) from error
        raise HypermagneticsError(
            f"JAX must find a GPU to compute on one (device gpu); got {got}. Install JAX for your "
            "GPU, such as hypermagnetics[cuda], and unset JAX_PLATFORMS; or choose cpu."
        ) from error


def default_platform() -> Platform:
    """Platform on which JAX computes now, in this block; any device but a CPU counts as a GPU."""
    device: jax.Device | str | None = jax.config.jax_default_device  # type: ignore[attr-defined]
    name = device if isinstance(device, str) else getattr(device, "platform", None)
    return "cpu" if (name or jax.default_backend()) == "cpu" else "gpu"


def pass_over_unfinished_programs() -> None:
    """Let this process compile silently each program that another one is writing to a cache.

    JAX writes compiled programs bit by bit, where JAX_COMPILATION_CACHE_DIR or a program of ours
    says, and warns of one that it finds cut short. Nobody can do anything about it.
    """
    warnings.filterwarnings("ignore", message="Error reading persistent compilation cache entry")


def keep_to_cpu() -> None:
    """Let this process leave GPUs alone, unless JAX_PLATFORMS says otherwise.

    Even idle, a process takes memory of a GPU, and time to start it.
    """
    pass_over_unfinished_programs()
    if not os.environ.get("JAX_PLATFORMS"):
        jax.config.update("jax_platforms", "cpu")


def fix_settings() -> None:
    """Let this process compute as it is written to, whatever the environment sets of JAX.

    Seeds alone decide random numbers. Numbers of float types that differ, and arrays of numpy, may
    meet those of JAX, as they do in its own libraries. Matrices are multiplied in full float32.
    """
    jax.config.update("jax_default_matmul_precision", "float32")
    jax.config.update("jax_default_prng_impl", _GENERATOR)
    jax.config.update("jax_threefry_partitionable", True)
    jax.config.update("jax_random_seed_offset", 0)
    jax.config.update("jax_numpy_dtype_promotion", "standard")
    jax.config.update("jax_transfer_guard", "allow")


@contextmanager
def fixed_settings() -> Iterator[None]:
    """`fix_settings` inside a block; an offset of seeds that a user sets for all stays."""
    with (
        jax.default_matmul_precision("float32"),
        jax.default_prng_impl(_GENERATOR),
        jax.threefry_partitionable(True),
        jax.numpy_dtype_promotion("standard"),
        jax.transfer_guard("allow"),
    ):
        yield


def with_constants(function: _Function) -> _Function:
    """Let a function have numbers of Python in its formulas, whatever transfer guard is set.

    JAX moves each of them to the device where it is met, unless the function is compiled. Arrays of
    a user are moved explicitly before, see `few_sizes.placed`.
    """

    @wraps(function)
    def allowed(*arguments: Any, **named: Any) -> Any:
        with jax.transfer_guard("allow"):
            return function(*arguments, **named)

    return cast(_Function, allowed)


def keep_compiled() -> None:
    """Let JAX keep compiled programs on disk, for this whole process, where there is a place."""
    pass_over_unfinished_programs()
    directory = cache_directory()
    if directory is not None:
        jax.config.update("jax_compilation_cache_dir", str(directory))
    if _SHORTEST not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", _LEAST_SECONDS)


def set_up_program() -> None:
    """Let a program compute on its platform with fixed settings, and keep compiled programs.

    Raises:
        HypermagneticsError: If JAX finds no device of the platform.
    """
    refuse_missing_platform()
    fix_settings()
    keep_compiled()


def own_program(function: Callable[_P, _T], donate: Donation = "none") -> Callable[_P, _T]:
    """Compile a function with `compiler_options`, which JAX takes of the outermost alone.

    Args:
        function: The function; its arrays are arguments, all else is static.
        donate: Arguments whose memory is given up; as of `equinox.filter_jit`.

    Returns:
        The compiled function.
    """
    options: dict[str, Any] = {"compiler_options": compiler_options()}
    return eqx.filter_jit(function, donate=donate, **options)


def compiler_options() -> dict[str, bool | str]:
    """Options of XLA for the platform of this process, but for those that XLA_FLAGS names.

    On a GPU XLA tries each matrix product as many Triton kernels, and measures them: 36 to 40 s for
    a step of HyperLayer on an H100 with jax 0.11.2. Without, that step compiles in 3.9 s and takes
    7 % longer.
    """
    if jax.default_backend() != "gpu":
        return {}
    flags = os.environ.get("XLA_FLAGS", "")
    return {name: value for name, value in _GPU_OPTIONS.items() if name not in flags}


def cache_directory() -> Path | None:
    """Cache directory of the user for this processor and this JAX.

    A step compiled for one processor may not run on another, and a home directory may be shared
    by many, so each kind has a directory of its own.

    Returns:
        The directory, made if absent; None if the user has set JAX's own variable, or there is no
        place for it.
    """
    if _VARIABLE in os.environ:
        return None
    if (root := user_cache()) is None:
        return None
    kind = hashlib.sha256(_processor().encode()).hexdigest()[:12]
    directory = root / f"jax-{version('jaxlib')}-{kind}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:  # a home that is read-only costs compiling again, and nothing else
        return None
    return directory


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    known = {line for line in lines if line.startswith(("model name", "flags", "Features"))}
    return "\n".join(sorted(known)) or platform.processor() or platform.machine()
