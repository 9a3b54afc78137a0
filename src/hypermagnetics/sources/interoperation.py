"""Conversion from and to magpylib, which has more shapes, paths, motion and pictures.

Both packages are in SI units. magpylib stores the magnetisation in the frame of the magnet; here
it is the moment, magnetisation times volume, in the frame of the laboratory.
"""

import importlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from hypermagnetics.errors import SourceError
from hypermagnetics.extras import refuse_missing
from hypermagnetics.sources.bodies import Body, Cuboid, Dipole, Sphere


def from_magpylib(source: object) -> list[Body]:
    """Make bodies of a magpylib magnet or of a collection of them.

    The moment is R M V with the magnet's orientation R, magnetisation M and volume V. Children of
    collections, at any depth, are taken where they are: magpylib keeps their positions in the frame
    of the laboratory. Sensors in a collection are left out, because they make no field.

    A magnet with an attribute `susceptibility`, or in a collection with one, as
    magpylib-material-response has it, is soft: its magnetisation is the remanent one.

    Args:
        source: A `magpylib.magnet.Cuboid` or `Sphere`, a `magpylib.misc.Dipole`, or a
            `magpylib.Collection`.

    Returns:
        One body for each magnet, in the order of `source.sources_all`, with the same field H. The
        bodies are in float64 as those of magpylib, and so are their values, also where JAX is not
        set to it: far from the origin a position in float32 has lost the digits of a small magnet.

    Raises:
        SourceError: If it is something else, holds no magnet, follows a path of several steps,
            lacks a size, a magnetisation or a moment, or has another susceptibility in another
            direction.
        HypermagneticsError: If magpylib is not installed.

    Examples:
        >>> import magpylib
        >>> magnet = magpylib.magnet.Sphere(magnetization=(0, 0, 3e5), diameter=0.01)
        >>> [body.name for body in from_magpylib(magnet)]
        ['sphere']
    """
    bodies = list(_bodies(import_magpylib(), source, "source"))
    if not bodies:
        raise SourceError(
            "A collection must hold at least one magnet; got none (source). Add a Cuboid, a Sphere "
            "or a Dipole."
        )
    return bodies


def to_magpylib(bodies: Sequence[Body]) -> Any:
    """Make a magpylib collection of bodies, one magnet for each, in their order.

    Args:
        bodies: At least one; dipoles in three dimensions, spheres and cuboids.

    Returns:
        A `magpylib.Collection` with the same field H; soft bodies have an attribute
        `susceptibility`.

    Raises:
        SourceError: If there is no body, or one that magpylib has no magnet for.
        HypermagneticsError: If magpylib is not installed.
    """
    magpylib = import_magpylib()
    if not bodies:
        raise SourceError(
            "A collection must hold at least one body; got none (bodies). Give dipoles, spheres or "
            "cuboids."
        )
    magnets = [_magnet(magpylib, body, f"bodies[{i}]") for i, body in enumerate(bodies)]
    return magpylib.Collection(*magnets)


def import_magpylib() -> Any:
    """Import magpylib, an extra.

    Raises:
        HypermagneticsError: If it is not installed.
    """
    refuse_missing("magpylib", "An exchange of magnets with magpylib")
    return importlib.import_module("magpylib")


def _bodies(magpylib: Any, source: Any, where: str) -> Iterator[Body]:
    if not isinstance(source, magpylib.Collection):
        yield _body(magpylib, source, where)
        return
    for i, child in enumerate(source.children):
        if not isinstance(child, magpylib.Sensor):
            yield from _bodies(magpylib, child, f"{where}.children[{i}]")


