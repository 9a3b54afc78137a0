"""A fast multipole method as a subject: the library fmm3d, of the optional package fmm3dpy."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hypermagnetics.errors import RunError
from hypermagnetics.evaluate.baselines.exact_sum import sources_first
from hypermagnetics.evaluate.subjects.subject import PotentialAndField, Subject, on_any_split
from hypermagnetics.extras import how_to_install, is_installed, refuse_missing
from hypermagnetics.models import Knowledge
from hypermagnetics.sources import SourceColumns
from hypermagnetics.table import refuse_soft


@dataclass(frozen=True)
class Fmm3d:
    """Point-dipole sums by fmm3d, one configuration after another; a `PointModel`.

    It knows nothing of sizes: exact, to its tolerance, outside spheres and for dipoles; an
    approximation outside cuboids, good far away; and wrong inside bodies by construction. At the
    very position of a source that source is left out, as fmm3d does.
    """

    tolerance: float
    """Requested relative precision."""

    def predict(
        self,
        sources: Float[np.ndarray, "samples sources columns"],
        points: Float[np.ndarray, "points dim"],
        num_samples: int,
    ) -> PotentialAndField:
        """Potential and field of samples that share their points; see `PointModel`."""
        import fmm3dpy  # optional

        shape = (len(sources), len(points))
        found = PotentialAndField(np.zeros(shape, np.float32), np.zeros((*shape, 3), np.float32))
        targets = np.asarray(points, np.float64).T
        tables, counts = sources_first(sources, 3)
        for sample, (table, count) in enumerate(zip(tables, counts, strict=True)):
            if not count:  # fmm3d takes no empty configuration
                continue
            rows = table[:count].astype(np.float64)
            sums = fmm3dpy.lfmm3d(
                eps=self.tolerance, sources=rows[:, 3:6].T, dipvec=rows[:, :3].T,
                targets=targets, pgt=2,
            )  # fmt: skip
            # It sums m.d / (4 pi d³), as we do, and gives the gradient of that.
            found.potential[sample], found.field[sample] = sums.pottarg, -sums.gradtarg.T
        return found


def why_no_fmm3d(columns: SourceColumns) -> str | None:
    """The reason why fmm3d is left out, as a sentence.

    Args:
        columns: Columns of the source tables.

    Returns:
        The sentence; None if fmm3d is available.
    """
    if columns.dim != 3:
        return f"fmm3d is left out: it is for three dimensions; the sources are in {columns.dim}."
    if not is_installed("fmm3dpy"):
        return f"fmm3d is left out: fmm3dpy is not installed ({how_to_install('fmm3dpy')})."
    return None


def fmm3d(columns: SourceColumns, tolerance: float = 1e-3) -> Subject:
    """The fast multipole method of fmm3d for point dipoles.

    Args:
        columns: Columns of the source tables.
        tolerance: Requested relative precision.

    Returns:
        The subject.

    Raises:
        RunError: If fmm3d is not available; see `why_no_fmm3d`.
        SourceError: If bodies are soft.
    """
    refuse_soft(columns, "A comparison with fmm3d")
    if columns.dim != 3:
        raise RunError(
            "A comparison with fmm3d must have sources in three dimensions; got sources in "
            f"{columns.dim} (baselines.fmm3d). Leave it out."
        )
    refuse_missing("fmm3dpy", "A comparison with fmm3d (baselines.fmm3d)", RunError)
    model = Fmm3d(tolerance)
    return Subject(
        name=f"fmm3d {tolerance:.0e}".replace("e-0", "e-"),
        kind="baseline",
        place="the fast multipole method of fmm3d for point dipoles: wrong inside bodies",
        on_split=on_any_split(model),
        model=model,
        knowledge=Knowledge.BASELINE,
    )
