"""VDSR-CA: the super-resolution network of PS-HRNet (Zhang et al., IEEE TIP 2021).

VDSR (Kim, Lee and Lee, CVPR 2016) without batch norm or up-sampling, with the channel attention of
squeeze-and-excitation (Hu et al., CVPR 2018) in each block. The image comes in at the size it leaves.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from psnet.models.convolution_mean import convolution_mean
from psnet.models.normalise import Normalise

LARGE = 2**18
"""Values in the maps of one image from which on it is worth a pass of its own on a processor (measured: twice as fast
at eight times as many, slower at half). Smaller maps stay in the caches as a batch, and calls cost more than passes."""


class ChannelAttention(nn.Module):
    """Scale each channel by a gate in (0, 1) computed from all channel means. (B, C, H, W) -> the same."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.Conv2d(channels, channels // reduction, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // reduction, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, maps: Tensor) -> Tensor:
        gate: Tensor = self.gate(maps.mean((2, 3), keepdim=True))
        return maps * gate


class Block(nn.Module):
    """3 x 3 convolution, channel attention, ReLU. (B, C, H, W) -> the same.

    A processor takes longer to write maps and read them again than to convolve them. So of one image the mean of the
    convolution's output is computed from its input, and the gate is multiplied into the kernel instead of the maps:
    the same function, rounded otherwise, in one pass that leaves nothing but its result to be kept for the gradient.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.attention = ChannelAttention(channels, reduction)

    def forward(self, maps: Tensor) -> Tensor:
        # asked first: of a graph that is being exported the length must stay open
        if not torch.compiler.is_compiling() and maps.is_cpu and len(maps) == 1:
            return self._folded(maps)
        return F.relu(self.attention(self.convolution(maps)))

    def _folded(self, maps: Tensor) -> Tensor:
        kernel = self.convolution.weight
        mean = convolution_mean(maps, kernel)
        with torch.autocast(maps.device.type, enabled=False):
            gate = self.attention.gate(mean[:, :, None, None])[0, :, :, :, None]
        return F.conv2d(maps, kernel * gate, padding=1).relu_()


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
        checkpointing: keep no maps for the gradient, and compute them again when it is: less memory, more time, the
            same numbers.
        compile: let torch.compile fuse what it can; some seconds to a minute at the first batch of each shape. It
            wants a C++ compiler, on a GPU Triton.

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
        checkpointing: bool = False,
        compile: bool = False,
    ) -> None:
        super().__init__()
        if attention and channels < reduction:
            raise ValueError(f"channels={channels} leaves no channel for attention; give reduction <= channels")
        last = nn.Conv2d(channels, 3, 3, padding=1, bias=False)
        self.body = nn.Sequential(
            _plain(3, channels),
            *(Block(channels, reduction) if attention else _plain(channels, channels) for _ in range(blocks)),
            last,
        )
        self.normalise = Normalise()
        self.channels = channels
        self.checkpointing = checkpointing
        self.apply(_init_convolution)
        if start_as_identity:
            nn.init.zeros_(last.weight)
        if compile:
            self.body.compile()

    def forward(self, low: Tensor) -> Tensor:
        """low (B, 3, H, W) in [0, 1] -> restored, same shape, about [0, 1] and not clamped."""
        normalised = self.normalise(low)
        return self.normalise.invert(normalised + self._residual(normalised).to(normalised.dtype))

    def _residual(self, images: Tensor) -> Tensor:
        """No step mixes images, so a processor takes large ones one after the other, whose maps stay in its caches."""
        values = self.channels * images.shape[2] * images.shape[3]
        if not torch.compiler.is_compiling() and images.is_cpu and values >= LARGE:
            return torch.cat([self._through(image) for image in images.split(1)])
        return self._through(images)

    def _through(self, images: Tensor) -> Tensor:
        if self.checkpointing and torch.is_grad_enabled():
            return checkpoint(self.body, images, use_reentrant=False, preserve_rng_state=False)
        return self.body(images)


def _plain(channels_in: int, channels_out: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False), nn.ReLU(inplace=True))


def _init_convolution(module: nn.Module) -> None:
    """N(0, sqrt(2 / (k * k * c_out))), VDSR's public implementation and the method's."""
    if isinstance(module, nn.Conv2d):
        k, c_out = module.kernel_size[0], module.out_channels
        with torch.no_grad():
            module.weight.normal_(0.0, math.sqrt(2.0 / (k * k * c_out)))
