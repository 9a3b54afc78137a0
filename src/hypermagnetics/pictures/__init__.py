"""Pictures of one sample: what hm-eval writes, and hm-train shows while it trains."""

from hypermagnetics.pictures.drawing import draw_sample as draw_sample
from hypermagnetics.pictures.drawing import one_sample as one_sample
from hypermagnetics.pictures.figure import png_of as png_of
