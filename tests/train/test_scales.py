"""Scales from the statistics of a dataset, and recipes with normalisations."""

import numpy as np
import pytest
from recording import Recording

from hypermagnetics.config import load_recipe
from hypermagnetics.data import ArrayName, Dataset, Split, Statistics
from hypermagnetics.errors import RecipeError
from hypermagnetics.train.config import TrainingRecipe
from hypermagnetics.train.scales import _with_causes, median_scales, rms_scales, scales_of
from hypermagnetics.train.setup import make_setup


def recipe_of(*overrides: str) -> TrainingRecipe:
    """The demo with another normalisation."""
    return load_recipe(TrainingRecipe, "training", "demo", overrides)


def test_medians_are_those_of_the_values(tiny: Dataset) -> None:
    """To the 1/32 of the histograms that the manifest's medians come from."""
    split = tiny.split("train")
    blocks = [split.block(index) for index in range(split.layout.num_blocks)]
    scales = scales_of(split, "median", None)
    values = {
        "length": np.concatenate([block.grid for block in blocks]),
        "moment": np.concatenate([block.sources[:, 0, :2] for block in blocks]),
        "potential": np.concatenate([block.potential.reshape(-1, 1) for block in blocks]),
    }
    for name, array in values.items():
        medians = np.median(np.abs(array), axis=0)
        expected = np.sqrt(np.mean(medians**2))
        assert getattr(scales, name) == pytest.approx(expected, rel=1 / 16)
    assert scales.potential < scales_of(split, "rms", None).potential


def test_a_scale_does_not_depend_on_how_the_axes_lie() -> None:
    """Axes of different medians have one scale, and one axis may be all zeros."""

    def statistics(*medians: float) -> Statistics:
        zeros = (0.0,) * len(medians)
        return Statistics(mean=zeros, std=zeros, median_abs=medians, min=zeros, max=zeros)

    scales = median_scales(
        {
            "grid": statistics(3.0, 1.0),
            "sources": statistics(0.0, 2.0, 9.0, 9.0),
            "potential": statistics(0.5),
            "field": statistics(1.0, 1.0),
        }
    )
    assert (scales.length, scales.moment, scales.potential) == pytest.approx((5**0.5, 2**0.5, 0.5))


def test_medians_of_zero_are_refused(tiny: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where most values are zero, none of them is a scale."""
    split, known = tiny.split("train"), Split.statistics

    def mostly_zero(self: Split, name: ArrayName) -> Statistics:
        found = known(self, name)
        zeros = (0.0,) * len(found.mean)
        return found.model_copy(update={"median_abs": zeros}) if name == "grid" else found

    monkeypatch.setattr(Split, "statistics", mostly_zero)
    with pytest.raises(RecipeError, match=r"median of 0 of the length .* Take 'rms'\."):
        scales_of(split, "median", None)


def test_a_recipe_decides_what_the_model_reads(tiny: Dataset) -> None:
    """All three keys."""
    recipe = recipe_of(
        "model={name='hyper_mlp', width=4, depth=1, hwidth=0.5, hdepth=1}",
        "normalisation={scales='median', values='asinh', moment='sample'}",
    )
    inputs = make_setup(recipe, tiny).new_model().inputs
    assert (inputs.values, inputs.moment) == ("asinh", "sample")
    assert inputs.scales == scales_of(tiny.split("train"), "median", None)


def test_asinh_is_refused_before_the_dataset_is_read(tiny: Dataset) -> None:
    """For a model whose potentials superpose by construction."""
    listener = Recording()
    with pytest.raises(RecipeError, match=r"values must be 'linear' .* got 'asinh'"):
        make_setup(recipe_of("normalisation.values=asinh"), tiny, listener)
    assert not listener.counts


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("normalisation.scales=mean", "'rms' or 'median', or a function"),
        ("normalisation.values=log", "'linear' or 'asinh'; got 'log'"),
        ("normalisation.moment=source", "'dataset' or 'sample'; got 'source'"),
    ],
)
def test_unknown_normalisations_are_refused(override: str, message: str) -> None:
    """With those that there are."""
    with pytest.raises(RecipeError, match=message):
        recipe_of(override)


def test_soft_bodies_without_moments_have_the_scale_of_the_applied_field() -> None:
    """In the unit of a moment; where there are moments, it is theirs."""

    def statistics(*std: float) -> Statistics:
        zero = tuple(0.0 for _ in std)
        return Statistics(mean=zero, std=std, median_abs=std, min=tuple(-s for s in std), max=std)

    names = ("moment_x", "moment_y", "position_x", "position_y", "applied_x", "applied_y")
    grid, potential = statistics(2.0, 2.0), statistics(1.0)
    without, some = statistics(0, 0, 1, 1, 3, 3), statistics(5, 5, 1, 1, 3, 3)
    for sources, expected in ((without, 3 * 2.0**2), (some, 5.0)):
        found = _with_causes(names, sources, grid)
        each = {"sources": found, "grid": grid, "potential": potential}
        assert rms_scales(each).moment == pytest.approx(expected)
        assert median_scales(each).moment == pytest.approx(expected)
    assert _with_causes(names[:4], statistics(0, 0, 1, 1), grid) == statistics(0, 0, 1, 1)
