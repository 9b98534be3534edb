"""How much it takes."""

from __future__ import annotations

import sys
from typing import Any

import pytorch_lightning as pl
import torch

from psnet.callbacks.due import is_due

try:
    import resource
except ImportError:  # Windows has none
    resource = None  # type: ignore[assignment]


def peak_bytes(device: torch.device) -> int | None:
    """The most memory that this process has held so far: of a GPU what tensors took there, else all of its own, its
    loading processes not counted. None where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if resource is None:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class Memory(pl.Callback):
    """Logs train/memory_gib: `peak_bytes` in GiB, of the first process.

    Args:
        every_n_steps: how often; and at the end of each epoch.
    """

    def __init__(self, every_n_steps: int = 10) -> None:
        self.every_n_steps = every_n_steps

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        peak = peak_bytes(pl_module.device) if is_due(trainer, self.every_n_steps) else None
        if peak is not None:
            pl_module.log("train/memory_gib", peak / 2**30, batch_size=1)
