"""NAFNet, after Chen et al., "Simple Baselines for Image Restoration" (ECCV 2022): a U-shape without activations.

Every non-linearity is a product: of two halves of the channels (SimpleGate), or of maps with their own means
(simplified channel attention).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from psnet.models.normalise import Normalise


class LayerNorm2d(nn.Module):
    """Normalises the channels of each pixel to mean 0 and variance 1, then scales and shifts each channel.

    (B, C, H, W) -> the same. Epsilon is 1e-6, as other networks have it that normalise so (ConvNeXt).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, maps: Tensor) -> Tensor:
        last = maps.permute(0, 2, 3, 1)  # no copy where channels are last in memory already
        return F.layer_norm(last, self.weight.shape, self.weight, self.bias, 1e-6).permute(0, 3, 1, 2)


class SimpleGate(nn.Module):
    """First half of the channels times the second. (B, 2C, H, W) -> (B, C, H, W)."""

    def forward(self, maps: Tensor) -> Tensor:
        first, second = maps.chunk(2, dim=1)
        return first * second


class SimpleChannelAttention(nn.Module):
    """Scale each channel by a linear function of all channel means. (B, C, H, W) -> the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, channels, 1))

    def forward(self, maps: Tensor) -> Tensor:
        return maps * self.scale(maps)


class NAFBlock(nn.Module):
    """Two residual branches: one that looks around each pixel, one that mixes its channels. (B, C, H, W) -> the same.

    `beta` and `gamma` scale them, per channel. Both start at 0, as in the paper: a block starts as the identity.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        double = 2 * channels  # both expansions of the paper
        self.around = nn.Sequential(
            LayerNorm2d(channels),
            nn.Conv2d(channels, double, 1),
            nn.Conv2d(double, double, 3, padding=1, groups=double),
            SimpleGate(),
            SimpleChannelAttention(channels),
            nn.Conv2d(channels, channels, 1),
        )
        self.mix = nn.Sequential(
            LayerNorm2d(channels),
            nn.Conv2d(channels, double, 1),
            SimpleGate(),
            nn.Conv2d(channels, channels, 1),
        )
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        maps = maps + self.beta * self.around(maps)
        return maps + self.gamma * self.mix(maps)


class NAFNet(nn.Module):
    """Restores a low image that has been resized to the size of its high twin.

    Each level of the U has half the height and width of the one above it and twice its channels. The result is added to
    the image, in ImageNet-normalised RGB as in VDSR-CA.

    Args:
        width: channels at full size.
        encoder_blocks: blocks on the way down, of each level but the lowest. middle_blocks: of the lowest.
        decoder_blocks: on the way up, of the same levels, the uppermost first like `encoder_blocks`.
        start_as_identity: set the last convolution to zero, so that training starts from the resized image itself.

    Raises:
        ValueError: the two ways have different numbers of levels.
    """

    def __init__(
        self,
        width: int = 16,
        encoder_blocks: Sequence[int] = (1, 1),
        middle_blocks: int = 2,
        decoder_blocks: Sequence[int] = (1, 1),
        start_as_identity: bool = False,
    ) -> None:
        super().__init__()
        if len(encoder_blocks) != len(decoder_blocks):
            raise ValueError(
                f"encoder_blocks={list(encoder_blocks)} and decoder_blocks={list(decoder_blocks)} are of different "
                "depths; give each level a number in both"
            )
        widths = [width * 2**level for level in range(len(encoder_blocks))]
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.encoders = nn.ModuleList(_blocks(c, n) for c, n in zip(widths, encoder_blocks, strict=True))
        self.downs = nn.ModuleList(nn.Conv2d(c, 2 * c, 2, stride=2) for c in widths)
        self.middle = _blocks(2 ** len(widths) * width, middle_blocks)
        self.ups = nn.ModuleList(_up(c) for c in widths)
        self.decoders = nn.ModuleList(_blocks(c, n) for c, n in zip(widths, decoder_blocks, strict=True))
        self.last = nn.Conv2d(width, 3, 3, padding=1)
        self.normalise = Normalise()
        self.multiple = 2 ** len(widths)
        if start_as_identity:
            nn.init.zeros_(self.last.weight)
            nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, low: Tensor) -> Tensor:
        """low (B, 3, H, W) in [0, 1] -> restored, same shape, about [0, 1] and not clamped.

        Raises:
            ValueError: H or W cannot be halved as often as the U has levels below the first.
        """
        height, width = low.shape[-2:]
        if height % self.multiple or width % self.multiple:
            raise ValueError(f"image of {height} x {width}: NAFNet takes multiples of {self.multiple}; resize it")
        normalised = self.normalise(low)
        return self.normalise.invert(normalised + self._residual(normalised).to(normalised.dtype))

    def _residual(self, normalised: Tensor) -> Tensor:
        maps = self.first(normalised)
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            skips.append(encoder(maps))
            maps = down(skips[-1])  # half the size, twice the channels
        maps = self.middle(maps)
        for up, decoder, skip in zip(reversed(self.ups), reversed(self.decoders), reversed(skips), strict=True):
            maps = decoder(up(maps) + skip)
        residual: Tensor = self.last(maps)
        return residual


def _blocks(channels: int, number: int) -> nn.Sequential:
    return nn.Sequential(*(NAFBlock(channels) for _ in range(number)))


def _up(channels: int) -> nn.Sequential:
    """(B, 2C, H, W) -> (B, C, 2H, 2W)."""
    return nn.Sequential(nn.Conv2d(2 * channels, 4 * channels, 1, bias=False), nn.PixelShuffle(2))
