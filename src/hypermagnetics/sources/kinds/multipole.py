"""The field of a box far away: its dipole and the first correction to it."""

from hypermagnetics.sources.kinds.distance import (
    directions_of,
    inverse_distance,
    over_distance,
)
from hypermagnetics.sources.values import Components, Values, dot


def multipole(moment: Components, displacement: Components, dimension: Components) -> Values:
    """Potential and field of a box to second order in its size over the distance.

    phi = -(m.grad) (1 + sum_i q_i d²/dx_i²) g(d) with q_i = side_i² / 24, where g = 1 / (4 pi d) in
    three dimensions and -log(d) / (2 pi) in two: the Taylor series of g averaged over the box,
    whose odd orders vanish. With n dimensions, A = 2 pi or 4 pi, p = m.d, t = sum_i q_i m_i d_i,
    s = sum_i q_i d_i² and q = sum_i q_i,

        A d^n phi = p - n (2 t + q p) / d² + n (n + 2) s p / d⁴.

    The error is of fourth order. A cube and a square have no second order: q p - 2 t - ... = 0.

    Args:
        moment: Components of m along the edges of the box [A m²]; in two dimensions [A m].
        displacement: Components of d, point minus position, along the edges [m].
        dimension: Full sides [m].

    Returns:
        Potential [A] and field [A/m], along the edges.

    References:
        Jackson, Classical Electrodynamics, 3rd ed., section 4.1: the series; the average over a box
        is elementary.
    """
    dim = len(displacement)
    inverse = inverse_distance(displacement)
    towards = directions_of(displacement, inverse)
    # q_i / d², and everything made of it, is small and without unit.
    q = [(side * inverse) ** 2 / 24 for side in dimension]
    total = sum(q[1:], q[0])
    along = dot(moment, towards)
    weighted = [a * m for a, m in zip(q, moment, strict=True)]
    second = 2 * dot(weighted, towards) + total * along
    spread = dot([a * n for a, n in zip(q, towards, strict=True)], towards)
    potential = along - dim * second + dim * (dim + 2) * spread * along
    radial = dim * (along - (dim + 2) * (second - (dim + 4) * spread * along))
    field = [
        radial * n
        - m
        + dim * (2 * w + total * m)
        - dim * (dim + 2) * (2 * a * n * along + spread * m)
        for a, w, m, n in zip(q, weighted, moment, towards, strict=True)
    ]
    return over_distance(potential, field, inverse)
