"""hm-generate: from a recipe to a dataset."""

from hypermagnetics.generate.notebook import generate as generate
