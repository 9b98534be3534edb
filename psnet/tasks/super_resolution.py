"""Super-resolution alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from psnet.data.dataset import PairBatch
from psnet.losses import restoration
from psnet.metrics import RetrievalMetric
from psnet.models import Normalise
from psnet.tasks.base import Task
from psnet.tasks.recipe import Recipe


class SuperResolution(Task):
    """Trains `sr` to restore low images: L = L_SR = mean |restored - high|, in ImageNet-normalised RGB.

    Args:
        sr: maps low to restored, (B, 3, H, W) in [0, 1].
    """

    def __init__(self, sr: nn.Module, recipe: Recipe | None = None, retrieval: RetrievalMetric | None = None) -> None:
        super().__init__(recipe)
        self.sr = sr.to(memory_format=torch.channels_last)
        self.normalise = Normalise()

    def training_step(self, batch: PairBatch, batch_idx: int) -> Tensor:
        restored = self.sr(batch.low)
        loss = restoration(self.normalise(restored), self.normalise(batch.high), batch.has_high)
        self.log_terms(batch, loss, {})
        return loss

    def restore(self, low: Tensor) -> Tensor:
        restored: Tensor = self.sr(low)
        return restored
