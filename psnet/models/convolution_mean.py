"""The mean of a convolution's output, before the convolution."""

from __future__ import annotations

import torch
from torch import Tensor


def convolution_mean(maps: Tensor, weight: Tensor) -> Tensor:
    """Mean over all pixels of conv2d(maps, weight, padding=1), from sums of its input; exact but for rounding.

    Over the whole output, the tap in the middle of a kernel meets every pixel of the input once. One beside it misses
    a row or a column at the border, where it meets the padding. So there are nine sums of each input channel, and the
    mean is linear in them. Differentiable in both.

    Args:
        maps: (B, C, H, W), any float type. The sums are in it; what follows is in the weight's.
        weight: (C_out, C, 3, 3).

    Returns:
        (B, C_out), in the weight's type.

    >>> maps, weight = torch.rand(2, 4, 6, 5), torch.rand(3, 4, 3, 3)
    >>> torch.allclose(convolution_mean(maps, weight), torch.conv2d(maps, weight, padding=1).mean((2, 3)), atol=1e-5)
    True
    """
    height, width = maps.shape[2:]
    meets = _meets(height, maps)[:, None, :, None] * _meets(width, maps)[None, :, None, :]
    # pixels by channels, as they lie in memory under channels_last: nine sums of all channels are one matrix product
    sums = meets.reshape(9, height * width) @ maps.permute(0, 2, 3, 1).flatten(1, 2)
    with torch.autocast(maps.device.type, enabled=False):
        return torch.einsum("btc,oct->bo", sums.to(weight.dtype), weight.flatten(2)) / (height * width)


def _meets(length: int, like: Tensor) -> Tensor:
    """(3, length): 1 where a tap, the one before, in or after the middle, meets a pixel of a line."""
    meets = like.new_ones(3, length)
    meets[0, -1] = meets[2, 0] = 0
    return meets
