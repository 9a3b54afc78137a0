"""The loss of a batch: terms, each a loss of the error of potential or field, and their sum."""

from hypermagnetics.train.objective.making import check_spectral as check_spectral
from hypermagnetics.train.objective.making import make_objective as make_objective
from hypermagnetics.train.objective.objective import Losses as Losses
from hypermagnetics.train.objective.objective import Objective as Objective
from hypermagnetics.train.objective.regions import RegionWeights as RegionWeights
from hypermagnetics.train.objective.term import Term as Term
