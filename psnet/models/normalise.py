"""ImageNet normalisation as part of a network, so that everything outside of it is RGB in [0, 1]."""

from __future__ import annotations

import torch
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Normalise(nn.Module):
    """(image - mean) / std per channel, and back.

    Shapes: (B, 3, H, W) -> (B, 3, H, W). The constants are those of the ImageNet classification weights
    (torchvision's and timm's alike), buffers that move with the network and are not saved with it.
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std

    def invert(self, normalised: Tensor) -> Tensor:
        return normalised * self.std + self.mean
