"""VDSR-CA: the super-resolution network of PS-HRNet (Zhang et al., IEEE TIP 2021).

VDSR (Kim, Lee and Lee, CVPR 2016) without batch norm or up-sampling, with the channel attention of
squeeze-and-excitation (Hu et al., CVPR 2018) in each block. The image comes in at the size it leaves.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from psnet.models.normalise import Normalise


class ChannelAttention(nn.Module):
    """Scale each channel by a gate in (0, 1) computed from all channel means. (B, C, H, W) -> the same."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels // reduction, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // reduction, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, maps: Tensor) -> Tensor:
        return maps * self.gate(maps)


class VDSRCA(nn.Module):
    """Restores a low image that has been resized to the size of its high twin.

    The method: 64 channels, 18 blocks, reduction 16; 677,448 parameters. It predicts the residual in
    ImageNet-normalised RGB, the space in which the method compares restored and high.

    Args:
        channels: width of the blocks.
        blocks: number of [conv3x3, channel attention, ReLU] between the first and the last convolution.
        reduction: `channels / reduction` is the width inside the channel attention.
        start_as_identity: set the last convolution to zero, so that training starts from the resized image
            itself. Ours, off in the method: it spares a short training the way back from random residuals.
        attention: without it this is VDSR as the method has it, 667,008 parameters, and `reduction` has no effect.

    Raises:
        ValueError: `channels` is smaller than `reduction`, which would leave the attention without a channel.
    """

    def __init__(
        self,
        channels: int = 64,
        blocks: int = 18,
        reduction: int = 16,
        start_as_identity: bool = False,
        attention: bool = True,
    ) -> None:
        super().__init__()
        if attention and channels < reduction:
            raise ValueError(f"channels={channels} leaves no channel for attention; give reduction <= channels")
        body: list[nn.Module] = [nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.ReLU(inplace=True)]
        for _ in range(blocks):
            body.append(nn.Conv2d(channels, channels, 3, padding=1, bias=False))
            if attention:
                body.append(ChannelAttention(channels, reduction))
            body.append(nn.ReLU(inplace=True))
        last = nn.Conv2d(channels, 3, 3, padding=1, bias=False)
        self.body = nn.Sequential(*body, last)
        self.normalise = Normalise()
        self.apply(_init_convolution)
        if start_as_identity:
            nn.init.zeros_(last.weight)

    def forward(self, low: Tensor) -> Tensor:
        """low (B, 3, H, W) in [0, 1] -> restored, same shape, about [0, 1] and not clamped."""
        normalised = self.normalise(low)
        return self.normalise.invert(normalised + self.body(normalised).to(normalised.dtype))


def _init_convolution(module: nn.Module) -> None:
    """N(0, sqrt(2 / (k * k * c_out))), VDSR's public implementation and the method's."""
    if isinstance(module, nn.Conv2d):
        k, c_out = module.kernel_size[0], module.out_channels
        with torch.no_grad():
            module.weight.normal_(0.0, math.sqrt(2.0 / (k * k * c_out)))
