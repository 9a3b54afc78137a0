"""Paired comparison of models on the same samples: ratio of errors and its uncertainty."""
