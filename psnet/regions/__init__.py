"""Which regions of two images make their score, and how they are shown."""

from psnet.regions.colour import coloured
from psnet.regions.errors import RegionsError
from psnet.regions.grad_cam import check_installed, regions

__all__ = ["RegionsError", "check_installed", "coloured", "regions"]
