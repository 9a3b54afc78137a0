"""Laws of magnetostatics that every body in two dimensions obeys."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from hypermagnetics.sources import Kernel, body_kernel, disc, superposition

_RADIUS = 0.7
_KERNELS = {"disc": body_kernel("disc", _RADIUS), "dipole": body_kernel("dipole", None)}
_SOURCE = jnp.array([[0.4, -1.3, 0.2, -0.5]])


@pytest.fixture(params=_KERNELS, ids=str)
def kernel(request: pytest.FixtureRequest) -> Kernel:
    """Each body in turn."""
    return _KERNELS[request.param]


@pytest.fixture(params=["inside", "outside"])
def points(request: pytest.FixtureRequest) -> jax.Array:
    """Points on either side of the surface, none on it."""
    distance = jnp.array([0.1, 0.5, 0.99] if request.param == "inside" else [1.01, 2.0, 30.0])
    angle = jnp.linspace(0.3, 5.9, 7)
    around = jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)
    return _SOURCE[:, 2:] + _RADIUS * (distance[:, None, None] * around[None]).reshape(-1, 2)


def potential_at(kernel: Kernel, point: jax.Array, source: jax.Array = _SOURCE) -> jax.Array:
    """Potential at one point."""
    return superposition(kernel, source, point[None])[0][0]


def test_field_is_minus_the_gradient(kernel: Kernel, points: jax.Array) -> None:
    """H = -grad phi."""
    gradient = jax.vmap(jax.grad(lambda point: potential_at(kernel, point)))(points)
    _, field = superposition(kernel, _SOURCE, points)
    np.testing.assert_allclose(field, -gradient, rtol=1e-12)


def test_field_has_no_sources_off_the_surface(kernel: Kernel, points: jax.Array) -> None:
    """Laplace's equation: div H = 0 inside and outside."""

    def divergence(point: jax.Array) -> jax.Array:
        jacobian = jax.jacfwd(lambda r: superposition(kernel, _SOURCE, r[None])[1][0])(point)
        return jnp.trace(jacobian)

    _, field = superposition(kernel, _SOURCE, points)
    scale = jnp.linalg.norm(field, axis=-1) / _RADIUS
    np.testing.assert_array_less(jnp.abs(jax.vmap(divergence)(points)), 1e-10 + 1e-8 * scale)


def test_potential_and_field_are_homogeneous_in_the_moment(
    kernel: Kernel, points: jax.Array
) -> None:
    """A moment c times as large makes c times the values; a power of two rounds nothing."""
    potential, field = superposition(kernel, _SOURCE, points)
    for factor, tolerance in ((-1.0, 0), (4.0, 0), (3.7, 1e-12)):
        scaled = _SOURCE.at[:, :2].multiply(factor)
        other_potential, other_field = superposition(kernel, scaled, points)
        np.testing.assert_allclose(other_potential, factor * potential, rtol=tolerance)
        np.testing.assert_allclose(other_field, factor * field, rtol=tolerance)


def test_rotating_everything_rotates_the_field(kernel: Kernel, points: jax.Array) -> None:
    """Phi is a scalar and H a vector under rotations and reflections."""
    angle = 0.83
    rotation = jnp.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    potential, field = superposition(kernel, _SOURCE, points)
    for matrix in (rotation, rotation @ jnp.diag(jnp.array([1.0, -1.0]))):
        turned = (_SOURCE.reshape(1, 2, 2) @ matrix.T).reshape(1, 4)
        turned_potential, turned_field = superposition(kernel, turned, points @ matrix.T)
        np.testing.assert_allclose(turned_potential, potential, rtol=1e-12)
        np.testing.assert_allclose(turned_field, field @ matrix.T, rtol=1e-11, atol=1e-14)


def test_a_disc_is_its_dipole_outside() -> None:
    """The trap of a wrong prefactor: the far field fixes it."""
    far = _SOURCE[:, 2:] + jnp.array([[30.0, -4.0], [700.0, 900.0], [-1e6, 2e5]])
    body, dipole = (superposition(_KERNELS[name], _SOURCE, far) for name in ("disc", "dipole"))
    np.testing.assert_allclose(body[0], dipole[0], rtol=1e-14)
    np.testing.assert_allclose(body[1], dipole[1], rtol=1e-14)


def test_a_disc_of_vanishing_radius_is_a_dipole(points: jax.Array) -> None:
    """The limit R -> 0 at fixed moment."""
    tiny = superposition(body_kernel("disc", 1e-9), _SOURCE, points)
    dipole = superposition(_KERNELS["dipole"], _SOURCE, points)
    np.testing.assert_allclose(tiny[1], dipole[1], rtol=1e-14)


def test_normal_b_and_tangential_h_are_continuous_at_the_surface() -> None:
    """B = mu0 (H + M): its normal part passes, H's tangential part passes, phi passes."""
    angle = jnp.linspace(0, 6.2, 50)
    normal = jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)
    tangent = jnp.stack([-normal[:, 1], normal[:, 0]], axis=-1)
    sides = [_SOURCE[:, 2:] + _RADIUS * (1 + e) * normal for e in (-1e-12, 1e-12)]
    (phi_in, h_in), (phi_out, h_out) = (
        superposition(_KERNELS["disc"], _SOURCE, side) for side in sides
    )
    magnetisation = _SOURCE[:, :2] / (np.pi * _RADIUS**2)
    np.testing.assert_allclose(phi_in, phi_out, atol=1e-10)
    np.testing.assert_allclose((h_in * tangent).sum(-1), (h_out * tangent).sum(-1), atol=1e-10)
    b_in = ((h_in + magnetisation) * normal).sum(-1)
    np.testing.assert_allclose(b_in, (h_out * normal).sum(-1), atol=1e-10)


def test_a_point_on_the_surface_belongs_to_the_inside() -> None:
    """The stated rule: d = R is inside."""
    source = jnp.array([[1.0, 0.0, 0.0, 0.0]])
    _, field = superposition(body_kernel("disc", 1.0), source, jnp.array([[1.0, 0.0], [0.0, 0.0]]))
    np.testing.assert_array_equal(field[0], field[1])


def test_gradients_are_finite_everywhere() -> None:
    """Also at the centre, on the surface, and through the branch that is not taken."""
    moment, radius = tuple(_SOURCE[0, :2]), 0.7
    components = [((0.0, 0.0), radius), ((radius, 0.0), radius), ((1e6, 1e6), radius)]
    components += [((1e-3, 0.0), 1e-3), ((0.0, 0.0), 1e-3)]

    def potential(displacement: jax.Array, size: jax.Array) -> jax.Array:
        return disc(moment, tuple(displacement), size).potential

    for displacement, size in components:
        gradients = jax.grad(potential, argnums=(0, 1))(jnp.array(displacement), size)
        assert all(bool(jnp.isfinite(gradient).all()) for gradient in gradients)


def test_reciprocity_of_dipoles() -> None:
    """m1 . H2(r1) = m2 . H1(r2)."""
    tables = jr.normal(jr.key(3), (2, 4))
    fields = [
        superposition(_KERNELS["dipole"], tables[i : i + 1], tables[1 - i : 2 - i, 2:])[1][0]
        for i in (0, 1)
    ]
    energies = [jnp.dot(tables[1 - i, :2], fields[i]) for i in (0, 1)]
    assert float(energies[0]) == pytest.approx(float(energies[1]), rel=1e-12)
