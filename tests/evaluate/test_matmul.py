"""hm-eval --matmul: the precision of a prediction, in its program, its file and its table."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.random as jr
import pytest
from program_runs import Ran, assert_refused, invoke, read_json
from small_networks import NUM_INPUTS, NUM_TARGETS, small_arrays

from hypermagnetics.data import Dataset
from hypermagnetics.models import (
    MLP,
    ArrayInputs,
    ArrayScales,
    HyperLayer,
    MLPConfig,
    ModelInputs,
    save_model,
)
from hypermagnetics.models.hyper_layer import HyperLayerConfig
from hypermagnetics.precision import MatmulPrecision
from hypermagnetics.sources import SourceColumns

NAMES = ("float32", "tensorfloat32", "bfloat16")


@contextmanager
def precisions_in(kind: type[Any], method: str) -> Iterator[set[str]]:
    """Precisions that JAX is set to wherever a method of a model is traced inside."""
    found: set[str] = set()
    original = getattr(kind, method)

    def spied(self: Any, *arguments: Any) -> Any:
        found.add(str(jax.config.jax_default_matmul_precision))  # type: ignore[attr-defined]
        return original(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, method, spied)
        yield found


def evaluated(model: Path, data: Path, out: Path, *options: str) -> Ran:
    """A short evaluation."""
    ran = invoke("hm-eval", model, data, "--metrics-only", "--out", out, *options)
    assert ran.code == 0, ran
    return ran


def test_predictions_are_made_as_asked(tiny: Dataset, tmp_path: Path) -> None:
    """And in full float32 again by the next evaluation of the same process."""
    inputs = ModelInputs(columns=SourceColumns.of("disc", constants={"radius": 1.0}))
    config = HyperLayerConfig(width=7, depth=1, hwidth=1.0, hdepth=1)
    keys = {"hyperkey": jr.key(0), "mainkey": jr.key(1)}
    model, out = tmp_path / "model.hm", tmp_path / "out"
    save_model(model, HyperLayer(config=config, inputs=inputs, **keys), {})
    asked: tuple[tuple[MatmulPrecision, tuple[str, ...]], ...] = (
        ("tensorfloat32", ("--matmul", "tensorfloat32")),
        ("float32", ()),
    )
    for precision, options in asked:
        with precisions_in(HyperLayer, "evaluate_block") as found:
            ran = evaluated(model, tiny.directory, out, "--split", "valid", *options)
        assert found == {precision}
        assert read_json(out / "results.json")["matmul"] == precision
        line = f"Matrix products of the models in {precision}, as asked (--matmul)."
        assert (line in ran.stdout.splitlines()) == bool(options)


@pytest.mark.slow
def test_networks_predict_as_asked(tmp_path: Path) -> None:
    """From arrays to arrays, with their Jacobian."""
    data, model, out = small_arrays(tmp_path), tmp_path / "model.hm", tmp_path / "out"
    inputs = ArrayInputs(
        input=ArrayScales(name="inputs", shape=(NUM_INPUTS,)),
        target=ArrayScales(name="targets", shape=(NUM_TARGETS,)),
    )
    save_model(model, MLP(MLPConfig(width=6, depth=1), inputs, jr.key(0)), {})
    with precisions_in(MLP, "apply") as found:
        ran = evaluated(model, data.directory, out, "--matmul", "bfloat16")
    assert found == {"bfloat16"}
    line = "Matrix products of the models in bfloat16, as asked (--matmul)."
    assert line in ran.stdout.splitlines()
    assert read_json(out / "results.json")["matmul"] == "bfloat16"


def test_another_word_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    """By hm-eval, and by hm-train, whose recipe names it."""
    ran = invoke("hm-eval", tmp_path / "run", tmp_path / "data", "--matmul", "tf32")
    said = [line for line in ran.complaints if not line.startswith(("Usage:", "Try '")) and line]
    assert (ran.code, ran.stdout, len(said)) == (2, "", 1)
    for name in ("--matmul", "tf32", *NAMES):
        assert name in said[0]
    setting = ("--set", "compute.matmul=tf32")
    ran = invoke("hm-train", tmp_path / "data", tmp_path / "run", "--recipe", "demo", *setting)
    assert_refused(ran, "compute.matmul", "got 'tf32'", *NAMES)
