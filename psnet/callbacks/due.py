"""When figures of a step are read, and logged."""

from __future__ import annotations

import pytorch_lightning as pl


def is_due(trainer: pl.Trainer, every_n_steps: int) -> bool:
    """At the end of a batch: it made an n-th step of the run, as the loggers count, or was the last of an epoch."""
    if trainer.is_last_batch:
        return True
    stepped = (trainer.fit_loop.batch_idx + 1) % trainer.accumulate_grad_batches == 0
    return stepped and trainer.global_step % every_n_steps == 0
