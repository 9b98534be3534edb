"""How fast it trains, and whether it waits for images."""

from __future__ import annotations

import logging
import os
import time
from typing import Any

import pytorch_lightning as pl

from psnet.callbacks.due import is_due
from psnet.data.datamodule import MLRDataModule

log = logging.getLogger("psnet")

TOLERATED = 0.2
"""Share of the time spent waiting for images from which on it is said. A batch is loaded ahead, so that it is 0 as long
as loading keeps up."""


class Throughput(pl.Callback):
    """Logs, each since it was logged the last time and without validation:

    - train/images_per_s: pairs per second of all processes together;
    - train/data_wait: share of the time, 0 to 1, that this process waited for images.

    Where that is more than `TOLERATED`, twice in a row, it says so once, and what loading takes its time for.

    Args:
        every_n_steps: how often; and at the end of each epoch.
    """

    def __init__(self, every_n_steps: int = 10) -> None:
        self.every_n_steps = every_n_steps
        self._images, self._since, self._waited = 0, 0.0, 0.0
        self._slow = 0
        """So many times in a row loading was too slow; the first time of a run its processes are only starting."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._slow = 0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._begin(trainer)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._images += len(batch.label) * trainer.world_size
        if not is_due(trainer, self.every_n_steps):
            return
        passed = time.perf_counter() - self._since
        wait = (_waited(trainer) - self._waited) / passed
        pl_module.log("train/images_per_s", self._images / passed, batch_size=1)
        pl_module.log("train/data_wait", wait, batch_size=1)
        if batch_idx + 1 > self.every_n_steps:  # the first batches of an epoch are not loaded ahead
            self._slow = self._slow + 1 if wait > TOLERATED else 0
            if self._slow == 2 and trainer.is_global_zero:
                log.warning("%s", cause(trainer.datamodule, wait, trainer.num_devices))  # type: ignore[attr-defined]
        self._begin(trainer)

    def _begin(self, trainer: pl.Trainer) -> None:
        self._images, self._since, self._waited = 0, time.perf_counter(), _waited(trainer)


def _waited(trainer: pl.Trainer) -> float:
    return float(getattr(trainer.datamodule, "waited", 0.0))  # type: ignore[attr-defined]


def cause(data: MLRDataModule, wait: float, processes: int = 1) -> str:
    """Why training waits for images, and what can be done.

    Args:
        wait: share of the time, 0 to 1. processes: of the run on this machine, which share its cores.
    """
    own = max(1, cores() // processes)
    reading, varying = data.seconds_an_image()
    parts = (
        f"{wait:.0%} of the time training waits for images. One takes {1000 * (reading + varying):.1f} ms: "
        f"{1000 * reading:.1f} to read, decode and resize, {1000 * varying:.1f} to vary (model.recipe.augment)"
    )
    if data.workers < own:
        return f"{parts}. {data.workers} of {own} cores load them: give loader.workers={own}"
    return f"{parts}, on all {own} cores: loader.cache=true keeps decoded images, a smaller image_size costs less"


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
