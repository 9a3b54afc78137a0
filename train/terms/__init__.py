"""Terms of an objective, a file for each kind; a recipe chooses one by its keys."""

from hypermagnetics.train.terms.evaluation import Evaluation as Evaluation
from hypermagnetics.train.terms.evaluation import counted as counted
from hypermagnetics.train.terms.term import Facts as Facts
from hypermagnetics.train.terms.term import Term as Term
from hypermagnetics.train.terms.term import TermConfig as TermConfig
from hypermagnetics.train.terms.term import refuse_loose_numbers as refuse_loose_numbers
from hypermagnetics.train.terms.values import ValuesTerm as ValuesTerm
from hypermagnetics.train.terms.values import ValuesTermConfig as ValuesTermConfig

AnyTermConfig = ValuesTermConfig
"""A term in a recipe: a table, whose kind follows from its keys `of` and `by`."""
