"""Errors of predictions relative to the truth, from values in physical units.

The relative error at a point is |predicted - truth| / |truth|, with vector norms for the field.
Nothing is dropped in silence: a prediction that is not finite counts as an infinite error, and
points whose truth is exactly zero, which have no relative error, are counted.
"""

from hypermagnetics.metrics.bootstrap import Interval as Interval
from hypermagnetics.metrics.bootstrap import interval as interval
from hypermagnetics.metrics.bootstrap import median_intervals as median_intervals
from hypermagnetics.metrics.bootstrap import resampled_medians as resampled_medians
from hypermagnetics.metrics.bootstrap import resampled_ratios as resampled_ratios
from hypermagnetics.metrics.bootstrap import resamples as resamples
from hypermagnetics.metrics.errors import Errors as Errors
from hypermagnetics.metrics.errors import joined as joined
from hypermagnetics.metrics.errors import measure as measure
from hypermagnetics.metrics.errors import pooled_relative_l2 as pooled_relative_l2
from hypermagnetics.metrics.global_l2 import LARGEST_SHARE as LARGEST_SHARE
from hypermagnetics.metrics.global_l2 import is_withheld as is_withheld
from hypermagnetics.metrics.global_l2 import largest_share as largest_share
from hypermagnetics.metrics.global_l2 import widened as widened
from hypermagnetics.metrics.information import fisher_information as fisher_information
from hypermagnetics.metrics.information import log_determinant as log_determinant
from hypermagnetics.metrics.information import normal_information as normal_information
from hypermagnetics.metrics.order_statistics import grouped_quantiles as grouped_quantiles
from hypermagnetics.metrics.order_statistics import quantiles as quantiles
from hypermagnetics.metrics.order_statistics import row_quantiles as row_quantiles
from hypermagnetics.metrics.order_statistics import steps as steps
from hypermagnetics.metrics.scoring import Quantiles as Quantiles
from hypermagnetics.metrics.scoring import Scores as Scores
from hypermagnetics.metrics.scoring import grouped_point_quantiles as grouped_point_quantiles
from hypermagnetics.metrics.scoring import grouped_scores as grouped_scores
from hypermagnetics.metrics.scoring import scores as scores
