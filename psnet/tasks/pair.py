"""PS-HRNet: the student sees low, the frozen teacher high, and the student learns to see what the teacher sees."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from psnet.data.dataset import PairBatch
from psnet.losses import feature_distance, restoration
from psnet.metrics import RetrievalMetric
from psnet.models import HRNetReID, NoRestoration, Normalise
from psnet.tasks.base import Task
from psnet.tasks.gather import mean_divisor
from psnet.tasks.recipe import Recipe


class PSHRNet(Task):
    """Phase 2 of PS-HRNet (Zhang et al., IEEE TIP 2021):

        L = 1.15 * CE + 1/5 * sum of 5 triplets + 0.5 * L_SR + 0.5 * L_PS

    Without a teacher L_PS is left out, which is the row "ID+SR". Where `sr` is `NoRestoration`, L_SR is a number
    without a gradient: how far low is from high.

    Args:
        sr, reid: the student. teacher: the phase-1 network of the same shape, frozen here. It is kept out of the
            task's parameters, so neither optimiser nor checkpoint knows it.
        ce_weight, triplet_weight, sr_weight, ps_weight: of the four terms; the triplets' is that of their mean.
        triplet_pooled: False leaves the four triplets of the branches, as in phase 1.
        triplet_gathered: of several processes, each takes positives and negatives from the batches of all.
        label_smoothing: of CE. margin: of the triplets.
        sr_lr: own learning rate of `sr`, under the same schedule; 0 keeps it as it is. Off in the method: its
            released code sets 0.001 and overwrites it at every epoch.
    """

    def __init__(
        self,
        sr: nn.Module,
        reid: HRNetReID,
        teacher: HRNetReID | None = None,
        ce_weight: float = 1.15,
        triplet_weight: float = 1.0,
        sr_weight: float = 0.5,
        ps_weight: float = 0.5,
        triplet_pooled: bool = True,
        triplet_gathered: bool = True,
        label_smoothing: float = 0.1,
        margin: float = 0.3,
        sr_lr: float | None = None,
        recipe: Recipe | None = None,
        retrieval: RetrievalMetric | None = None,
    ) -> None:
        super().__init__(recipe, retrieval)
        self.sr = sr.to(memory_format=torch.channels_last)
        self.reid = reid.to(memory_format=torch.channels_last)
        self.normalise = Normalise()
        self.ce_weight, self.triplet_weight = ce_weight, triplet_weight
        self.sr_weight, self.ps_weight = sr_weight, ps_weight
        self.triplet_pooled, self.triplet_gathered = triplet_pooled, triplet_gathered
        self.label_smoothing, self.margin, self.sr_lr = label_smoothing, margin, sr_lr
        # in a tuple, where nn.Module does not look for parameters
        self._teacher: tuple[HRNetReID, ...] = ()
        if teacher is not None:
            self._teacher = (teacher.eval().requires_grad_(False).to(memory_format=torch.channels_last),)

    def training_step(self, batch: PairBatch, batch_idx: int) -> Tensor:
        restored = self.sr(batch.low)
        student = self.reid(restored)
        twins = mean_divisor(batch.has_high)
        vectors = (student.pooled, *student.branches) if self.triplet_pooled else student.branches
        terms = {
            "ce": F.cross_entropy(student.logits, batch.label, label_smoothing=self.label_smoothing),
            "triplet": self.triplet(vectors, batch.label, self.margin, self.triplet_gathered),
            "sr": restoration(self.normalise(restored), self.normalise(batch.high), batch.has_high, twins),
        }
        loss = self.ce_weight * terms["ce"] + self.triplet_weight * terms["triplet"] + self.sr_weight * terms["sr"]
        for teacher in self._teacher:
            with torch.no_grad():
                seen = teacher(batch.high)
            terms["ps"] = feature_distance(seen.compared, student.compared, batch.has_high, twins)
            loss = loss + self.ps_weight * terms["ps"]
        self.log_terms(batch, loss, terms)
        return loss

    def on_fit_start(self) -> None:
        super().on_fit_start()
        for teacher in self._teacher:
            teacher.to(self.device, next(self.parameters()).dtype)

    def restore(self, low: Tensor) -> Tensor | None:
        return None if isinstance(self.sr, NoRestoration) else self.sr(low)

    @property
    def pools(self) -> nn.ModuleList:
        return getattr(self.reid, "pools", super().pools)  # a network of one's own may pool none

    def describe(self, images: Tensor) -> Tensor:
        descriptor: Tensor = self.reid(images).descriptor
        return descriptor

    def parameter_groups(self) -> list[dict[str, Any]]:
        if self.sr_lr is None or isinstance(self.sr, NoRestoration):
            return super().parameter_groups()
        return [{"params": list(self.reid.parameters())}, {"params": list(self.sr.parameters()), "lr": self.sr_lr}]
