"""Models, objectives and normalisations of users that break a rule, through hm-train."""

from pathlib import Path

import pytest
from program_runs import assert_refused, invoke, settings
from user_modules import FUNCTIONS, MODEL, user_module

from hypermagnetics.data import Dataset

OTHER = "class Waves:\n    inputs: int\n\n    def weights(self, sources): ...\n"
"""A class that has two of the five members, and is no Model."""

PARTIAL = """
from hypermagnetics.models import Model

class Waves(Model):
    def weights(self, sources): ...
"""

CLASSES = {
    "a module that raises": ("x = 1 / 0", ("must be importable; got ZeroDivisionError: division",)),
    "a module that is no Python": (
        "class Waves",
        ("must be importable; got SyntaxError:", "line 1"),
    ),
    "a script that ends": ("raise SystemExit(3)", ("must be importable; got SystemExit: 3",)),
    "nothing of that name": (
        MODEL.replace("class Waves(", "class Wave("),
        ("must be in its module; got no 'Waves'", "Did you mean 'Wave'?"),
    ),
    "an empty module": ("", ("got no 'Waves'", "Define it there.")),
    "a function": ("def Waves(): ...", ("must be a class; got", "of type function")),
    "no Model": (OTHER, ("must derive from", "does not and has no config, evaluate, rank (")),
    "abstract": (PARTIAL, ("must define", "without config, inputs, evaluate, rank (")),
    "within a function": (
        "def make():\n"
        + "\n".join("    " + line for line in MODEL.splitlines())
        + "\n    return Waves\n\nWaves = make()\n",
        ("at the top of a module", "make.<locals>.Waves"),
    ),
}
"""Text of the module, and what the message says."""

CHANGES = {
    "a setting that is refused": (
        ("width=4):", "widht=4):"),
        ("must be built from", "got TypeError", "'width'", "(model.settings)"),
    ),
    "a constructor that raises": (
        ("self.rates = ", "raise KeyError('rates')\n        self.rates = "),
        ("got KeyError: 'rates' at ", ".py:21 (model.settings)"),
    ),
    "no field set": (("self.rates = ", "rates = "), ("must be built from", "rates")),
    "another config": (
        ("WavesConfig(width=width)", '{"width": width}'),
        ("must be a hypermagnetics.config.Config; got one of type dict",),
    ),
    "a config without the setting": (
        ("WavesConfig(width=width)", "WavesConfig()"),
        ("must hold the settings that build the same model again; got {'width': 4}",),
    ),
    "other inputs": (
        (", inputs\n", ', ModelInputs(moment="sample")\n'),
        ("The inputs of", "must be its argument inputs; got another object, of type ModelInputs"),
    ),
    "a rank that is none": (("self.config.width\n", "0\n"), ("must be a positive int", "got 0")),
    "a rank that raises": (
        ("self.config.width\n", "self.width\n"),
        ("must be a positive int or None; got AttributeError",),
    ),
    "a potential with an axis too many": (
        ("jnp.sin(phase) @ weights,", "jnp.sin(phase) * weights[None],"),
        ("evaluate of", "of shapes ((5,), (5, 2)) in floats; got (f32[5,5], f32[5,2])"),
    ),
    "a field of each axis apart": (
        ("@ self.rates.T", "@ self.rates.T.sum(axis=1)"),
        ("((5,), (5, 2)) in floats; got (f32[5], f32[5])",),
    ),
    "a potential alone": (
        (", -(jnp.cos(phase) * weights[None]) @ self.rates.T", ""),
        ("((5,), (5, 2)) in floats; got f32[5]",),
    ),
    "numbers that are no floats": (
        ("jnp.sin(phase) @ weights,", "jnp.arange(5, dtype=jnp.int32),"),
        ("got (i32[5], f32[5,2])",),
    ),
    "an evaluation that raises": (
        ("phase = points @", "phase = sources @"),
        ("evaluate of", "got NameError: name 'sources' is not defined at ", ".py:27 ("),
    ),
    "a block of another shape": (
        ("    @property", "    def evaluate_block(self, *_): return 1.0\n\n    @property"),
        ("block of", "of shapes ((2, 5), (2, 5, 2)) in floats; got"),
    ),
    "a block of its own": (
        ("    @property", "    def block(self, sources, points): return 1.0\n\n    @property"),
        ("which defines block. Define weights, evaluate, evaluate_block or near instead",),
    ),
    "weights of rows that are no sources": (
        ("axis=0) @ self.rates", "axis=0) @ self.rates + 1"),
        ("makes of rows of zeros must be 0; got values up to 1 (", "rows fill up the tables"),
    ),
    "weights that divide by the moment": (
        ("jnp.sum(sources", "jnp.linalg.norm(sources) ** -1 * jnp.sum(sources"),
        ("makes of rows of zeros must be 0; got values up to nan (",),
    ),
    "a field of the wrong sign": (
        ("-(jnp.cos", "(jnp.cos"),
        ("must be the negative gradient of its potential", "; got one that differs by"),
    ),
    "nothing to train": (
        ("(inputs.dim, width), jnp.float32)", "(inputs.dim, width)).astype(int)"),
        ("must have arrays of floats to be trained", "with 1 arrays, all of other types"),
    ),
}
"""What is replaced by what in a good module, and what the message says."""

