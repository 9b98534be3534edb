"""A run that has diverged ends, and says where it did."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor

from psnet.atomic import WriteError, whole
from psnet.data.dataset import PairBatch
from psnet.losses import DivergedError


class Step(NamedTuple):
    """What is remembered of a step until it is looked at. terms: the loss and its terms, () each, by name."""

    number: int
    batch_idx: int
    terms: dict[str, Tensor]


class Finite(pl.Callback):
    """Ends the run when the loss or one of its terms is NaN or infinite, and keeps the batch of the first such step.

    It lies in the run's folder, as diverged.pt, a dictionary: "step", "epoch", "batch_idx", "terms"; "images", their
    paths; and the tensors of `PairBatch`.

    The step never waits for the device: figures are looked at together, every few steps and at the end of each epoch,
    before its validation and its checkpoint. So a checkpoint never holds what such a step has left.

    Args:
        every_n_steps: how often figures are looked at.

    Raises:
        DivergedError: from within the training, on all processes at once.
    """

    def __init__(self, every_n_steps: int = 10) -> None:
        self.every_n_steps = every_n_steps
        self._steps: list[Step] = []

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._steps.clear()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: PairBatch, batch_idx: int
    ) -> None:
        terms = getattr(pl_module, "terms", None) or {"loss": outputs["loss"].detach()}
        self._steps.append(Step(trainer.global_step, batch_idx, terms))
        if (batch_idx + 1) % self.every_n_steps == 0 or trainer.is_last_batch:
            self._look(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._steps:  # trainer.max_steps has ended the training within an epoch
            self._look(trainer)

    def _look(self, trainer: pl.Trainer) -> None:
        steps, self._steps = self._steps, []
        finite = [torch.stack([value.isfinite().all() for value in step.terms.values()]).all() for step in steps]
        bad = [step for step, good in zip(steps, torch.stack(finite).tolist(), strict=True) if not good]
        if trainer.strategy.reduce_boolean_decision(bool(bad), all=False):
            raise DivergedError(self._tell(trainer, bad[0]) if bad else "the loss has diverged on another process")

    def _tell(self, trainer: pl.Trainer, step: Step) -> str:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        batch, images = data.train_batch(step.batch_idx)
        terms = {name: float(value) for name, value in step.terms.items()}
        where = {"step": step.number, "epoch": trainer.current_epoch, "batch_idx": step.batch_idx}
        process = f"-{trainer.global_rank}" if trainer.global_rank else ""
        file = Path(trainer.default_root_dir) / f"diverged{process}.pt"
        kept = f"The batch is kept in {file}"
        try:
            with whole(file) as beside:
                torch.save({**where, "terms": terms, "images": images, **batch._asdict()}, beside)
        except (WriteError, RuntimeError) as error:  # the second is what PyTorch makes of an OSError
            kept = f"The batch, {', '.join(images)}, could not be kept ({str(error).partition(chr(10))[0]})"
        broken = [name for name, value in terms.items() if not math.isfinite(value) and name != "loss"] or ["loss"]
        figures = ", ".join(f"{name} {value:.4g}" for name, value in terms.items())
        return (
            f"{' and '.join(broken)} diverged at step {step.number}, epoch {trainer.current_epoch + 1}, batch "
            f"{step.batch_idx + 1}: {figures}. {kept}; the last checkpoint is from before it. The "
            "same settings end here again: begin anew with a lower learning rate, or with trainer.precision=32-true"
        )
