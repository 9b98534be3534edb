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

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        if (trainer.global_step + 1) % self.every_n_steps == 0 or trainer.is_last_batch:
            gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
            norm = torch.nn.utils.get_total_norm(gradients)
            scaler = getattr(trainer.precision_plugin, "scaler", None)
            if scaler is not None and getattr(optimizer, "_step_supports_amp_scaling", False):
                norm = norm / scaler.get_scale()  # a fused optimiser takes the scale away itself, later
            pl_module.log("train/gradient_norm", norm, batch_size=1)
