"""What one call of hm-eval does."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hypermagnetics.evaluate.datasets import OpenedDataset
from hypermagnetics.evaluate.subjects.subject import Subject


@dataclass(frozen=True)
class Plan:
    """Subjects, all of which are evaluated on all datasets, and where the results go."""

    subjects: tuple[Subject, ...]
    datasets: tuple[OpenedDataset, ...]
    out: Path
    metrics_only: bool = False
    """No baselines, no physics, no times and no report."""

    @property
    def num_predictions(self) -> int:
        """Samples that the subjects predict."""
        samples = sum(len(one.dataset.split(name)) for one in self.datasets for name in one.splits)
        return samples * len(self.subjects)


Advance = Callable[[int], None]
"""Called with numbers of predicted samples as they are done."""
Tell = Callable[[str], None]
"""Called with a few words on what is done now."""
