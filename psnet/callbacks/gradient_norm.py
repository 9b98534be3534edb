"""How steep it is."""

from __future__ import annotations

import pytorch_lightning as pl
import torch
from torch.optim import Optimizer


class GradientNorm(pl.Callback):
    """Logs train/gradient_norm: the Euclidean norm of all gradients together, before they are clipped.

    Args:
        every_n_steps: how often; and at the end of each epoch.
    """

    def __init__(self, every_n_steps: int = 10) -> None:
        self.every_n_steps = every_n_steps
        self._wanted = False

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: object, batch_idx: int
    ) -> None:
        self._wanted = (batch_idx + 1) % self.every_n_steps == 0 or batch_idx + 1 == trainer.num_training_batches

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
        if self._wanted and gradients:
            pl_module.log("train/gradient_norm", torch.nn.utils.get_total_norm(gradients), batch_size=1)
