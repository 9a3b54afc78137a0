"""Pictures of one sample, for hm-eval and for hm-train during training.

`figure` and `style` import matplotlib, and are imported where something is drawn, not before.
"""

from hypermagnetics.pictures.drawing import CELLS_OF_TRUTH as CELLS_OF_TRUTH
from hypermagnetics.pictures.drawing import Drawing as Drawing
from hypermagnetics.pictures.drawing import Plane as Plane
from hypermagnetics.pictures.drawing import draw_plane as draw_plane
from hypermagnetics.pictures.drawing import draw_sample as draw_sample
from hypermagnetics.pictures.drawing import equally_long as equally_long
from hypermagnetics.pictures.drawing import extent as extent
from hypermagnetics.pictures.drawing import in_plane as in_plane
from hypermagnetics.pictures.drawing import one_sample as one_sample
from hypermagnetics.pictures.drawing import plane_of as plane_of
from hypermagnetics.pictures.interpolated import draw_points as draw_points
