"""Where the parts of a run are."""

import re
from dataclasses import dataclass
from pathlib import Path

_CHECKPOINT = re.compile(r"step-(\d{9})\.ckpt")
_BEST = re.compile(r"best-(\d{9})\.hm")


@dataclass(frozen=True)
class RunFiles:
    """The files of a run directory."""

    directory: Path

    @property
    def recipe(self) -> Path:
        """The recipe with every default filled in; itself a recipe."""
        return self.directory / "recipe.json"

    @property
    def provenance(self) -> Path:
        """Dataset, its sha256, seed and versions."""
        return self.directory / "run.json"

    @property
    def metrics(self) -> Path:
        """Loss and validation errors as JSON lines."""
        return self.directory / "metrics.jsonl"

    @property
    def tracking(self) -> Path:
        """The directory of what trackers keep."""
        return self.directory / "tracking"

    @property
    def plot(self) -> Path:
        """The curves of the run, for people."""
        return self.directory / "plot.png"

    @property
    def checkpoints(self) -> Path:
        """The directory of the checkpoints."""
        return self.directory / "checkpoints"

    def checkpoint(self, step: int) -> Path:
        """The checkpoint after a number of steps."""
        return self.checkpoints / f"step-{step:09d}.ckpt"

    def checkpoint_steps(self) -> list[int]:
        """The steps after which there is a checkpoint, in order."""
        return self._steps(_CHECKPOINT)

    def best(self, step: int) -> Path:
        """The model of a step that was the best of all regular validations when it was made."""
        return self.checkpoints / f"best-{step:09d}.hm"

    def best_steps(self) -> list[int]:
        """The steps of which there is such a model, in order."""
        return self._steps(_BEST)

    @property
    def final(self) -> Path:
        """The model after the last step."""
        return self.directory / "final.hm"

    @property
    def card(self) -> Path:
        """What the model is, for people; written when the run is finished."""
        return self.directory / "model.md"

    @property
    def model(self) -> Path:
        """The result, a copy of the best model; there only when the run is finished."""
        return self.directory / "model.hm"

    @property
    def pattern(self) -> str:
        """What the paths of all these files look like, relative to the directory."""
        files = (
            *(self.recipe, self.provenance, self.metrics, self.plot),
            *(self.card, self.model, self.final),
        )
        own = (re.escape(path.name) for path in files)
        kept = rf"{self.checkpoints.name}/({_BEST.pattern}|{_CHECKPOINT.pattern})"
        return "|".join((*own, kept, rf"{self.tracking.name}/.+"))

    def _steps(self, names: re.Pattern[str]) -> list[int]:
        if not self.checkpoints.is_dir():
            return []
        found = (names.fullmatch(path.name) for path in self.checkpoints.iterdir())
        return sorted(int(match[1]) for match in found if match)
