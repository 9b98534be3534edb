"""Regions shown on their image, in one colour: the stronger, the more they speak for the match."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

STRONGEST = 0.75
"""Share of the colour where a map is 1."""

COLOUR = (255, 70, 0)


def coloured(image: Tensor, strength: Tensor) -> Tensor:
    """
    Args:
        image: uint8 RGB (3, H, W). strength: (h, w) in [0, 1], of the whole image, in whatever size.

    Returns:
        uint8 RGB (3, H, W).
    """
    share = STRONGEST * F.interpolate(strength[None, None], image.shape[1:], mode="bilinear", antialias=True)[0]
    colour = share.new_tensor(COLOUR).view(3, 1, 1)
    return ((1 - share) * image + share * colour).round().clamp(0, 255).to(torch.uint8)
