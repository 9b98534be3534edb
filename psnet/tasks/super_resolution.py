"""Super-resolution alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from psnet.data.dataset import PairBatch
from psnet.losses import restoration
from psnet.metrics import RetrievalMetric
from psnet.models import NoRestoration, Normalise
from psnet.tasks.base import Task
from psnet.tasks.gather import mean_divisor
from psnet.tasks.recipe import Recipe


class SuperResolution(Task):
    """Trains `sr` to restore low images: L = L_SR = mean |restored - high|, in ImageNet-normalised RGB.

    Args:
        sr: maps low to restored, (B, 3, H, W) in [0, 1].
        low_first: begin with the pairs whose image was made low, and let the weight of the others rise from 0 to 1
            over the run. A sharp image is its own twin: any change makes it worse, and the gradient of |x| does not
            fade at 0. Where both kinds count alike from the start, `sr` settles as the identity (see
            docs/results.md). Ours.
        retrieval: not used; every task takes it.

    Raises:
        ValueError: `sr` has nothing to train.
    """

    def __init__(
        self,
        sr: nn.Module,
        low_first: bool = True,
        recipe: Recipe | None = None,
        retrieval: RetrievalMetric | None = None,
    ) -> None:
        super().__init__(recipe)
        if isinstance(sr, NoRestoration):
            raise ValueError("model.sr=none has nothing to train; give a network, such as net@model.sr=vdsr_ca_small")
        self.sr = sr.to(memory_format=torch.channels_last)
        self.normalise = Normalise()
        self.low_first = low_first

    def training_step(self, batch: PairBatch, batch_idx: int) -> Tensor:
        restored = self.sr(batch.low)
        weight = self._weight(batch) * batch.has_high
        loss = restoration(self.normalise(restored), self.normalise(batch.high), weight, mean_divisor(weight))
        self.log_terms(batch, loss, {})
        return loss

    def _weight(self, batch: PairBatch) -> Tensor:
        if not self.low_first or self.recipe is None:
            return torch.ones_like(batch.is_low, dtype=torch.float)
        return torch.where(batch.is_low, 1.0, self.current_epoch / self.recipe.epochs)

    def restore(self, low: Tensor) -> Tensor:
        restored: Tensor = self.sr(low)
        return restored
