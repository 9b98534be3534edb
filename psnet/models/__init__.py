"""TENSORS -> TENSORS: the networks, as plain PyTorch."""

from psnet.models.backbone import WeightsError
from psnet.models.hrnet_reid import HRNetReID, ReIDFeatures
from psnet.models.nafnet import NAFNet
from psnet.models.no_restoration import NoRestoration
from psnet.models.normalise import Normalise
from psnet.models.vdsr_ca import VDSRCA

__all__ = ["VDSRCA", "HRNetReID", "NAFNet", "NoRestoration", "Normalise", "ReIDFeatures", "WeightsError"]
