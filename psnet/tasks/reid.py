"""HRNet-ReID alone: phase 1 of PS-HRNet, and the row "ID" of its table."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from psnet.data.dataset import PairBatch
from psnet.metrics import RetrievalMetric
from psnet.models import HRNetReID
from psnet.tasks.base import Task
from psnet.tasks.recipe import Recipe


class ReID(Task):
    """L = CE + mean of the triplets of the four branch vectors.

    That is phase 1. What the row ID was trained with nobody wrote down; the terms of phase 2 are two settings away.

    Args:
        reid: the network.
        view: which image of a pair it sees, in training and evaluation: "high" makes the teacher (phase 1), whose
            scores on sharp queries bound what can be won on low ones; "low" is the row ID, where the images of the low
            cameras are low and the others sharp.
        ce_weight: of CE, 1 in phase 1 and 1.15 in phase 2.
        triplet_pooled: a fifth triplet, of the pooled vector, as in phase 2.
        triplet_gathered: of several processes, each takes positives and negatives from the batches of all.
        label_smoothing: of CE, 0.1 in the method. margin: of the triplets, 0.3 in the method.
    """

    def __init__(
        self,
        reid: HRNetReID,
        view: Literal["high", "low"] = "high",
        ce_weight: float = 1.0,
        triplet_pooled: bool = False,
        triplet_gathered: bool = True,
        label_smoothing: float = 0.1,
        margin: float = 0.3,
        recipe: Recipe | None = None,
        retrieval: RetrievalMetric | None = None,
    ) -> None:
        super().__init__(recipe, retrieval)
        if view not in ("high", "low"):
            raise ValueError(f"model.view={view!r} must be high (the teacher) or low (the row ID)")
        self.reid = reid.to(memory_format=torch.channels_last)
        self.view = view
        self.ce_weight, self.triplet_pooled, self.triplet_gathered = ce_weight, triplet_pooled, triplet_gathered
        self.label_smoothing, self.margin = label_smoothing, margin

    @property
    def sees_high(self) -> bool:
        return self.view == "high"

    def training_step(self, batch: PairBatch, batch_idx: int) -> Tensor:
        features = self.reid(self.seen(batch))
        vectors = (features.pooled, *features.branches) if self.triplet_pooled else features.branches
        terms = {
            "ce": F.cross_entropy(features.logits, batch.label, label_smoothing=self.label_smoothing),
            "triplet": self.triplet(vectors, batch.label, self.margin, self.triplet_gathered),
        }
        loss = self.ce_weight * terms["ce"] + terms["triplet"]
        self.log_terms(batch, loss, terms)
        return loss

    @property
    def pools(self) -> nn.ModuleList:
        return getattr(self.reid, "pools", super().pools)  # a network of one's own may pool none

    def describe(self, images: Tensor) -> Tensor:
        descriptor: Tensor = self.reid(images).descriptor
        return descriptor
