"""THE METHOD: the only room with LightningModules."""

from psnet.tasks.base import Task
from psnet.tasks.pair import PSHRNet
from psnet.tasks.recipe import Batch, Recipe
from psnet.tasks.reid import ReID
from psnet.tasks.super_resolution import SuperResolution

__all__ = ["Batch", "PSHRNet", "ReID", "Recipe", "SuperResolution", "Task"]
