"""hm-eval: errors and figures of models on datasets."""

from hypermagnetics.evaluate.notebook import Report as Report
from hypermagnetics.evaluate.notebook import evaluate as evaluate
