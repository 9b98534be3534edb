"""Which number format a device computes in."""

from __future__ import annotations

from collections.abc import Sequence

import torch

AMX_FROM = 64
"""Smallest side of an image, in pixels, that AMX is trusted with. oneDNN 3.12, which PyTorch 2.14 brings, reads beyond
its input in a 3 x 3 convolution of stride 2 on maps two pixels wide, as the last stage of a backbone has them at half
of this: its numbers are then whatever lay there."""


def resolve_precision(
    precision: str | int | None, image_size: Sequence[int], cuda: bool | None = None
) -> str | int | None:
    """Replace "auto" by the fastest mixed precision that the hardware computes itself; leave the rest as it is.

    CUDA: bf16 where the device has it, else fp16 with loss scaling. CPU: bf16 where the processor has instructions for
    it (AMX tiles, for images from `AMX_FROM` on, or AVX-512 BF16). Anything else: 32 bits.

    Args:
        image_size: (height, width) of a network's input. cuda: whether it is computed there; if there is one if None.
    """
    if precision != "auto":
        return precision
    if torch.cuda.is_available() if cuda is None else cuda:
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
    if torch.cpu._is_amx_tile_supported():
        return "bf16-mixed" if min(image_size) >= AMX_FROM else "32-true"
    return "bf16-mixed" if torch.cpu._is_avx512_bf16_supported() else "32-true"
