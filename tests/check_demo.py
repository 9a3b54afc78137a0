"""Whether `make demo` reached what the README promises: `check_demo.py RESULTS METRICS`."""

import json
import sys
from pathlib import Path

from hypermagnetics.train.metrics_log import wait_share

MAX_POTENTIAL_ERROR = 0.03
MAX_WAIT_SHARE = 0.03


def main() -> None:
    """Compare the results of the demo with their bounds."""
    results = json.loads(Path(sys.argv[1]).read_text())
    (four_sources,) = (
        one
        for one in results["evaluations"]
        if (one["subject"], one["split"]) == ("run", "test-multi")
    )
    found = {
        "median relative error of the potential, four unseen sources": (
            four_sources["potential"]["median_relative_error"],
            MAX_POTENTIAL_ERROR,
        ),
        "loader wait / step time": (wait_share(Path(sys.argv[2])), MAX_WAIT_SHARE),
    }
    for name, (value, bound) in found.items():
        sys.stdout.write(f"{name}: {value:.4f} (bound {bound})\n")
    if not all(value < bound for value, bound in found.values()):
        sys.exit("The demo must stay below its bounds; see the lines above.")


if __name__ == "__main__":
    main()
