"""All physics checks of one model on one split."""

from hypermagnetics.data import Split
from hypermagnetics.evaluate.physics.flux import flux
from hypermagnetics.evaluate.physics.gradient import gradient
from hypermagnetics.evaluate.physics.homogeneity import homogeneity
from hypermagnetics.evaluate.physics.laplace import laplace
from hypermagnetics.evaluate.physics.probe import Probe, configurations
from hypermagnetics.evaluate.physics.stencil import derivatives
from hypermagnetics.evaluate.physics.superposition import superposition
from hypermagnetics.evaluate.results.records import Property
from hypermagnetics.evaluate.subjects.subject import PointModel
from hypermagnetics.sources import SourceColumns
from hypermagnetics.table import shares_applied_field


def measure_physics(
    model: PointModel, columns: SourceColumns, split: Split
) -> tuple[Property, ...]:
    """Measure how far a model violates the laws that every exact solution obeys.

    No labels are read. The model makes some seventy predictions of one configuration at 256
    points, always in the same shape. Predictions that are not finite break a law infinitely.

    Args:
        model: The model.
        columns: Columns of the source tables.
        split: Eight of its samples are taken, the same ones every time.

    Returns:
        Superposition, homogeneity, gradient, laplace and flux; of soft bodies without the laws of
        `laws_left_out`.
    """
    chosen = configurations(columns, split)
    probe = Probe(model, max(split.layout.max_sources, 2))
    around = [derivatives(probe, configuration) for configuration in chosen]
    found = [part for part in around if part is not None]
    if columns.is_soft:
        of_scale = () if shares_applied_field(columns) else (homogeneity(probe, chosen),)
        return (*of_scale, gradient(found), laplace(found))
    return (
        superposition(probe, chosen),
        homogeneity(probe, chosen),
        gradient(found),
        laplace(found),
        flux(probe, chosen),
    )


def laws_left_out(columns: SourceColumns) -> tuple[str, ...]:
    """Sentences on the laws that are no laws of the bodies, or cannot be measured.

    Args:
        columns: Columns of the source tables.
    """
    if not columns.is_soft:
        return ()
    sentences: tuple[str, ...] = (
        "Superposition is no law of soft bodies, which answer to each other, and the flux of B "
        "through their surfaces is not measured, as their exact magnetisation is not known.",
    )
    if shares_applied_field(columns):
        sentences += ("Homogeneity is not measured, as all samples share one applied field.",)
    return sentences
