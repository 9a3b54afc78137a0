"""Distributions: each is the one that its name says."""

import numpy as np
import pytest
import scipy.spatial.transform
import scipy.stats

from hypermagnetics.sources import uniforms
from hypermagnetics.sources.distributions import (
    Aligned,
    Constant,
    InBox,
    Lattice,
    Normal,
    OnSphere,
    Sizes,
    UniformAngle,
    UniformRotation,
)

COUNT = 20_000


def numbers(size: int, stream: str = "a") -> np.ndarray:
    return uniforms(5, stream, "sources", 0, COUNT, size)


def assert_distributed(values: np.ndarray, cdf: str, *parameters: float) -> None:
    """Kolmogorov and Smirnov; the draws are always the same, so the test never fails by chance."""
    assert scipy.stats.kstest(values, cdf, parameters).pvalue > 1e-3


def assert_uniform_directions(vectors: np.ndarray) -> None:
    """In two dimensions the angle is uniform; in three each coordinate is (Archimedes)."""
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-12)
    if vectors.shape[1] == 2:
        assert_distributed(np.arctan2(*vectors.T), "uniform", -np.pi, 2 * np.pi)
    else:
        for axis in vectors.T:
            assert_distributed(axis, "uniform", -1, 2)
        assert_distributed(np.arctan2(*vectors.T[:2]), "uniform", -np.pi, 2 * np.pi)


def test_normal_values() -> None:
    """Zero mean, the stated standard deviation, components independent."""
    values = Normal(std=1.5).from_uniform(numbers(4))
    for column in values.T:
        assert_distributed(column, "norm", 0, 1.5)
    assert np.abs(np.corrcoef(values.T) - np.eye(4)).max() < 0.04


@pytest.mark.parametrize("dim", [2, 3])
def test_moments_on_a_sphere(dim: int) -> None:
    """One magnitude, every direction."""
    moments = OnSphere(distribution="sphere", magnitude=2.5).from_uniform(numbers(dim))
    assert_uniform_directions(moments / 2.5)


@pytest.mark.parametrize("direction", [(3.0, -4.0), (0.0, 1e-200, 0.0), (1e300, 1e300, 1e300)])
def test_aligned_moments(direction: tuple[float, ...]) -> None:
    """Normal about one vector of the stated magnitude, whatever the norm of the direction."""
    unit = np.array(direction) / max(direction, key=abs) * np.sign(max(direction, key=abs))
    unit /= np.linalg.norm(unit)
    aligned = Aligned(distribution="aligned", direction=direction, magnitude=2.0, spread=0.1)
    for column, centre in zip(aligned.from_uniform(numbers(len(direction))).T, unit, strict=True):
        assert_distributed(column, "norm", 2 * centre, 0.2)
    exact = aligned.model_copy(update={"spread": 0.0}).from_uniform(numbers(len(direction)))
    np.testing.assert_allclose(exact, np.broadcast_to(2 * unit, exact.shape), rtol=1e-12)


@pytest.mark.parametrize("value", [(0.3, -0.2), (1.0, 0.0, -1e30)])
def test_constant_vectors(value: tuple[float, ...]) -> None:
    """The same for all, whatever the numbers."""
    found = Constant(distribution="constant", value=value).from_uniform(numbers(len(value)))
    assert found.shape == (COUNT, len(value))
    np.testing.assert_array_equal(np.unique(found, axis=0), [value])


def test_positions_in_a_box() -> None:
    """Uniform along each axis."""
    for axis in InBox(distribution="uniform", half_width=1.2).from_uniform(numbers(3)).T:
        assert_distributed(axis, "uniform", -1.2, 2.4)


@pytest.mark.parametrize(("dim", "sites_per_side"), [(2, 4), (3, 3), (2, 1000)])
def test_a_lattice_has_one_source_on_a_site(dim: int, sites_per_side: int) -> None:
    """All sites different, within the jitter of the centred lattice, none preferred."""
    samples, sources = 300, min(16, sites_per_side**dim)
    lattice = Lattice(
        distribution="lattice", spacing=0.5, jitter=0.2, sites_per_side=sites_per_side
    )
    jitter = uniforms(0, "a", "sources", 0, samples, sources * dim).reshape(samples, sources, dim)
    positions = lattice.from_uniform(uniforms(0, "a", "lattice", 0, samples, sources), jitter)
    sites = positions / 0.5 + (sites_per_side - 1) / 2
    nearest = np.rint(sites)
    assert nearest.min() >= 0
    assert nearest.max() < sites_per_side
    assert_distributed(((sites - nearest) * 0.5).ravel(), "uniform", -0.2, 0.4)
    for sample in nearest:
        assert len(np.unique(sample, axis=0)) == sources
    # Only some of the 27 sites are taken, and none of the 10^6 twice as often as another.
    shares = np.histogram(nearest[:, 0, 0], bins=min(sites_per_side, 5))[0] / samples
    np.testing.assert_allclose(shares, 1 / len(shares), atol=0.1)


def test_a_lattice_of_large_samples_is_drawn_in_parts() -> None:
    """Sites are held for a few samples at a time; that changes nothing."""
    lattice = Lattice(distribution="lattice", spacing=1.0, sites_per_side=1024)
    choice = uniforms(0, "a", "lattice", 0, 9, 5)
    centre = np.full((9, 5, 2), 0.5)
    together = lattice.from_uniform(choice, centre)
    alone = [lattice.from_uniform(choice[i : i + 1], centre[i : i + 1])[0] for i in range(9)]
    np.testing.assert_array_equal(together, alone)


def test_sizes() -> None:
    """Uniform, or uniform in the logarithm, between two ends that are reached but not passed."""
    even = Sizes(distribution="uniform", low=0.2, high=0.7)
    assert_distributed(even.from_uniform(numbers(1)[:, 0]), "uniform", 0.2, 0.5)
    log = Sizes(distribution="log-uniform", low=1e-3, high=1e2)
    assert_distributed(np.log10(log.from_uniform(numbers(1)[:, 0])), "uniform", -3, 5)
    for sizes in (even, log):
        ends = sizes.from_uniform(np.array([0.0, 1.0]))
        np.testing.assert_allclose(ends, [sizes.low, sizes.high], rtol=1e-14)


def test_angles() -> None:
    """The whole turn."""
    angles = UniformAngle(distribution="uniform").from_uniform(numbers(1)[:, 0])
    assert_distributed(angles, "uniform", 0, 2 * np.pi)


def test_rotations() -> None:
    """Unit quaternions; every rotated axis has every direction, and the angle its known density."""
    quaternions = UniformRotation(distribution="uniform").from_uniform(numbers(3))
    np.testing.assert_allclose(np.linalg.norm(quaternions, axis=1), 1, rtol=1e-12)
    turned = scipy.spatial.transform.Rotation.from_quat(quaternions, scalar_first=True)
    for axis in np.eye(3):
        assert_uniform_directions(turned.apply(axis))
    angle = turned.magnitude()  # of density (1 - cos angle) / pi
    assert_distributed((angle - np.sin(angle)) / np.pi, "uniform")
    # Uniform on the three-dimensional sphere, so that no component is different.
    for component in quaternions.T:
        assert_distributed(component**2, "beta", 0.5, 1.5)
