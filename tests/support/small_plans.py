"""Plans of small recipes, put together from tables."""

from typing import Any

from hypermagnetics.config import checked
from hypermagnetics.generate.config import DatasetRecipe
from hypermagnetics.generate.plan import SourcePlan, make_plan

_SOURCES = {
    "body": {"kind": "disc", "radius": 0.25},
    "moment": {"distribution": "normal", "std": 1.0},
    "position": {"distribution": "normal", "std": 1.0},
}
_REST = {
    "title": "A test",
    "seed": 1,
    "grid": {"kind": "random", "half_width": 2.0, "num_points": 20},
}


def plan_of(num_samples: int = 20, num_sources: Any = 3, **tables: Any) -> SourcePlan:
    """The plan of one split, `train`; `tables` are parts of the recipe, or of its sources."""
    sources = {name: tables.pop(name, part) for name, part in _SOURCES.items()}
    if "applied_field" in tables:
        sources["applied_field"] = tables.pop("applied_field")
    splits = {"train": {"num_samples": num_samples, "num_sources": num_sources}}
    recipe = _REST | {"sources": sources, "splits": splits} | tables
    return make_plan(checked(DatasetRecipe, recipe, "recipe of a test"), "zarr")
