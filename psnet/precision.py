"""Which number format a device trains in."""

from __future__ import annotations

import torch


def resolve_precision(precision: str | int | None) -> str | int | None:
    """Replace "auto" by the fastest mixed precision that the hardware computes itself; leave the rest as it is.

    CUDA: bf16 where the device has it, else fp16 with loss scaling. CPU: bf16 where the processor has instructions for
    it (AMX tiles or AVX-512 BF16). Anything else: 32 bits.
    """
    if precision != "auto":
        return precision
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
    if torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported():
        return "bf16-mixed"
    return "32-true"
