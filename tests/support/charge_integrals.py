"""Fields of magnetised bodies by brute force: slow, obvious, and blind to the closed forms.

Coulomb's law over the charges M.n on the surface, in extended precision where the machine has it,
or far away the sum of dipoles over the volume. Both by Gauss-Legendre quadrature.
"""

import itertools
import math

import numpy as np

_Vector = np.ndarray
_LEGENDRE = {count: np.polynomial.legendre.leggauss(count) for count in (10, 16)}
_LONG = np.longdouble
PI = _LONG(math.pi) + _LONG(1.2246467991473532e-16)  # the next digits, where there is room


def box_values(
    moment: _Vector, point: _Vector, dimension: _Vector, far: float = 4
) -> tuple[float, _Vector]:
    """Potential and field of a box whose edges lie along the axes.

    Args:
        moment: Magnetisation times volume, in two or three dimensions.
        point: Point minus centre; off the faces.
        dimension: Full sides.
        far: Distance, in half diagonals, from which the volume is summed.

    Returns:
        Potential and field; about 15 digits.
    """
    moment, point, dimension = (np.asarray(v, _LONG) for v in (moment, point, dimension))
    near = np.linalg.norm(point) < far * 0.5 * np.linalg.norm(dimension)
    values = surface_charges if near else volume_dipoles
    potential, field = values(moment, point, dimension)
    return float(potential), np.asarray(field, np.float64)


def volume_dipoles(moment: _Vector, point: _Vector, dimension: _Vector) -> tuple[_LONG, _Vector]:
    """The mean over the box of what a dipole gives."""
    dim = len(point)
    nodes, weights = _LEGENDRE[10]
    grid = np.stack(np.meshgrid(*[_LONG(nodes)] * dim), -1).reshape(-1, dim)
    weight = np.prod(np.stack(np.meshgrid(*[_LONG(weights) / 2] * dim), -1), -1).ravel()
    d = point - grid * dimension / 2
    distance2 = (d * d).sum(-1)
    along = d @ moment
    scale = weight / (2 * PI * (dim - 1) * distance2 ** (_LONG(dim) / 2))
    radial = dim * along / distance2
    field = (scale[:, None] * (radial[:, None] * d - moment)).sum(0)
    return (scale * along).sum(), field


def surface_charges(moment: _Vector, point: _Vector, dimension: _Vector) -> tuple[_LONG, _Vector]:
    """The sum over the faces of what their charges M.n give."""
    charged_face = _charged_side if len(point) == 2 else _charged_face
    potential, field = _LONG(0), np.zeros(len(point), _LONG)
    for axis, side in itertools.product(range(len(point)), (-1, 1)):
        charge = side * moment[axis] / np.prod(dimension)
        others = [i for i in range(len(point)) if i != axis]
        height = point[axis] - side * dimension[axis] / 2
        low, high = -dimension[others] / 2 - point[others], dimension[others] / 2 - point[others]
        phi, along_face, across = charged_face(height, low, high)
        potential += charge * phi
        field[others] += charge * along_face
        field[axis] += charge * across
    return potential, field


def _charged_side(height: _LONG, low: _Vector, high: _Vector) -> tuple[_LONG, _Vector, _LONG]:
    """-log(r) / (2 pi) over a line of unit charge, and its field along and across the line."""
    v, weight = _graded(low[0], high[0], height)
    r2 = v * v + height * height
    phi = -(weight * np.log(r2)).sum() / (4 * PI)
    return (
        phi,
        np.array([-(weight * v / r2).sum() / (2 * PI)]),
        height * (weight / r2).sum() / (2 * PI),
    )


def _charged_face(height: _LONG, low: _Vector, high: _Vector) -> tuple[_LONG, _Vector, _LONG]:
    """1 / (4 pi r) over a rectangle of unit charge, exact along u and numerical along v."""
    v, weight = _graded(low[1], high[1], height)
    p2 = v * v + height * height
    p = np.sqrt(p2)
    ends = [np.sqrt(u * u + p2) for u in (low[0], high[0])]
    phi = weight * (np.arcsinh(high[0] / p) - np.arcsinh(low[0] / p))
    cubed = weight * (high[0] / ends[1] - low[0] / ends[0]) / p2
    along_u = weight * (1 / ends[1] - 1 / ends[0])
    return (
        phi.sum() / (4 * PI),
        np.array([along_u.sum(), -(cubed * v).sum()]) / (4 * PI),
        height * cubed.sum() / (4 * PI),
    )


def _graded(low: _LONG, high: _LONG, width: _LONG) -> tuple[_Vector, _Vector]:
    """Nodes and weights on panels that double away from 0, the foot of the point."""
    reach = max(abs(low), abs(high))
    smallest = min(max(abs(width), reach * _LONG(1e-20)), reach)
    breaks = smallest * _LONG(2) ** np.arange(int(np.log2(reach / smallest)) + 2)
    breaks = np.concatenate([-breaks[::-1], [_LONG(0)], breaks])
    inner = breaks[(breaks > low) & (breaks < high)]
    edges = np.concatenate([[low], inner, [high]])
    nodes, weights = _LEGENDRE[16]
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    return (middle[:, None] + half[:, None] * nodes).ravel(), (half[:, None] * weights).ravel()


def disc_values(moment: _Vector, point: _Vector, radius: float) -> tuple[float, _Vector]:
    """Potential and field of a disc: the trapezoid rule around its rim, exact to rounding.

    Args:
        moment: Magnetisation times area.
        point: Point minus centre, not nearer to the rim than a hundredth of the radius.
        radius: Radius.

    Returns:
        Potential and field.
    """
    count = 8192
    angle = 2 * PI * np.arange(count) / count
    normal = np.stack([np.cos(angle), np.sin(angle)], -1)
    charge = normal @ np.asarray(moment, _LONG) / (PI * _LONG(radius) ** 2)
    d = np.asarray(point, _LONG) - radius * normal
    r2 = (d * d).sum(-1)
    weight = charge * radius / count
    phi = -(weight * np.log(r2)).sum() / 2
    return float(phi), np.asarray((weight[:, None] * d / r2[:, None]).sum(0), np.float64)
