"""Settings of a split by waves on a grid, and the choice of those that are left open."""

import math
from functools import partial
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, Field

from hypermagnetics.config import Config, Positive
from hypermagnetics.errors import RecipeError
from hypermagnetics.extras import refuse_missing
from hypermagnetics.models.domain import Domain, Range, largest_radii
from hypermagnetics.models.inputs import ModelInputs, Scales, refuse_sums_of_soft_bodies
from hypermagnetics.models.split.density import Density, KaiserBesselDensity, PowerDensity
from hypermagnetics.models.split.dipoles import bodies_of_nodes, has_nodes
from hypermagnetics.models.split.displacements import Displacements, Waves
from hypermagnetics.models.split.grid_fit import chosen, first_of_many
from hypermagnetics.models.split.model import CUTOFF
from hypermagnetics.table import SourceColumns

ACCURACY = {2: 1e-5, 3: 2e-3}
"""Default accuracy, by dimension."""

_POWER = {2: 6 / 14, 3: 4 / 9}
"""Exponent of the density (1 - s²/R²)^p for each rad of the bandwidth: more need more waves, and
fewer have a spectrum that falls too slowly."""
_MOST_NODES = 8
_MOST_PRODUCTS, _MOST_WAVES = 1 << 18, 1 << 24
"""Most waves of a model, by products and by transforms: tens of megabytes, and two or three GB."""
_FEW_SOURCES = 2_000
"""Sources up to which a smaller cutoff saves nothing: waves would take longer than their pairs."""
_FEW_WAVES = 1 << 14
"""Waves of which products are as fast as transforms, where sources are many."""
_SPACINGS = {2: 10.0, 3: 10.0}
"""Cutoff in spacings of sources that are even in the domain, where waves are products."""
_SPACINGS_OF_NUFFT = {2: 3.0, 3: 2.0}
"""Likewise, where many waves cost little: pairs and waves then take similar times."""
_SIMILAR = 0.8
"""Share of the longest axis from which an axis counts as equally long."""
_SMALLEST, _LARGEST = 1e-9, 1e9
"""Bounds of half the longest side of a domain [m]."""


def _ascending(ranges: tuple[Range, ...]) -> tuple[Range, ...]:
    for low, high in ranges:
        if not low < high:
            raise ValueError("must be a smaller and a larger coordinate for each axis")
    return ranges


Box = Annotated[tuple[Range, ...], AfterValidator(_ascending)]
"""Range of each axis [m]."""


class GridSplitConfig(Config):
    """Settings of a GridSplit; those left out are chosen from domain and accuracy."""

    name: Literal["split"] = "split"
    """Model: plane waves give the smooth part of every source, exact values close to sources are
    added. The accurate one; it is fitted in seconds, and needs no steps."""
    factors: Literal["grid"] = "grid"
    """"grid": plane waves on a grid, one coefficient each, for kernels that depend on the
    displacement from source to point alone, as those of magnets in free space; "trained": features
    and weights that are learned, for any kernel."""
    domain: Positive | Box | None = None
    """Region of points and of the centres of sources: half the side of a box around the origin [m],
    or the range of each axis; null for the ranges of the training split. Elsewhere `outside`
    decides."""
    accuracy: Annotated[float, Field(ge=1e-7, le=0.1)] | None = None
    """Root mean square error of the smooth part over its root mean square; null for 1e-5 in two and
    2e-3 in three dimensions. In float32 rounding adds some 1e-6."""
    density: Literal["kaiser-bessel", "power"] = "kaiser-bessel"
    """Density of the ball over which a dipole is spread: "kaiser-bessel", whose spectrum falls
    fastest, or "power", (1 - s²/R²)^p, which needs more waves."""
    cutoff: Positive | None = None
    """Radius of that ball [length scales]; null for 1.155 in two and 1.732 in three dimensions, 2
    and 3 m for points between -3 and 3 m. A smaller one needs more waves, and fewer exact pairs.
    Discs and spheres larger than it, and than those of the training split, are outside."""
    num_sources: Annotated[int, Field(ge=1)] | None = None
    """Number of sources that the cutoff is chosen for, if it is null: beyond 2000, the more of them
    the smaller it is, so that a point is near as few; null for the cutoff above."""
    transform: Literal["products", "nufft"] | None = None
    """Sums over waves: "products" of one cosine or sine for each axis, at each source and point;
    "nufft", by nonuniform fast Fourier transforms on a CPU, for many waves (extra `nufft`); null
    for products of up to some 2^18 waves, or 2^14 if `num_sources` is given, and transforms of
    more."""
    bandwidth: Positive | None = None
    """Largest wave number [rad per cutoff]; null to choose it from the accuracy."""
    period: tuple[Positive, ...] | None = None
    """Period of the grid of waves along each axis [length scales]; null to choose it from the
    accuracy. It must exceed twice the largest displacement of a point from a source."""
    nodes: Annotated[int, Field(ge=1, le=_MOST_NODES)] | None = None
    """Dipoles along each edge of a box that represent it in the smooth part; null for as many as
    the accuracy asks for."""
    largest_extent: Annotated[float, Field(ge=0)] | None = None
    """Largest outer radius of boxes in the domain [m]; larger ones are outside; null for that of
    the training split, or, where there is none, for what three nodes serve."""
    capacity: Annotated[int, Field(ge=1, le=2**14)] | None = None
    """Largest number of sources near a point under `jax.jit`, where they cannot be counted; null to
    let every source meet every point there."""


