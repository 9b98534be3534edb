"""What W&B shows beside curves: restored images, and ranked lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytorch_lightning as pl
import wandb
from PIL import Image
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from psnet.pictures import choose_queries, choose_restorations, ranked_list, restorations
from psnet.report import RankedList
from psnet.report.content import Pixels
from psnet.tasks import Task

RIGHT, WRONG, BORDER = (0, 158, 115), (213, 94, 0), 3
"""Colours of a match and of another person (told apart by colour-blind people too), and their width in pixels."""


class Dashboard(pl.Callback):
    """After each validation logs pictures to W&B, where it is in use.

    Args:
        images: how many restorations, and how many ranked lists.
    """

    def __init__(self, images: int = 8) -> None:
        self.images = images

    @rank_zero_only
    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        loggers = [logger for logger in trainer.loggers if isinstance(logger, WandbLogger)]
        if loggers and isinstance(pl_module, Task):
            pictures = self._pictures(pl_module, trainer)
            for logger in loggers:
                logger.experiment.log({**pictures, "trainer/global_step": trainer.global_step})

    def _pictures(self, task: Task, trainer: pl.Trainer) -> dict[str, list[wandb.Image]]:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        images = data.eval_data
        pictures = {}
        examples = restorations(task, images, choose_restorations(images, self.images))
        if examples:
            rows = [(e.bicubic, e.restored, e.restored if e.high is None else e.high) for e in examples]
            pictures["restored"] = [
                wandb.Image(np.hstack(row), caption=f"bicubic, restored, high: {e.caption}")
                for row, e in zip(rows, examples, strict=True)
            ]
        if task.retrieval_result is not None:
            queries = choose_queries(task.retrieval_result, self.images)["random"]
            lists = [ranked_list(task, task.retrieval_result, images, query) for query in queries]
            pictures["ranked"] = [wandb.Image(strip(one), caption=one.query.caption) for one in lists]
        return pictures


def strip(ranked: RankedList) -> Pixels:
    """Query and entries side by side, framed by right and wrong."""
    frames = [(ranked.query.image, (255, 255, 255))]
    frames += [(entry.crop.image, RIGHT if entry.match else WRONG) for entry in ranked.entries]
    return np.hstack([_framed(image, colour) for image, colour in frames])


def _framed(image: Pixels, colour: tuple[int, int, int]) -> Pixels:
    height, width = image.shape[:2]
    frame = Image.new("RGB", (width + 2 * BORDER, height + 2 * BORDER), colour)
    frame.paste(Image.fromarray(image), (BORDER, BORDER))
    return np.asarray(frame)
