"""The checked face of the solve: arguments of users in, a solution or a refusal out."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from hypermagnetics.arrays import Numbers, whole_number
from hypermagnetics.errors import SourceError
from hypermagnetics.few_sizes import known_values, placed
from hypermagnetics.machine import memory_bytes
from hypermagnetics.sources.arguments import AnyFloats, float_arrays
from hypermagnetics.sources.checks import broken_rows, refuse_bad_shape, refuse_broken_rows
from hypermagnetics.sources.kinds import KINDS
from hypermagnetics.sources.soft.material import LAWS, Law
from hypermagnetics.sources.soft.multipoles import degrees
from hypermagnetics.sources.soft.overlaps import overlap_with_soft
from hypermagnetics.sources.soft.solution import SoftSolution
from hypermagnetics.sources.soft.solve import Rows, Settings, every_row, solve
from hypermagnetics.sources.soft.system import METHODS, RESTART, MethodName
from hypermagnetics.table import SourceColumns, is_body, source_rows

_MATRICES = 4
"""Matrices of all unknowns that elimination needs at once."""

_TENSORS = 6
"""Arrays of the size of the tensors between the cells of each body, and of its spectrum."""

_SHARE = 0.1
"""Residual that is aimed at, relative to the one that is refused."""


def solve_magnetisation(
    columns: SourceColumns,
    table: Numbers,
    susceptibility: Numbers,
    applied_field: Numbers | None = None,
    *,
    law: Law = "linear",
    saturation: Numbers | None = None,
    order: int = 8,
    cells: int | Sequence[int] = 4,
    method: MethodName | None = None,
    tolerance: float = 1e-9,
    max_iterations: int = 1000,
) -> SoftSolution:
    """Solve for the magnetisation of soft bodies in the field of each other and of magnets.

    M = f(H) + M_rem with the field H inside: that of all bodies and the applied one. f(H) is
    chi H (`linear`), M_s L(3 chi H / M_s) with Langevin's function L (`langevin`), M_s tanh(chi H /
    M_s) (`tanh`), or a function of your own, along H.

    Balls of the linear law have multipoles up to an order L, which converge exponentially with it.
    With L = 1 each has one moment: an approximation, exact in a uniform field only. Boxes are
    divided into cells of uniform magnetisation, whose law holds in their centres (point matching);
    errors of moments fall about as 1 / cells^1.3 to 1 / cells². Computed in float64.

    The result is a pytree, and the function can be differentiated by all of its arrays: implicitly,
    at the cost of one more solve. Inside a transformation of JAX, set `jax_enable_x64`; nothing can
    be refused there, and all values are NaN instead.

    Args:
        columns: Columns of `table`.
        table: Source table; moments are remanent ones, M_rem times volume, and may be 0. Rows of
            neither moment nor susceptibility are padding.
        susceptibility: chi > -1, a number or one for each row: M / H, with the field inside; of
            saturating laws at H = 0. 0 for a hard magnet, also for a dipole.
        applied_field: Field [A/m] of sources that are not in the table: a vector, or one for each
            row, uniform over its body. None for no such field.
        law: Law of the material. A function of yours maps |H| [A/m], an array of no axes, to |M|;
            its slope at 0 is the susceptibility.
        saturation: M_s [A/m], a number or one for each row; of `langevin` and `tanh` alone.
        order: Highest degree L of the multipoles of balls. Other laws than the linear one need 1.
        cells: Cells along each axis of a box; a number, or one for each axis of the box.
        method: `dense`, elimination, or `gmres`, without a matrix. If None, elimination where its
            matrices fit into half of the memory, some 10,000 unknowns in 8 GB.
        tolerance: Largest residual |M - f(H) - M_rem| over |M|; a solution beyond it is refused.
        max_iterations: The most products with the matrix in GMRES.

    Returns:
        The solution.

    Raises:
        SourceError: If an argument is none, soft bodies overlap others, the system does not fit
            into memory, or the tolerance is not reached.

    References:
        Chadebec, Coulomb and Janet, IEEE Trans. Magn. 42 (2006) 515, for the method of moments.
    """
    arguments = _arrays(columns, table, susceptibility, applied_field, saturation, law)
    settings = _settings(columns, law, order, cells, method, tolerance, max_iterations)
    values = known_values(*arguments)
    if values is None:
        _refuse_short(*arguments)
        rows_of, field_at, chi_of, limit_of = map(jnp.asarray, arguments)
        chi = jnp.where(_is_broken(columns, rows_of, chi_of), jnp.nan, chi_of)
        use = every_row(columns, len(rows_of))
        settings = _with_method(columns, use, settings, method)
        found = solve(columns, rows_of, chi, field_at, limit_of, settings)
        is_solved = found.residual <= tolerance
        marked: SoftSolution = jax.tree.map(
            lambda leaf: (
                jnp.where(is_solved, leaf, jnp.nan)
                if jnp.issubdtype(leaf.dtype, jnp.floating)
                else leaf
            ),
            found,
        )
        return marked
    rows, applied, given, most = values
    _refuse_bad_bodies(columns, rows, applied, given, most, settings)
    use = _rows(columns, rows, given)
    settings = _with_method(columns, use, settings, method)
    with jax.enable_x64(True):
        # The arguments themselves, as some may be differentiated.
        rows_of, field_at, chi_of, limit_of = (
            placed(array.astype(np.float64)) for array in arguments
        )
        solution: SoftSolution = solve(columns, rows_of, chi_of, field_at, limit_of, settings, use)
        _refuse_unsolved(solution, settings, tolerance)
    return solution


def _arrays(
    columns: SourceColumns,
    table: Numbers,
    susceptibility: Numbers,
    applied_field: Numbers | None,
    saturation: Numbers | None,
    law: Law,
) -> tuple[AnyFloats, AnyFloats, AnyFloats, AnyFloats]:
    """Table, applied field, susceptibility and saturation of each row."""
    if not callable(law) and law not in LAWS:
        raise SourceError(
            f"The law must be one of {', '.join(LAWS)}, or a function; got {law!r}. Choose one."
        )
    needs = law in ("langevin", "tanh")
    if needs != (saturation is not None):
        rule = "be given for" if needs else "be None for"
        raise SourceError(
            f"The saturation must {rule} the law {law!r}; got {saturation!r:.80}. Give M_s in A/m "
            "for the laws langevin and tanh, and no others."
        )
    if susceptibility is None:
        raise SourceError(
            "The susceptibility must be a number, or one for each row; got None. Give the material "
            "of each body, 0 of a hard magnet."
        )
    rows, chi, field, limit = float_arrays(
        table=table,
        susceptibility=susceptibility,
        applied_field=np.zeros(columns.dim) if applied_field is None else applied_field,
        saturation=1.0 if saturation is None else saturation,
    )
    refuse_bad_shape(columns, rows, ("source",))
    count = len(rows)
    shapes = {
        "The susceptibility": (chi, ((), (count,))),
        "The saturation": (limit, ((), (count,))),
        "The applied field": (field, ((columns.dim,), (count, columns.dim))),
    }
    for what, (array, allowed) in shapes.items():
        if array.shape not in allowed:
            wanted = " or ".join(map(str, allowed))
            raise SourceError(
                f"{what} must have shape {wanted}; got {array.shape}. Give one for all rows, or "
                "one for each."
            )
    space = np if not any(isinstance(a, Array) for a in (chi, field, limit)) else jnp
    return (
        rows,
        space.broadcast_to(field, (count, columns.dim)),
        space.broadcast_to(chi, (count,)),
        space.broadcast_to(limit, (count,)),
    )


def _settings(
    columns: SourceColumns,
    law: Law,
    order: int,
    cells: int | Sequence[int],
    method: MethodName | None,
    tolerance: float,
    max_iterations: int,
) -> Settings:
    dim = columns.dim
    if method is not None and method not in METHODS:
        raise SourceError(
            f"The method must be one of {', '.join(METHODS)}, or None; got {method!r}. Choose one."
        )
    if not 0 < tolerance < 1:
        raise SourceError(
            f"The tolerance must be between 0 and 1; got {tolerance!r}. Give a relative residual."
        )
    each = (cells,) * dim if not isinstance(cells, Sequence) else tuple(cells)
    if len(each) != dim:
        raise SourceError(
            f"The cells must be a number, or {dim} of them; got {len(each)}. Give one for each "
            "axis of a box."
        )
    return Settings(
        whole_number(order, "The order", 1),
        tuple(whole_number(number, "The cells", 1) for number in each),
        law,
        "dense",
        _SHARE * tolerance,
        whole_number(max_iterations, "The number of iterations", 1),
    )


def _is_broken(columns: SourceColumns, rows: Array, chi: Array) -> Array:
    """Mask of soft rows that are no body; of NaN, as nothing can be refused."""
    points = jnp.zeros(len(rows), bool)
    for body in columns.bodies:
        if KINDS[body].is_point:
            points |= jnp.broadcast_to(is_body(columns, body, rows), points.shape)
    bad: Array = (chi != 0) & (broken_rows(columns, rows) | points | ~(chi > -1))
    return bad


def _refuse_short(*arrays: AnyFloats) -> None:
    for array in arrays:
        if array.dtype != np.float64:
            raise SourceError(
                "A solve inside a transformation of JAX must have arrays of float64; got "
                f"{array.dtype}. Set jax_enable_x64, or call it outside of jit and vmap."
            )


def _rows(columns: SourceColumns, table: np.ndarray, chi: np.ndarray) -> Rows:
    soft = tuple(
        np.flatnonzero((chi != 0) & is_body(columns, body, table)) for body in columns.bodies
    )
    return Rows(soft, np.flatnonzero((chi == 0) & source_rows(columns, table)))


def _refuse_bad_bodies(
    columns: SourceColumns,
    table: np.ndarray,
    field: np.ndarray,
    chi: np.ndarray,
    limit: np.ndarray,
    settings: Settings,
) -> None:
    is_soft = chi != 0
    for row in np.flatnonzero(~np.isfinite(chi) | (chi <= -1))[:1]:
        of = "a superconductor, whose field inside is 0" if chi[row] == -1 else f"{chi[row]}"
        raise SourceError(
            f"A susceptibility must be finite and greater than -1; got {of} (source {row}). Give "
            "M / H of the material, with the field inside; -0.9999 is all but a superconductor."
        )
    for row in np.flatnonzero(is_soft & ~(np.isfinite(limit) & (limit > 0)))[:1]:
        raise SourceError(
            f"A saturation must be finite and greater than 0; got {limit[row]} (source {row}). "
            "Give M_s in A/m."
        )
    for row in np.flatnonzero(~np.isfinite(field).all(axis=-1))[:1]:
        raise SourceError(
            f"An applied field must be finite; got {field[row].tolist()} (source {row}). Give it "
            "in A/m."
        )
    is_used = is_soft | source_rows(columns, table)
    refuse_broken_rows(columns, table, is_used)
    for body in columns.bodies:
        own = is_soft & is_body(columns, body, table)
        kind = KINDS[body]
        for row in np.flatnonzero(own & kind.is_point)[:1]:
            raise SourceError(
                f"A soft body must have a volume; got a {body} (source {row}). Set its "
                "susceptibility to 0."
            )
        is_ball = kind.is_dipole_outside and not kind.is_point
        if own.any() and is_ball and settings.law != "linear" and settings.order != 1:
            raise SourceError(
                f"The order must be 1 for a {body} of a law that is not linear, as its "
                f"magnetisation is no gradient; got {settings.order} (source "
                f"{np.flatnonzero(own)[0]}). Set it to 1, an approximation that is exact in a "
                "uniform field only."
            )
    if callable(settings.law) and is_soft.any():
        _refuse_bad_law(settings.law, chi[is_soft])
    found = overlap_with_soft(columns, table.astype(np.float64), is_soft, is_used)
    if found is not None:
        raise SourceError(
            f"Soft bodies must not overlap others; got an overlap (sources {found[0]} and "
            f"{found[1]}). Move them apart; they may touch."
        )


def _refuse_bad_law(law: Law, chi: np.ndarray) -> None:
    if not callable(law):
        return
    with jax.enable_x64(True):
        at_zero, slope = (float(law(jnp.asarray(0.0))), float(jax.grad(law)(jnp.asarray(0.0))))
    if at_zero != 0 or not np.isfinite(slope):
        raise SourceError(
            f"A law must be 0 at 0, with a finite slope; got {at_zero} and slope {slope}. Give "
            "|M| as a function of |H|; the remanence stands in the table."
        )
    for given in chi[~np.isclose(chi, slope, rtol=1e-6, atol=0)][:1]:
        raise SourceError(
            f"The susceptibility of a soft body must be the slope of its law at 0, {slope:.9g}; "
            f"got {given:.9g}. Give that slope."
        )


def _with_method(
    columns: SourceColumns, use: Rows, settings: Settings, method: MethodName | None
) -> Settings:
    """The settings with a method, if the system fits into memory."""
    dim = columns.dim
    cells, balls, divided = math.prod(settings.cells), 0, 0
    for body, rows in zip(columns.bodies, use.soft, strict=True):
        if KINDS[body].is_point:
            continue
        if KINDS[body].is_dipole_outside:
            balls += len(rows)
        else:
            divided += len(rows)
    unknowns = balls * len(degrees(dim, settings.order)) + divided * cells * dim
    room = memory_bytes() // 2
    # Where the matrix fits, elimination is the quicker one: each product without it computes all
    # of its tensors again.
    of_matrices = _MATRICES * 8 * unknowns**2
    chosen: MethodName = method or ("dense" if of_matrices <= room else "gmres")
    kernels = _TENSORS * 8 * dim**2 * divided * math.prod(2 * n - 1 for n in settings.cells)
    if chosen == "dense":
        needed, most = of_matrices, math.isqrt(room // (_MATRICES * 8))
    else:
        needed = 8 * (RESTART + 10) * unknowns + kernels
        most = int(unknowns * room / max(needed, 1))
    if needed > room:
        raise SourceError(
            f"The system of {chosen} must fit into {room / 1e9:.3g} GB, half of the memory; got "
            f"{needed / 1e9:.3g} GB for {unknowns} unknowns, {divided * cells} cells among them. "
            f"Take fewer: {most // dim} cells, or balls of order 1, would fit"
            + ("; or the method gmres." if chosen == "dense" else ".")
        )
    return settings._replace(method=chosen)


def _refuse_unsolved(solution: SoftSolution, settings: Settings, tolerance: float) -> None:
    residual = known_values(solution.residual)
    iterations = known_values(solution.iterations)
    if residual is None or iterations is None or residual[0] <= tolerance:
        return
    raise SourceError(
        f"The residual of a solution must be at most {tolerance:.3g}; got {residual[0]:.3g} after "
        f"{iterations[0]} iterations ({settings.method}). Raise max_iterations or the tolerance, "
        "take fewer cells, or the method dense."
    )