def inputs_of_domain(columns: SourceColumns, config: GridSplitConfig) -> ModelInputs:
    """Inputs of a model that is made without a dataset: scales of its domain.

    Args:
        columns: Columns of its source tables.
        config: Settings, with a domain.

    Raises:
        RecipeError: If there is none, or it is too small or too large for float32.
    """
    points, _ = _boxes(config, ModelInputs(columns=columns))
    half = max(high / 2 - low / 2 for low, high in points)
    if not _SMALLEST <= half <= _LARGEST:
        raise RecipeError(
            f"Half the longest side of a domain must be from {_SMALLEST:g} to {_LARGEST:g} m, as "
            f"float32 holds no fields of others; got {half:g} (model.domain). Give lengths in "
            "metres."
        )
    # As of points that are even in the box.
    length = half / math.sqrt(3)
    return ModelInputs(
        columns=columns,
        scales=Scales(length=length, potential=1 / length ** (columns.dim - 1)),
    )


def _boxes(
    config: GridSplitConfig, inputs: ModelInputs
) -> tuple[tuple[Range, ...], tuple[Range, ...]]:
    """Ranges of points, and of the positions of sources [m]."""
    dim, domain, trained = inputs.dim, config.domain, inputs.trained
    if isinstance(domain, float | int):
        return ((-float(domain), float(domain)),) * dim, ((-float(domain), float(domain)),) * dim
    if domain is not None:
        if len(domain) != dim:
            raise RecipeError(
                f"model.domain must have a range for each of the {dim} axes; got {len(domain)}. "
                "Give a pair for each, or half the side of a box."
            )
        return domain, domain
    if trained is None:
        raise RecipeError(
            "A split with factors on a grid must have a domain; got none, and no ranges of a "
            "training split (model.domain). Give half the side of its box [m], as 3.0."
        )
    return trained.points, trained.sources[dim : 2 * dim]


def resolved(config: GridSplitConfig, inputs: ModelInputs) -> GridSplitConfig:
    """Settings with the open ones chosen: a file means the same whatever later defaults are.

    Args:
        config: Settings.
        inputs: Dimension, columns, scales, and the ranges of training.

    Returns:
        Settings of which none is null but the domain, if it is the ranges of training, and the
        capacity.

    Raises:
        RecipeError: If the domain is not known, the accuracy cannot be reached, or bodies are soft.
    """
    refuse_sums_of_soft_bodies(inputs.columns, config.name)
    dim, length = inputs.dim, inputs.scales.length
    accuracy = config.accuracy or ACCURACY[dim]
    cutoff = config.cutoff or _cutoff(config, inputs, accuracy)
    nodes, extent = _nodes(config, inputs, accuracy, length * cutoff)
    domain = None if config.domain is None else _boxes(config, inputs)[0]
    found = config.model_copy(
        update={
            "domain": domain,
            "accuracy": accuracy,
            "cutoff": cutoff,
            "nodes": nodes,
            "largest_extent": extent,
        }
    )
    if (config.bandwidth is None) != (config.period is None):
        raise RecipeError(
            "model.bandwidth and model.period must be given together; got one of them. Leave out "
            "both to have them chosen from model.accuracy."
        )
    region = region_of(found, inputs)
    first = first_of_many(region, accuracy) if config.bandwidth is None else waves_of(found)
    transform = config.transform
    if transform is None:
        few = _MOST_PRODUCTS if config.num_sources is None else _FEW_WAVES
        transform = "products" if first.number(cutoff) <= few else "nufft"
    if transform == "nufft":
        use = 'A model with transform "nufft" (model.transform)'
        refuse_missing("jax_finufft", use, RecipeError)
    found = found.model_copy(update={"transform": transform})
    if config.bandwidth is not None:
        _refuse_short(waves_of(found).period, region.widths)
        return found
    remedy = "less accuracy, or a larger cutoff"
    if config.transform == "products":
        remedy += ', or for transform "nufft"'
    most, density = _most_waves(config), partial(density_of, config, dim)
    waves = chosen(region, density, accuracy, most, remedy)
    return found.model_copy(update={"bandwidth": waves.bandwidth, "period": waves.period})


def _refuse_short(period: tuple[float, ...], widths: tuple[float, ...]) -> None:
    wanted = tuple(2 * width for width in widths)
    if len(period) == len(wanted) and all(p > w for p, w in zip(period, wanted, strict=True)):
        return
    least, got = (", ".join(f"{each:.4g}" for each in several) for several in (wanted, period))
    raise RecipeError(
        "model.period must have a period for each axis, which exceeds twice the largest "
        f"displacement of a point from a source, {least} length scales; got {got}. Leave out "
        "model.period and model.bandwidth to have them chosen."
    )


