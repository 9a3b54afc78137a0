"""Whether `make demo` reached what the README promises: `check_demo.py RESULTS METRICS`."""

import json
import math
import sys
from pathlib import Path

from hypermagnetics.train.metrics_log import wait_share

MAX_ERRORS = {
    ("run", "potential"): 0.03,
    ("split", "potential"): 1e-6,
    ("split", "field"): 1e-5,
}
"""Bounds of median relative errors with four unseen sources, by subject and quantity."""
MAX_WAIT_SHARE = 0.03


def main() -> None:
    """Compare the results of the demo with their bounds."""
    results = json.loads(Path(sys.argv[1]).read_text())
    four_sources = {
        one["subject"]: one for one in results["evaluations"] if one["split"] == "test_multi"
    }
    found = {"loader wait / step time of run": (wait_share(Path(sys.argv[2])), MAX_WAIT_SHARE)}
    for (subject, quantity), bound in MAX_ERRORS.items():
        error = four_sources[subject][quantity]["median_relative_error"]
        name = f"median relative error of the {quantity}, four unseen sources, {subject}"
        found[name] = (math.inf if error is None else error, bound)
    for name, (value, bound) in found.items():
        sys.stdout.write(f"{name}: {value:.3g} (bound {bound:g})\n")
    if not all(value < bound for value, bound in found.values()):
        sys.exit("The demo must stay below its bounds; see the lines above.")


if __name__ == "__main__":
    main()
