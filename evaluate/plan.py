"""The plan of one call of hm-eval."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hypermagnetics.errors import RunError
from hypermagnetics.evaluate.datasets import OpenedDataset
from hypermagnetics.evaluate.subjects.subject import Subject


@dataclass(frozen=True)
class Plan:
    """Subjects, each evaluated on all datasets, and the directory of the results."""

    subjects: tuple[Subject, ...]
    datasets: tuple[OpenedDataset, ...]
    out: Path
    metrics_only: bool = False
    """No baselines, no physics, no times and no report."""

    def __post_init__(self) -> None:
        if self.out.exists() and not self.out.is_dir():
            raise RunError(
                f"The place of the results must be a directory; got {str(self.out)!r}, which is a "
                "file (--out). Choose another one."
            )

    @property
    def num_predictions(self) -> int:
        """Number of predictions: samples of all splits times subjects."""
        samples = sum(len(one.dataset.split(name)) for one in self.datasets for name in one.splits)
        return samples * len(self.subjects)


Advance = Callable[[int], None]
"""Called with the number of samples just predicted."""
Tell = Callable[[str], None]
"""Called with a short description of the current step."""
