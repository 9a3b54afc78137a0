"""Small files as the published code writes them: half sides, magnetisations of prisms, no units."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hypermagnetics.data import Dataset, verify_split
from hypermagnetics.generate.labels import labels
from hypermagnetics.sources import BodyName, SourceColumns
from hypermagnetics.table import SHAPES, SIZES

OLD_SHAPES: dict[tuple[str, int], BodyName] = {
    ("sphere", 2): "disc",
    ("prism", 2): "rectangle",
    ("sphere", 3): "sphere",
    ("prism", 3): "cuboid",
}
_SIZES = {kind: set(SHAPES[body]) & set(SIZES) for kind, body in OLD_SHAPES.items()}


@dataclass
class OldFile:
    """What is written: datasets and attributes by name, and units by the names of datasets."""

    datasets: dict[str, Any]
    attributes: dict[str, Any]
    units: dict[str, str] = field(default_factory=dict)

    def write(self, path: Path) -> Path:
        """Write the file."""
        with h5py.File(path, "w") as file:
            file.attrs.update(self.attributes)
            for name, values in self.datasets.items():
                file[name] = values
            for name, unit in self.units.items():
                file[name].attrs["units"] = unit
        return path


def volumes(shape: str, size: np.ndarray) -> np.ndarray:
    """Volume of spheres by radius and of prisms by half sides, in two dimensions the area."""
    dim = size.shape[-1]
    if shape == "prism":
        return np.prod(2 * size, -1)
    return np.pi * size[..., 0] ** 2 if dim == 2 else 4 / 3 * np.pi * size[..., 0] ** 3


def evaluate(
    shape: str, moment: np.ndarray, position: np.ndarray, size: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Potential and field of old sources by our closed forms; points for all samples or each."""
    dim = position.shape[-1]
    columns = SourceColumns.of(OLD_SHAPES[shape, dim], dim=dim, varying=_SIZES[shape, dim])
    sizes = size[..., :1] if shape == "sphere" else 2 * size
    table = np.concatenate([moment, position, sizes], -1).astype(np.float32)
    return labels_of_each(columns, table, points)


