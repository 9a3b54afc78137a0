"""hm-generate: from a recipe to a dataset."""
