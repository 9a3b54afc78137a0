"""Errors of maps by wave number."""

from dataclasses import dataclass, field

import numpy as np
import scipy.fft
from jaxtyping import Float, Float64

from hypermagnetics.data.boundary import Boundary
from hypermagnetics.evaluate.maps.records import WaveNumberError


@dataclass
class Spectrum:
    """Squared errors and truths of maps, added up in shells of wave numbers.

    The shells end at 1, 2, 4, 8 and so on periods along the shortest side. Open maps are multiplied
    by a Hann window along each axis, so that the difference between opposite sides, which is none
    of the map, does not count as large wave numbers.
    """

    error: Float64[np.ndarray, " shells"] = field(default_factory=lambda: np.zeros(0))
    truth: Float64[np.ndarray, " shells"] = field(default_factory=lambda: np.zeros(0))

    def add(
        self,
        error: Float[np.ndarray, "samples channels *sides"],
        truth: Float[np.ndarray, "samples channels *sides"],
        boundary: Boundary,
    ) -> None:
        """Add the maps of some samples; those of all calls have the same sides."""
        sides = error.shape[2:]
        shells, count = _shells(sides)
        if not self.error.size:
            self.error, self.truth = np.zeros(count), np.zeros(count)
        window = _window(sides) if boundary == "open" else np.ones(sides)
        axes = tuple(range(2, error.ndim))
        # Modes beside k = 0 and the middle one stand for two, of k and of -k.
        last = np.arange(sides[-1] // 2 + 1)
        twice = np.where((last == 0) | (2 * last == sides[-1]), 1.0, 2.0)
        for sums, values in ((self.error, error), (self.truth, truth)):
            # A prediction that is not finite has an infinite error in every shell.
            if not np.isfinite(values).all():
                sums += np.inf
                continue
            modes = np.abs(scipy.fft.rfftn(values * window, axes=axes)) ** 2 * twice
            sums += np.bincount(shells.ravel(), modes.sum(axis=(0, 1)).ravel(), count)

    def shells(self) -> tuple[WaveNumberError, ...]:
        """The error in each shell."""
        found = []
        for number, (error, truth) in enumerate(zip(self.error, self.truth, strict=True)):
            ratio = float(np.sqrt(error / truth)) if truth > 0 else float("nan")
            share = float(truth / self.truth.sum()) if self.truth.sum() > 0 else float("nan")
            found.append(WaveNumberError(2**number, ratio, share))
        return tuple(found)


def _shells(sides: tuple[int, ...]) -> tuple[np.ndarray, int]:
    """Number of the shell of each mode, and the number of shells."""
    shortest = min(sides)
    axes = [shortest * np.fft.fftfreq(side) for side in sides[:-1]]
    axes.append(shortest * np.fft.rfftfreq(sides[-1]))
    squares = sum(np.square(k) for k in np.meshgrid(*axes, indexing="ij"))
    length = np.sqrt(squares)
    # Shell s holds 2**(s-1) <= |k| < 2**s; the first holds |k| < 1.
    numbers = np.where(length < 1, 0, np.floor(np.log2(np.maximum(length, 1))) + 1).astype(int)
    return numbers, int(numbers.max()) + 1


def _window(sides: tuple[int, ...]) -> np.ndarray:
    window = np.ones(())
    for side in sides:
        window = np.multiply.outer(window, np.sin(np.pi * (np.arange(side) + 0.5) / side) ** 2)
    return window
