"""The processes of a run: one for each device."""

from __future__ import annotations

import torch.distributed as dist
from pytorch_lightning.utilities import rank_zero_only


def is_first() -> bool:
    """This process writes the files and talks; the others only compute. True where there is one process."""
    return int(getattr(rank_zero_only, "rank", 0)) == 0


def meet() -> None:
    """Wait for the others."""
    if dist.is_available() and dist.is_initialized():
        dist.barrier()
