"""How far a run is."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import RichProgressBar
from rich import get_console

log = logging.getLogger(__name__)

VALIDATED = ("val/rank1", "val/mAP", "val/psnr_restored")
"""What the line of an epoch tells of its validation, where there was one."""

SECONDS = 1.0
"""How old figures in the bar get. To read them is to wait for the device, so it is not done at every step."""


class Progress(RichProgressBar):
    """Lightning's bar, with the time left of the whole run, the losses, and what else is logged of a step.

    Where the output is no terminal, such as a log file, a bar cannot be seen; there it is one line per epoch.
    """

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._begun, self._first_step = time.perf_counter(), trainer.global_step
        self._validated = False
        self._figures: dict[str, float] = {}
        self._read = -SECONDS
        super().on_train_start(trainer, pl_module)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_validation_end(trainer, pl_module)
        self._validated = True

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        if time.perf_counter() - self._read >= SECONDS:
            self._figures, self._read = self._of_steps(trainer), time.perf_counter()
        return {"left": self._left(trainer), **self._figures}

    def _of_steps(self, trainer: pl.Trainer) -> dict[str, float]:
        figures = trainer.callback_metrics.items()
        return {name.removeprefix("train/"): float(value) for name, value in figures if name.startswith("train/")}

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_train_epoch_end(trainer, pl_module)
        if self.is_enabled and not get_console().is_terminal:
            found = {**self._of_steps(trainer), **self._found(trainer)}
            figures = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
            left = self._left(trainer)
            log.info("epoch %d of %s: %s; %s left", trainer.current_epoch + 1, trainer.max_epochs, figures, left)
        self._validated = False

    def _found(self, trainer: pl.Trainer) -> dict[str, float]:
        """By this epoch's validation. Lightning keeps the figures of earlier ones."""
        figures = trainer.callback_metrics if self._validated else {}
        return {name: float(figures[name]) for name in VALIDATED if name in figures}

    def _left(self, trainer: pl.Trainer) -> str:
        """At the pace so far, of this process: a run that goes on does not count what came before."""
        done = trainer.global_step - self._first_step
        if not done:
            return "?"
        seconds = (
            (time.perf_counter() - self._begun) / done * (trainer.estimated_stepping_batches - trainer.global_step)
        )
        return str(timedelta(seconds=round(seconds)))
