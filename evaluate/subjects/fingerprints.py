"""Checksums of the files of a subject."""

import hashlib
from pathlib import Path

from hypermagnetics.files import sha256_of


def sha256_of_all(directory: Path, names: tuple[str, ...] | None = None) -> str:
    """One sha256 for several files: that of the output of `sha256sum` for them, in order.

    Args:
        directory: Directory of the files.
        names: Their paths relative to it; all files in it if None.

    Returns:
        64 hexadecimal digits.
    """
    if names is None:
        files = (path for path in directory.rglob("*") if path.is_file())
        names = tuple(path.relative_to(directory).as_posix() for path in files)
    lines = [f"{sha256_of(directory / name)}  {name}\n" for name in sorted(names)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
