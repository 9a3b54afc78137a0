"""FFTConvolution: a linear map from maps to maps whose kernel reaches over the whole grid."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hypermagnetics.config import Config
from hypermagnetics.errors import RecipeError
from hypermagnetics.jax_setup import with_constants
from hypermagnetics.models.array_inputs import ArrayInputs
from hypermagnetics.models.map_network import MapNetwork, frame_of
from hypermagnetics.shapes import AnyKey
from hypermagnetics.sources.demagnetisation import cell_kernel


class FFTConfig(Config):
    """Settings of a convolution by FFT."""

    name: Literal["fft"] = "fft"
    """Model: one convolution over the whole map by FFT, linear, with a number for each offset."""
    start: Literal["exact", "zero"] | None = None
    """Kernel before the first step: "exact", potential and field of a cell by their closed form,
    from the magnetisation alone; "zero"; null for the first where it serves."""


class FFTConvolution(MapNetwork):
    """y_c = sum over d of K_cd * x_d, with the cyclic convolution * of twice the sides.

    What is beyond the grid is zero, or, of a periodic map, its opposite side; then the sides are
    not doubled. The parameters are the kernel's discrete Fourier transform, so that each wave
    number is learned by itself.
    """

    real: Float[Array, "out in *frequencies"]
    """Real part of the transform."""
    imaginary: Float[Array, "out in *frequencies"]
    """Its imaginary part."""
    config: FFTConfig = eqx.field(static=True)
    inputs: ArrayInputs = eqx.field(static=True)

    @with_constants
    def __init__(self, config: FFTConfig, inputs: ArrayInputs, key: AnyKey) -> None:
        """Make the initial kernel.

        Args:
            config: The settings.
            inputs: Shapes and scales of inputs and targets.
            key: Random key, which is not used.

        Raises:
            RecipeError: If the map has a stride, or the closed form is not that of these maps.
        """
        frame = frame_of(inputs)
        if frame.stride > 1:
            raise RecipeError(
                f"map.stride must be 1 for model fft; got {frame.stride}. Take conv or unet."
            )
        self.config, self.inputs = config, inputs
        sides = tuple(side if frame.wraps else 2 * side for side in frame.read)
        shape = (inputs.target.shape[0], inputs.input.shape[0])
        spectrum = np.zeros((*shape, *sides[:-1], sides[-1] // 2 + 1), complex)
        is_raster = frame.inputs == ("magnetisation",)
        if config.start == "exact" or (config.start is None and is_raster):
            spectrum = np.fft.rfftn(_exact(inputs), axes=tuple(range(2, 2 + frame.dim)))
        self.real = jnp.asarray(spectrum.real, jnp.float32)
        self.imaginary = jnp.asarray(spectrum.imag, jnp.float32)

    @property
    def takes_other_sides(self) -> bool:
        """A kernel is that of one grid."""
        return False

    def features(self, values: Float[Array, " channels *read"]) -> Float[Array, " features *read"]:
        """The convolution; see `MapNetwork`."""
        frame, sides = self.frame, values.shape[1:]
        axes = tuple(range(1, 1 + frame.dim))
        double = sides if frame.wraps else tuple(2 * side for side in sides)
        spectrum = jnp.fft.rfftn(values, double, axes)
        kernel = jax.lax.complex(self.real, self.imaginary)
        # Sums of products, and no matrix product, whose factors a GPU may be asked to round.
        product = jnp.sum(kernel * spectrum[None], axis=1)
        whole = jnp.fft.irfftn(product, double, axes)
        return whole[(slice(None), *map(slice, sides))]


def _exact(inputs: ArrayInputs) -> np.ndarray:
    """Kernel of the closed form, from and to numbers of order 1."""
    frame = frame_of(inputs)
    if frame.inputs != ("magnetisation",) or frame.spacing is None:
        raise RecipeError(
            'model.start must be "zero" unless the input is the magnetisation alone; got '
            f'"exact" for {", ".join(frame.inputs)} (model.start). Write "zero".'
        )
    parts = [
        cell_kernel(frame.read, frame.spacing, name) for name in frame.targets if name != "targets"
    ]
    given = inputs.input.scales.reshape(1, -1, *(1,) * frame.dim)
    wanted = inputs.target.scales.reshape(-1, 1, *(1,) * frame.dim)
    kernel: np.ndarray = np.concatenate(parts) * given / wanted
    return kernel
