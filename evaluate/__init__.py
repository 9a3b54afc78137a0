"""hm-eval: from a run and a dataset to errors and pictures."""

from hypermagnetics.evaluate.notebook import Report as Report
from hypermagnetics.evaluate.notebook import evaluate as evaluate
