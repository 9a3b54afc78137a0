"""How often does the 95 % interval of a metric hold the value of the split that samples came from?

The samples of one evaluation are taken for the population. From them 20, 100 and 300 are drawn with
replacement, 600 times; the interval of each draw is that of docs/metrics.md, by the percentiles of
500 resamples. Printed are the shares of the intervals that hold the value of the population, and
the share of the squared error that the worst sample holds: where it is large, the global L2 is that
of a sample that most draws have not seen. "withheld" is the share of the draws for which hm-eval
gives no interval of the global L2.

    hm-eval run discs --metrics-only
    python benchmarks/measure_coverage.py run/eval/samples.zarr discs/test_multi/run
"""

import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import zarr

from hypermagnetics.metrics import is_withheld, largest_share

DRAWS, RESAMPLES = 600, 500
NUMBERS = (20, 100, 300)


class Samples(NamedTuple):
    """What is known of each sample; the last axis are samples."""

    squared_error: np.ndarray
    squared_truth: np.ndarray
    median: np.ndarray

    def at(self, index: np.ndarray) -> "Samples":
        """Some of them."""
        return Samples(*(array[index] for array in self))


METRICS: dict[str, Callable[[Samples], np.ndarray]] = {
    "global L2": lambda s: np.sqrt(s.squared_error.sum(-1) / s.squared_truth.sum(-1)),
    "median of sample L2": lambda s: np.median(np.sqrt(s.squared_error / s.squared_truth), -1),
    "median of sample medians": lambda s: np.median(s.median, -1),
}


def coverage(samples: Samples, number: int) -> list[float]:
    """Shares of draws: without an interval of the global L2; holding the value, for each metric."""
    random, count = np.random.default_rng(3), len(samples.median)
    hits, withheld = np.zeros(len(METRICS)), 0
    for _ in range(DRAWS):
        drawn = random.integers(0, count, number)
        one = samples.at(drawn)
        withheld += is_withheld(largest_share(one.squared_error, one.squared_truth))
        again = samples.at(drawn[random.integers(0, number, (RESAMPLES, number))])
        for i, metric in enumerate(METRICS.values()):
            low, high = np.quantile(metric(again), [0.025, 0.975])
            hits[i] += low <= metric(samples) <= high
    return [withheld / DRAWS, *hits / DRAWS]


def main() -> None:
    """Print a row for each quantity and number of samples."""
    group = zarr.open_group(sys.argv[1], path=sys.argv[2], mode="r")
    print(f"| quantity | worst sample | samples | withheld | {' | '.join(METRICS)} |")
    print(f"|---|--:|--:|--:|{'--:|' * len(METRICS)}")
    for quantity in ("potential", "field"):
        names = ("squared_error", "squared_truth", "median_relative_error")
        samples = Samples(*(np.asarray(group[f"{quantity}_{name}"], float) for name in names))
        worst = samples.squared_error.max() / samples.squared_error.sum()
        for number in NUMBERS:
            cells = " | ".join(f"{share:.0%}" for share in coverage(samples, number))
            print(f"| {quantity} | {worst:.0%} | {number} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
