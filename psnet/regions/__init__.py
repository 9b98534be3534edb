"""Which regions of two images make their score, and how they are shown."""

from psnet.regions.colour import coloured
from psnet.regions.errors import RegionsError
from psnet.regions.grad_cam import check_explainable, regions_of_score

__all__ = ["RegionsError", "check_explainable", "coloured", "regions_of_score"]
