"""Exports that are damaged, or of something else."""

import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from refused import refused

from hypermagnetics.errors import RunError
from hypermagnetics.evaluate.subjects.exported_model import EXPORT_NAMES, ExportedModel


@pytest.fixture
def copied(tmp_path, exported_run):
    """An export that may be changed."""
    shutil.copytree(exported_run, tmp_path / "out")
    return tmp_path / "out"


@pytest.mark.parametrize("name", EXPORT_NAMES)
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_a_file_that_is_cut_off_is_refused(copied, name, share):
    whole = (copied / name).read_bytes()
    (copied / name).write_bytes(whole[: int(share * len(whole))])
    with refused(RunError, "must come from jax.export", f"({copied / name})", "hm-train export"):
        ExportedModel(copied)


@pytest.mark.parametrize("data", [b"\x00" * 1000, b"\xff" * 1000, b"potential\n" * 50])
def test_other_bytes_are_refused(copied, data):
    (copied / "field.jaxexport").write_bytes(data)
    with refused(RunError, "must come from jax.export", "field.jaxexport"):
        ExportedModel(copied)


@pytest.mark.parametrize("name", EXPORT_NAMES)
def test_half_an_export_is_refused(copied, open_subject, name):
    (copied / name).unlink()
    with refused(RunError, "must have the files", f"got no {name} ({copied})"):
        open_subject(copied)


def _exported(function, dtype, *shapes):
    sizes = export.symbolic_shape("sources, points")
    arrays = [
        jax.ShapeDtypeStruct((sizes[i] if first is None else first, *rest), dtype)
        for i, (first, *rest) in enumerate(shapes)
    ]
    return bytes(export.export(jax.jit(function))(*arrays).serialize())


def _field(sources, points):
    return points * sources.sum()


def _potential(sources, points):
    return points[:, 0] * sources.sum()


OTHERS = {
    "only one argument": (lambda points: points, jnp.float32, (None, 2)),
    "float64": (_field, jnp.float64, (None, 4), (None, 2)),
    "so many sources": (_field, jnp.float32, (3, 4), (None, 2)),
    "so many points": (_field, jnp.float32, (None, 4), (7, 2)),
    "a potential": (_potential, jnp.float32, (None, 4), (None, 2)),
    "a pair": (lambda s, p: (_field(s, p), p), jnp.float32, (None, 4), (None, 2)),
    "a batch": (lambda s, p: p[0] * s.sum(), jnp.float32, (None, 3, 4), (None, 7, 2)),
}


@pytest.mark.parametrize("case", OTHERS)
def test_a_function_of_something_else_is_refused(copied, case):
    (copied / "field.jaxexport").write_bytes(_exported(*OTHERS[case]))
    with refused(RunError, "must take sources (sources, columns)", "field.jaxexport"):
        ExportedModel(copied)


def test_both_functions_are_of_the_same_tables(copied):
    (copied / "field.jaxexport").write_bytes(_exported(_field, jnp.float32, (None, 7), (None, 3)))
    with refused(RunError, "must read the same tables", "2 dimensions and 4 columns", "3 and 7"):
        ExportedModel(copied)


def test_what_cannot_run_here_is_refused(copied):
    """As for another kind of processor."""
    sizes = export.symbolic_shape("sources, points")
    arrays = [jax.ShapeDtypeStruct((n, k), jnp.float32) for n, k in zip(sizes, (4, 2), strict=True)]
    for name, function in zip(EXPORT_NAMES, (_potential, _field), strict=True):
        made = export.export(jax.jit(function), platforms=["tpu"])(*arrays)
        (copied / name).write_bytes(bytes(made.serialize()))
    model = ExportedModel(copied)
    with refused(RunError, "must run here", "tpu", str(copied)):
        model.predict(np.ones((3, 2, 4), np.float32), np.ones((5, 2), np.float32), 3)
