"""What a subject can read, as far as that is known before it is asked."""

from dataclasses import dataclass

from hypermagnetics.sources import BodyName


@dataclass(frozen=True)
class ExpectedInputs:
    """The source tables and points that a subject is for."""

    dim: int
    """Space dimension."""
    num_columns: int
    """Of a source table."""
    columns: tuple[str, ...] = ()
    """Their names; none if they are not known."""
    bodies: tuple[BodyName, ...] = ()
    """Bodies that it knows; none if they are not known."""
    constants: tuple[tuple[str, float], ...] = ()
    """Sizes and rotation that all its sources share, by name; known where the bodies are."""