def _body(magpylib: Any, source: Any, where: str) -> Body:
    known = (magpylib.magnet.Cuboid, magpylib.magnet.Sphere, magpylib.misc.Dipole)
    if not isinstance(source, known):
        raise SourceError(
            "A source must be a magpylib Cuboid, Sphere or Dipole, or a Collection of them; got "
            f"{type(source).__name__} ({where}). Leave it out, or put several into a Collection."
        )
    position = _numbers(source, "position", (3,), where)
    x, y, z, w = _one_step(source.orientation.as_quat(), source, "orientation", (4,), where)
    turned = source.orientation.apply
    if isinstance(source, magpylib.misc.Dipole):
        if getattr(source, "susceptibility", None):
            raise SourceError(
                "The susceptibility of a Dipole must be 0, as it has no volume; got "
                f"{source.susceptibility} ({where}). Take a Sphere."
            )
        moment = turned(_numbers(source, "moment", (3,), where))
        return Dipole(moment, position)
    chi = _susceptibility(source, where)
    magnetisation = turned(_numbers(source, "magnetization", (3,), where))
    if isinstance(source, magpylib.magnet.Sphere):
        radius = 0.5 * float(_numbers(source, "diameter", (), where))
        moment = magnetisation * _ball_volume(radius)
        return Sphere(moment, position, radius, chi)
    dimension = _numbers(source, "dimension", (3,), where)
    moment = magnetisation * dimension.prod()
    return Cuboid(moment, position, dimension, np.array([w, x, y, z]), chi)


def _susceptibility(source: Any, where: str) -> float:
    """Susceptibility of a magnet, or of the nearest collection around it that has one; else 0."""
    at = source
    while at is not None and getattr(at, "susceptibility", None) is None:
        at = at.parent
    if at is None:
        return 0.0
    values = np.asarray(at.susceptibility, np.float64)
    if values.shape not in ((), (3,)) or not (values == values.ravel()[0]).all():
        raise SourceError(
            "A susceptibility must be the same in all directions, a number or three equal ones; "
            f"got {values.tolist()} ({where}). Give a mean, if that serves."
        )
    return float(values.ravel()[0])


def _numbers(
    source: Any, name: str, shape: tuple[int, ...], where: str
) -> Float64[np.ndarray, "..."]:
    """Property of a magpylib magnet, which must be set and constant in time."""
    value = getattr(source, name)
    if value is None:
        raise SourceError(
            f"The {name} of a {type(source).__name__} must be set; got None ({where}). Set it "
            "in magpylib."
        )
    return _one_step(value, source, name, shape, where)


def _one_step(
    value: Any, source: Any, name: str, shape: tuple[int, ...], where: str
) -> Float64[np.ndarray, "..."]:
    array = np.asarray(value, np.float64)
    if array.shape != shape:
        raise SourceError(
            f"A magnet must be at rest; got a path of {len(array)} steps in the {name} of a "
            f"{type(source).__name__} ({where}). Set it to one step of the path."
        )
    if not np.isfinite(array).all():
        raise SourceError(
            f"The {name} of a {type(source).__name__} must be finite; got {array.tolist()} "
            f"({where}). Set it in magpylib."
        )
    return array


def _magnet(magpylib: Any, body: Body, where: str) -> Any:
    magnet = _hard_magnet(magpylib, body, where)
    if body.susceptibility is not None:
        magnet.susceptibility = float(body.susceptibility)
    return magnet


def _hard_magnet(magpylib: Any, body: Body, where: str) -> Any:
    moment, position = (np.array(v, np.float64) for v in (body.moment, body.position))
    match body:
        case Dipole() if position.shape == (3,):
            return magpylib.misc.Dipole(moment=moment, position=position)
        case Sphere():
            radius = float(body.radius)
            return magpylib.magnet.Sphere(
                magnetization=moment / _ball_volume(radius),
                position=position,
                diameter=2 * radius,
            )
        case Cuboid():
            from scipy.spatial.transform import Rotation

            dimension = np.array(body.dimension, np.float64)
            w, x, y, z = np.array(body.rotation, np.float64)
            orientation = Rotation.from_quat([x, y, z, w])
            return magpylib.magnet.Cuboid(
                magnetization=orientation.inv().apply(moment) / dimension.prod(),
                position=position,
                dimension=dimension,
                orientation=orientation,
            )
    raise SourceError(
        "A body for magpylib must be a sphere, a cuboid, or a dipole in three dimensions; got a "
        f"{body.name} in {len(position)} dimensions ({where}). Leave it out."
    )


def _ball_volume(radius: float) -> float:
    return 4 / 3 * math.pi * radius**3
