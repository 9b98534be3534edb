"""Pillow's resizing as arithmetic that every engine has: two matrix products, whose matrices follow from the sizes.

Engines have resizing of their own, each with other borders, other rounding, and few that widen the filter where an
image gets smaller. Here an exported model sees the very pixels that training saw.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

KEPT = 2.0**22
"""Of a weight Pillow keeps 22 bits behind the point."""


class Resize(nn.Module):
    """Bytes (B, H, W, 3) of any size to (B, 3, h, w) as `psnet.data.images.resize` gives them, in float32.

    Like Pillow it resizes rows, rounds to bytes, resizes columns and rounds again, halves upwards. Pillow's sums are
    whole numbers and these are float32, so a value on the edge between two bytes may become the other. Pillow 13 takes
    columns first of some tall images that get smaller: of those a fiftieth of the values differ on photos, by one
    (bilinear) or up to ten (bicubic); on noise a quarter, by one or up to twenty.

    Args:
        size: (h, w), pixels. upsampling: a name of `psnet.data.preprocess.UPSAMPLINGS`.
    """

    def __init__(self, size: tuple[int, int], upsampling: str) -> None:
        super().__init__()
        self.size = size
        self.weigh, self.support = {"bilinear": (_triangle, 1.0), "bicubic": (_cubic, 2.0)}[upsampling]

    def forward(self, images: Tensor) -> Tensor:
        height, width = self.size
        planes = images.permute(0, 3, 1, 2).to(torch.float32)
        planes = _as_bytes(planes @ self._weights(planes.shape[3], width).T)
        return _as_bytes(self._weights(planes.shape[2], height) @ planes)

    def _weights(self, old: int, new: int) -> Tensor:
        """(new, old): the share of each old pixel in each new one.

        A new pixel lies where its middle falls among the old ones; the filter around it is as wide as a new pixel where
        the image gets smaller, else as an old one. In steps of 1 / (2 new) of an old pixel these are whole numbers,
        which float32 has without rounding.
        """
        olds, news = torch.arange(old).float(), torch.arange(new).float()
        count = torch.ones(old).sum()  # a tensor, so that an exported graph works it out for every size
        away = ((2 * olds[None, :] + 1) * new - (2 * news[:, None] + 1) * count).abs()
        distance = away / (2 * count.clamp(min=new))
        weights = torch.where(distance < self.support, self.weigh(distance), torch.zeros(()))
        weights = weights / weights.sum(dim=1, keepdim=True)
        return (weights * KEPT + 0.5).floor() / KEPT


def _as_bytes(values: Tensor) -> Tensor:
    return (values + 0.5).floor().clamp(0, 255)


def _triangle(distance: Tensor) -> Tensor:
    return 1 - distance


def _cubic(distance: Tensor) -> Tensor:
    """Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981, with a = -1/2."""
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    return torch.where(distance < 1, near, far)
