"""Picture of a validation."""

from contextlib import AbstractContextManager

from hypermagnetics.data import Dataset, Split
from hypermagnetics.log import per_cent
from hypermagnetics.models import Model
from hypermagnetics.pictures import draw_sample, one_sample
from hypermagnetics.run_files import Validation
from hypermagnetics.train.clock import Clock

_DOTS_PER_INCH = 72
"""A quarter of a megabyte a picture, as a run has many. Fewer colours instead show as bands."""

_SAMPLE = 0
"""Index of the drawn sample, the same in every process of a run without being stored."""


class Pictures:
    """Draws the first sample of the validation split as a model sees it."""

    def __init__(self, dataset: Dataset, split: Split) -> None:
        """Store the parts; nothing is read yet."""
        self._dataset, self._split = dataset, split
        self._is_compiled = False

    def draw(self, step: int, model: Model, found: Validation, clock: Clock) -> bytes:
        """Draw true potential, predicted potential and their difference.

        Args:
            step: The steps that were made.
            model: The model after them.
            found: The errors of the whole split.
            clock: Clock of the process; the first picture compiles.

        Returns:
            A PNG file.
        """
        from hypermagnetics.pictures.figure import png_of  # with matplotlib

        with self._counted(clock):
            sample = one_sample(self._split, _SAMPLE)
            drawing = draw_sample(model, self._dataset.columns, sample)
        self._is_compiled = True
        plane = "" if drawing.height is None else f", plane z = {drawing.height:.3g} m"
        potential, field = map(
            per_cent, (found.potential_median_relative_error, found.field_median_relative_error)
        )
        title = (
            f"step {step}, sample {_SAMPLE} of {self._split.name}{plane}\n"
            f"median relative error of the split: potential {potential}, field {field}"
        )
        with clock.during("tracking"):
            return png_of(drawing, title, dots_per_inch=_DOTS_PER_INCH, field_lines=False)

    def _counted(self, clock: Clock) -> AbstractContextManager[None]:
        return clock.during("tracking" if self._is_compiled else "compiling")