TEXTS = CLASSES | {
    case: (MODEL.replace(*change), fragments) for case, (change, fragments) in CHANGES.items()
}


@pytest.mark.slow_cases
@pytest.mark.parametrize("case", TEXTS)
def test_a_model_that_breaks_a_rule_is_refused(
    tmp_path: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """Before anything is written; the message names the class and what is wrong with it."""
    text, fragments = TEXTS[case]
    options = settings("model.settings.width=5") if "width" in text else ()
    with user_module(text, tmp_path, monkeypatch) as module:
        own = f"{module}:Waves"
        ran = invoke("hm-train", tiny.directory, "run", "--model", own, *options)
    assert_refused(ran, own if "locals" not in fragments[-1] else module, *fragments)
    assert not (tmp_path / "run").exists()


NAMES = {
    "no module": ("--model", "absent_module:Waves", "got ModuleNotFoundError: No module named"),
    "half a name": ("--model", "waves:", "'model.name' must be written module:name, as in"),
    "a path": ("--model", "./waves.py:Waves", "'model.name' must be written module:name, as in"),
    "a shipped name": ("--model", "hyper_lyer", "'model.name' must be one of 'hyper_layer'"),
    "a loss": ("--objective", "hubr", "or 'spectral', or a function of yours as module:name; got"),
    "half a loss": ("--objective", ":loss", "'objective.loss' must be written module:name"),
    "scales": (
        "--normalisation",
        "rsm",
        "'normalisation.scales' must be 'rms' or 'median', or a function of yours",
    ),
    "no module of scales": ("--normalisation", "absent_module:f", "got ModuleNotFoundError"),
}


@pytest.mark.parametrize("case", NAMES)
def test_a_name_that_leads_nowhere_is_refused(tmp_path: Path, tiny: Dataset, case: str) -> None:
    """The message says what could be written instead."""
    option, name, fragment = NAMES[case]
    assert_refused(invoke("hm-train", tiny.directory, tmp_path / "run", option, name), fragment)
    assert not list(tmp_path.iterdir())


def test_settings_of_a_user_model_have_their_own_table(tmp_path: Path) -> None:
    """What is beside it is answered with the keys of such a model, not with those of others."""
    options = ("--model", "waves:Waves", *settings("model.width=8"))
    ran = invoke("hm-train", tmp_path / "data", tmp_path / "run", *options)
    assert_refused(ran, "'model.width' must be a known key; got 8", "Known: name, settings.")


RELATIVE, DOUBLED = ("--objective", "relative"), ("--normalisation", "doubled")
SQUARES = "jnp.sum(error**2, axis=-1) / (1 + jnp.sum(truth**2, axis=-1))"
SCALES = 'Scales(length=2 * max(statistics["grid"].max), moment=2.0, potential=2.0)'
BROKEN = {
    "a loss that is absent": (("--objective", "relativ"), ("", ""), "Did you mean 'relative'?"),
    "a loss that is a number": (
        ("--objective", "NUMBER"),
        ("", ""),
        "NUMBER must be a function; got one of type int (objective.loss)",
    ),
    "a loss of all points": (
        RELATIVE,
        (SQUARES, "jnp.sum(error**2)"),
        "must give a loss of shape (2, 3) in floats for error and truth of the potential, each of "
        "shape (2, 3, 1); got f32[]",
    ),
    "a loss that looks at the potential alone": (
        RELATIVE,
        (SQUARES, "(error**2).reshape(2, 3)"),
        "error and truth of the field, each of shape (2, 3, 2); got TypeError",
    ),
    "a loss of integers": (RELATIVE, (SQUARES, "error.astype(int)[..., 0]"), "in floats for"),
    "a loss that is no array": (RELATIVE, (SQUARES, "None"), "; got None (objective.loss)"),
    "a loss of one argument": (
        RELATIVE,
        ("(error, truth)", "(error)"),
        "got TypeError: relative() takes 1 positional argument but 2 were given (",
    ),
    "scales that are a number": (
        DOUBLED,
        (SCALES, "2.0"),
        "must give hypermagnetics.models.Scales from the statistics of a split; got 2.0",
    ),
    "scales that are negative": (DOUBLED, ("moment=2.0", "moment=-2.0"), "got ValidationError"),
    "scales that raise": (DOUBLED, ('"grid"', '"gird"'), "got KeyError: 'gird' at "),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_function_that_breaks_a_rule_is_refused(
    tmp_path: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """Before anything is written."""
    (option, name), change, fragment = BROKEN[case]
    with user_module(FUNCTIONS.replace(*change), tmp_path, monkeypatch) as module:
        ran = invoke("hm-train", tiny.directory, "run", option, f"{module}:{name}")
    assert_refused(ran, fragment, f"{module}")
    assert not (tmp_path / "run").exists()
