"""Small WaveLayers that give a potential, as trained ones do."""

import equinox as eqx
import jax.random as jr

from hypermagnetics.models import ModelInputs, WaveLayer, WaveLayerConfig
from hypermagnetics.shapes import AnyKey


def drawn_waves(inputs: ModelInputs, key: AnyKey, width: int = 9) -> WaveLayer:
    """A WaveLayer with a matrix that is drawn, where a new one has zeros."""
    model = WaveLayer(WaveLayerConfig(width=width, source_width=width), inputs)
    matrix = jr.normal(key, model.matrix.shape, model.matrix.dtype)
    drawn: WaveLayer = eqx.tree_at(lambda one: one.matrix, model, matrix / width)
    return drawn
