"""Show the version of each direct dependency, and see that none is above its lower bound.

python tests/check_versions.py lowest|newest
"""

import sys
from collections.abc import Iterator
from importlib.metadata import requires, version

from packaging.requirements import Requirement
from packaging.version import Version


def declared() -> Iterator[tuple[str, Version]]:
    """Name and lower bound of what the project and its tests ask for."""
    for line in requires("hypermagnetics") or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": "test"}):
            (bound,) = requirement.specifier
            assert bound.operator == ">=", f"{line} must have a lower bound and nothing else."
            yield requirement.name, Version(bound.version)


def main(wanted: str) -> None:
    """Print a line for each, then refuse."""
    found = [(name, Version(version(name)), bound) for name, bound in declared()]
    sys.stdout.writelines(f"{name} {installed} (>= {bound})\n" for name, installed, bound in found)
    above = [f"{name} {installed}" for name, installed, bound in found if installed != bound]
    if wanted == "lowest" and above:
        sys.exit(f"The lowest versions must be the bounds of setup.cfg; got {', '.join(above)}.")


if __name__ == "__main__":
    main(*sys.argv[1:])