def labels_of_each(
    columns: SourceColumns, table: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Labels sample by sample, so that one compilation serves all numbers of them."""
    counts = np.full(1, table.shape[1], np.int32)
    each = np.broadcast_to(points, (len(table), *points.shape[-2:])).astype(np.float32)
    values = [labels(columns, table[i : i + 1], counts, each[i]) for i in range(len(table))]
    potential, field_ = (np.concatenate(parts) for parts in zip(*values, strict=True))
    return potential, field_


def old_file(
    shape: str = "sphere",
    dim: int = 2,
    *,
    samples: int = 7,
    sources: int = 4,
    target_source: bool = False,
    grid: bool = False,
    m_is: str | None = None,
    size: np.ndarray | float | None = None,
    potential: str = "msp",
) -> OldFile:
    """Random sources with labels that are right, as the published code stores them.

    Args:
        shape: As the file says it.
        dim: Space dimension.
        samples: How many.
        sources: In each sample.
        target_source: Whether each sample has points of its own, near its sources.
        grid: Whether there are values on a grid.
        m_is: "moment" or "magnetisation"; as the published code has it if None.
        size: Radius or half sides; at random if None.
        potential: Name of the potential, which changed once.

    Returns:
        The file, to be changed or written.
    """
    random = np.random.default_rng(samples * 100 + sources * 10 + dim)
    m = random.normal(size=(samples, sources, dim)).astype(np.float32)
    r0 = random.normal(size=(samples, sources, dim)).astype(np.float32)
    drawn = random.uniform(0.2, 0.8, (samples, sources, dim))
    halves = np.broadcast_to(drawn if size is None else size, drawn.shape).astype(np.float32)
    if shape == "sphere" and size is None:
        halves = np.repeat(halves[..., :1], dim, -1)
    m_is = m_is or ("magnetisation" if shape == "prism" else "moment")
    moment = m * volumes(shape, halves.astype(np.float64))[..., None] if m_is != "moment" else m
    points = r0 + np.float32(0.01) if target_source else random.uniform(-2, 2, (sources, dim))
    sets: dict[str, Any] = {"m": m, "r0": r0, "size": halves}
    sets["r"] = points.astype(np.float32)
    sets[potential], sets["field"] = evaluate(shape, moment, r0, halves, sets["r"])
    if grid:
        axes = np.meshgrid([-3, 3], [-3, 3], *[[0]] * (dim - 2))
        sets["grid"] = np.stack(axes, -1).reshape(4, dim).astype(np.float32)
        on_grid = evaluate(shape, moment, r0, halves, sets["grid"])
        sets[f"{potential}_grid"], sets["field_grid"] = on_grid
    attributes = {"shape": shape, "field_eval": True, "grid_eval": grid, "seed": 40, "lim": 3}
    return OldFile(sets, attributes | {"target_source": target_source, "eps": 1e-5})


def refuse_other_labels(dataset: Dataset, rtol: float = 2e-6) -> None:
    """See that the labels are those of the sources, as far as float32 sources can tell."""
    columns = dataset.columns
    for name in dataset.splits:
        split = dataset.split(name)
        verify_split(split)
        for block in split.blocks():
            exact = labels_of_each(columns, block.sources, block.grid)
            for found, truth in zip((block.potential, block.field), exact, strict=True):
                scale = np.abs(truth).max()
                np.testing.assert_allclose(found, truth, rtol=rtol, atol=rtol * scale)


Damage = Callable[[h5py.File], object]


def put(name: str, *place: int, value: float) -> Damage:
    """Set one value of a dataset."""
    return lambda file: file[name].__setitem__(place, value)


def replaced(name: str, make: Damage) -> Damage:
    """Take a dataset out, and put something else there."""

    def damage(file: h5py.File) -> None:
        del file[name]
        make(file)

    return damage


def attribute(name: str, value: object) -> Damage:
    """Set an attribute."""
    return lambda file: file.attrs.__setitem__(name, value)


def zeros(name: str, *shape: int, **options: Any) -> Damage:
    """Another dataset in place of one."""
    return replaced(name, lambda file: file.create_dataset(name, data=np.zeros(shape), **options))


def never_written(*shape: int) -> Damage:
    """The potential without any values, for which HDF5 gives zeros."""
    return replaced("msp", lambda file: file.create_dataset("msp", shape, "f4"))


def elsewhere(file: h5py.File) -> None:
    """The potential as a view of another file."""
    layout = h5py.VirtualLayout((7, 4), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "msp", (7, 4))
    file.create_virtual_dataset("msp", layout)


PLACE = "must lie whole and contiguous in its own file; got chunked, virtual, external"
DAMAGES: dict[str, tuple[Damage, str]] = {
    "no m": (lambda f: f.pop("m"), "must hold the dataset 'm' itself; got nothing"),
    "no r": (lambda f: f.pop("r"), "must hold the dataset 'r' itself; got nothing"),
    "no potential": (lambda f: f.pop("msp"), "dataset 'msp' itself; got nothing"),
    "no field": (lambda f: f.pop("field"), "dataset 'field' itself; got nothing"),
    "no grid": (attribute("grid_eval", True), "dataset 'grid' itself; got nothing"),
    "two potentials": (
        lambda f: f.create_dataset("potential", data=f["msp"][:]),
        "must be one dataset; got msp and potential",
    ),
    "group": (replaced("m", lambda f: f.create_group("m")), "dataset 'm' itself; got HardLink"),
    "soft link": (
        replaced("msp", lambda f: f.__setitem__("msp", h5py.SoftLink("/field"))),
        "dataset 'msp' itself; got SoftLink",
    ),
    "external link": (
        replaced("r", lambda f: f.__setitem__("r", h5py.ExternalLink("/etc/passwd", "r"))),
        "dataset 'r' itself; got ExternalLink",
    ),
    "external storage": (
        replaced("r", lambda f: f.create_dataset("r", (4, 2), "f4", external="/etc/passwd")),
        f"'r' {PLACE}",
    ),
    "virtual": (replaced("msp", elsewhere), f"'msp' {PLACE}"),
    "chunks": (zeros("msp", 7, 4, compression="gzip"), f"'msp' {PLACE}.*h5repack"),
    "never written": (never_written(7, 4), f"'msp' {PLACE}"),
    "absurd": (never_written(10**9, 10**6), f"'msp' {PLACE}"),
    "objects": (
        replaced("m", lambda f: f.create_dataset("m", data=np.array([["x"]], dtype=object))),
        "'m' must be float32 or float64; got object",
    ),
    "integers": (zeros("m", 7, 4, 2, dtype="i4"), "'m' must be float32 or float64; got int32"),
    "nothing": (
        replaced("r", lambda f: f.__setitem__("r", h5py.Empty("f4"))),
        "'r' must have values along axes; got shape None",
    ),
    "scalar": (replaced("r", lambda f: f.__setitem__("r", 1.0)), r"along axes; got shape \(\)"),
    "no samples": (zeros("m", 0, 4, 2), r"'m' must have values along axes; got shape \(0, 4, 2\)"),
    "flat": (zeros("m", 7, 8), r"'m' must have shape \(samples, sources, 2 or 3\); got \[7, 8\]"),
    "4D": (zeros("m", 7, 4, 4), r"'m' must have shape .*; got \[7, 4, 4\]"),
    "other r0": (zeros("r0", 7, 4, 3), r"'r0' must have shape \[7, 4, 2\].*; got \[7, 4, 3\]"),
    "other size": (zeros("size", 7, 4), r"\[7, 4, 2\] or \[7, 4, 1\] .*; got \[7, 4\]"),
    "other r": (zeros("r", 4, 3), r"'r' must have shape \[4, 2\].*; got \[4, 3\]"),
    "other samples": (zeros("msp", 6, 4), r"'msp' must have shape \[7, 4\].*; got \[6, 4\]"),
    "other points": (zeros("field", 7, 3, 2), r"'field' must have .*; got \[7, 3, 2\]"),
    "points of all": (attribute("target_source", True), r"'r' must have shape \[7, .*; got \[4, 2"),
    "no shape": (lambda f: f.attrs.pop("shape"), "'shape' must be 'sphere' or 'prism'; got None"),
    "other shape": (attribute("shape", "ring"), "must be 'sphere' or 'prism'; got 'ring'"),
    "long text": (attribute("shape", "s" * 9999), "'shape' must be a finite number or a short"),
    "huge": (attribute("lim", np.zeros(8000)), r"'lim' must be .*; got float64 of shape \(8000,\)"),
    "no limit": (attribute("lim", np.nan), "'lim' must be a finite number"),
    "no flag": (attribute("grid_eval", "maybe"), "'grid_eval' must be true or false"),
    "field left out": (attribute("field_eval", False), "must hold the field; got field_eval False"),
    "NaN in field": (
        put("field", 6, 1, 0, value=np.nan),
        "'field' must be finite; got nan .sample 6, ",
    ),
    "NaN in msp": (put("msp", 2, 3, value=np.nan), "'msp' must be finite; got nan .sample 2, "),
    "infinite m": (put("m", 3, 0, 0, value=np.inf), "'m' must be finite; got inf .sample 3, "),
    "NaN in size": (put("size", 0, 3, 0, value=np.nan), "'size' must be finite; got nan .sample 0"),
    "NaN in r": (put("r", 3, 1, value=np.nan), "'r' must be finite; got nan .point 3, "),
    "not filled": (put("size", 6, value=0), r"'size' must be greater than 0.*got 0.0 .sample 6, "),
    "negative": (put("size", 1, 0, value=-1), "'size' must be greater than 0.*got -1.0 .sample 1"),
    "ellipse": (
        put("size", 4, 2, 1, value=9),
        "for a sphere the same on each axis; got 9.0 .sample 4",
    ),
    "too large": (
        put("field", 5, 0, 0, value=3e38),
        "'field' must be in the range of float32 in SI units; got .* .row 5, ",
    ),
}
"""What was done to a file of seven samples of four discs, and what its reader must say."""
