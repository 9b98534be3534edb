"""TENSORS -> TENSORS: the networks, as plain PyTorch."""

from psnet.models.backbone import WeightsError
from psnet.models.hrnet_reid import HRNetReID, ReIDFeatures
from psnet.models.normalise import Normalise
from psnet.models.vdsr_ca import VDSRCA

__all__ = ["VDSRCA", "HRNetReID", "Normalise", "ReIDFeatures", "WeightsError"]
