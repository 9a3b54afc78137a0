"""Point dipole: the field of every body, far away."""

from hypermagnetics.sources.values import Components, Values, dot, full_angle


def dipole(moment: Components, displacement: Components) -> Values:
    """Potential and field of a point dipole in n = 2 or 3 dimensions.

    phi = m.d / (A d^n), H = -grad phi = (n (m.d) d / d² - m) / (A d^n), with A = 2 pi or 4 pi.

    Args:
        moment: Components of the dipole moment m [A m²]; in two dimensions per length [A m].
        displacement: Components of d, point minus position [m]; shapes broadcast with `moment`.

    Returns:
        Potential [A] and field [A/m]. Both are singular, and NaN or infinite, at d = 0.

    References:
        Jackson, Classical Electrodynamics, 3rd ed., section 5.6; in two dimensions section 4.1.
    """
    dim = len(displacement)
    inverse2 = 1 / dot(displacement, displacement)
    scale = inverse2 if dim == 2 else inverse2 * inverse2**0.5
    scale = scale / full_angle(dim)
    along = dot(moment, displacement)
    radial = dim * along * inverse2
    return Values(
        along * scale,
        tuple((radial * d - m) * scale for m, d in zip(moment, displacement, strict=True)),
    )
