"""Cache of compiled steps, so that a resumed run need not compile again."""

import hashlib
import os
import platform
from importlib.metadata import version
from pathlib import Path

_VARIABLE = "JAX_COMPILATION_CACHE_DIR"
"""JAX's own variable, which takes precedence if set; empty for no cache."""


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
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    kind = hashlib.sha256(_processor().encode()).hexdigest()[:12]
    directory = root / "hypermagnetics" / f"jax-{version('jaxlib')}-{kind}"
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
