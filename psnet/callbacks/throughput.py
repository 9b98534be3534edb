"""How fast it trains."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl


class Throughput(pl.Callback):
    """Logs train/images_per_s: pairs per second of all processes together, since the last time it was logged.

    Validation does not count.

    Args:
        every_n_steps: how often; and at the end of each epoch.
    """

    def __init__(self, every_n_steps: int = 10) -> None:
        self.every_n_steps = every_n_steps
        self._images, self._since = 0, 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._images, self._since = 0, time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._images += len(batch.label) * trainer.world_size
        if (batch_idx + 1) % self.every_n_steps and batch_idx + 1 != trainer.num_training_batches:
            return
        now = time.perf_counter()
        pl_module.log("train/images_per_s", self._images / (now - self._since), batch_size=1)
        self._images, self._since = 0, now