def _most_waves(config: GridSplitConfig) -> int:
    return _MOST_PRODUCTS if config.transform == "products" else _MOST_WAVES


def _cutoff(config: GridSplitConfig, inputs: ModelInputs, accuracy: float) -> float:
    """Cutoff of some spacings of the sources, as far as a model can have the waves for it."""
    dim, length = inputs.dim, inputs.scales.length
    largest = CUTOFF[dim]
    if config.num_sources is None or config.num_sources <= _FEW_SOURCES:
        return largest
    points, positions = _boxes(config, inputs)
    volume = math.prod(high - low for low, high in positions)
    spacing: float = (volume / config.num_sources) ** (1 / dim)
    spacings = _SPACINGS if config.transform == "products" else _SPACINGS_OF_NUFFT
    cutoff = spacings[dim] * spacing / length
    widths = tuple(
        max(high - least, most - low) / length
        for (low, high), (least, most) in zip(points, positions, strict=True)
    )
    while cutoff < largest:
        waves = first_of_many(Displacements(widths, cutoff), accuracy)
        if waves.number(cutoff) < 0.7 * _most_waves(config):
            return cutoff
        cutoff *= 1.05
    return largest


def refusal_of(config: GridSplitConfig, inputs: ModelInputs) -> str | None:
    """The sentences that refuse a model with these settings; None if it can be made.

    Args:
        config: Settings.
        inputs: Dimension, columns, scales, and the ranges of training.
    """
    try:
        resolved(config, inputs)  # its fits are kept for the model itself
    except RecipeError as error:
        return str(error)
    return None


def domain_of(config: GridSplitConfig, inputs: ModelInputs) -> Domain:
    """Points and sources for which waves are fitted.

    Args:
        config: Resolved settings.
        inputs: Columns, and the ranges of training.
    """
    assert config.cutoff is not None, "it is chosen"
    assert config.largest_extent is not None, "it is chosen"
    points, positions = _boxes(config, inputs)
    trained = None if inputs.trained is None else inputs.trained.sources
    radii = largest_radii(inputs.columns, trained, config.cutoff * inputs.scales.length)
    radii |= dict.fromkeys(bodies_of_nodes(inputs.columns), config.largest_extent)
    return Domain(points, positions, radii=tuple(radii.items()))


def region_of(config: GridSplitConfig, inputs: ModelInputs) -> Displacements:
    """Largest displacements of points from dipoles [length scales]; similar axes count as equal.

    Args:
        config: Settings, resolved but for the waves.
        inputs: Columns, scales, and the ranges of training.
    """
    assert config.cutoff is not None, "it is chosen"
    assert config.nodes is not None, "they are chosen"
    domain, length = domain_of(config, inputs), inputs.scales.length
    outermost = float(np.polynomial.legendre.leggauss(config.nodes)[0].max())
    reach = outermost * (config.largest_extent or 0.0)
    widths = [
        1.01 * (max(high - least, most - low) + reach) / length
        for (low, high), (least, most) in zip(domain.points, domain.positions, strict=True)
    ]
    longest = max(widths)
    same = tuple(longest if width > _SIMILAR * longest else width for width in widths)
    return Displacements(same, config.cutoff)


def waves_of(config: GridSplitConfig) -> Waves:
    """The waves of resolved settings; lengths in length scales."""
    assert config.period is not None, "it is chosen"
    assert config.bandwidth is not None, "it is chosen"
    return Waves(config.period, config.bandwidth)


def density_of(config: GridSplitConfig, dim: int, bandwidth: float) -> Density:
    """Density of the ball over which a dipole is spread, for a bandwidth [rad per cutoff]."""
    if config.density == "power":
        return PowerDensity(max(round(_POWER[dim] * bandwidth), 1))
    return KaiserBesselDensity(bandwidth)


def _nodes(
    config: GridSplitConfig, inputs: ModelInputs, accuracy: float, cutoff: float
) -> tuple[int, float]:
    """Nodes along the edges of boxes, and the largest outer radius that they serve [m].

    Beyond the cutoff, the dipoles of a box of outer radius x R miss its field by (x / (1 + x))^2n
    at most, measured for edges of one to four; three times the accuracy is taken for the largest,
    as hardly any box is.
    """
    if not has_nodes(inputs.columns):
        return config.nodes or 1, 0.0

    def limit(nodes: int) -> float:
        share = float((3 * accuracy) ** (0.5 / nodes))
        return cutoff * share / (1 - share)

    extent = config.largest_extent
    if extent is None and inputs.trained is not None:
        radii = largest_radii(inputs.columns, inputs.trained.sources, cutoff)
        extent = max(radii[body] for body in bodies_of_nodes(inputs.columns))
    if extent is None:
        nodes = config.nodes or 3
        return nodes, limit(nodes)
    enough = [nodes for nodes in range(1, _MOST_NODES + 1) if limit(nodes) >= extent]
    nodes = config.nodes or min(enough, default=_MOST_NODES)
    # Those that are larger than the nodes serve count as outside of the domain.
    return nodes, min(extent, limit(nodes)) if config.nodes is None else extent
