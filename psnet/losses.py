"""The three losses of PS-HRNet that torch does not have. Cross-entropy is torch's own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


class DivergedError(RuntimeError):
    """The loss, or one of its terms, is NaN or infinite."""


def batch_hard_triplet(
    features: Tensor, labels: Tensor, margin: float = 0.3, among: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """Mean over the batch of max(0, farthest positive - nearest negative + margin).

    Hermans, Beyer and Leibe, "In Defense of the Triplet Loss" (2017), Euclidean and un-normalised as in PS-HRNet.
    An anchor without a negative in the batch adds 0.

    Args:
        features: (B, D), any float type; distances are taken in float32.
        labels: (B,) integers.
        margin: in the unit of the features.
        among: features (N, D) and labels (N,) of those that positives and negatives are taken from, the anchors
            themselves included; None for the batch.

    >>> x = torch.tensor([[0.0], [1.0], [3.0]])
    >>> round(batch_hard_triplet(x, torch.tensor([0, 0, 1])).item(), 4)  # (0 + 0 + 0) / 3 but for the margin
    0.0
    """
    with torch.autocast(features.device.type, enabled=False):
        x = features.float()
        others, names = (x, labels) if among is None else (among[0].float(), among[1])
        # differences, not |a|^2 - 2ab + |b|^2: images of one person lie close, where that form cancels
        distance = torch.cdist(x, others, compute_mode="donot_use_mm_for_euclid_dist")
        same = labels[:, None] == names[None, :]
        farthest_positive = distance.masked_fill(~same, 0.0).amax(dim=1)
        nearest_negative = distance.masked_fill(same, torch.inf).amin(dim=1)
        return F.relu(farthest_positive - nearest_negative + margin).mean()


def restoration(restored: Tensor, high: Tensor, weight: Tensor, total: Tensor | None = None) -> Tensor:
    """L_SR: mean |restored - high|.

    Args:
        restored, high: (B, 3, H, W), both ImageNet-normalised: the space in which the method compares them.
        weight: (B,) of each pair in the mean: 0 for those without a high twin, else 1 in the method.
            Where all are 0 the loss is 0, with a gradient of 0.
        total: what the weighted sum is divided by, (); None for the sum of the weights, at least 1.
    """
    per_pair = (restored.float() - high.float()).abs().mean(dim=(1, 2, 3))
    return _weighted_mean(per_pair, weight, total)


def feature_distance(
    teacher: Sequence[Tensor], student: Sequence[Tensor], has_high: Tensor, total: Tensor | None = None
) -> Tensor:
    """L_PS: the sum of mean absolute differences, one for each of the compared features.

    In PS-HRNet these are six: pooled, the four branch vectors and the logits (`ReIDFeatures.compared`).

    Args:
        teacher, student: matching features, each (B, D).
        has_high: (B,) bool. Pairs without a high twin have no teacher to follow and are left out, as in L_SR.
        total: as in `restoration`.
    """
    pairs = zip(teacher, student, strict=True)
    per_pair = torch.stack([(s.float() - t.float()).abs().mean(dim=1) for t, s in pairs]).sum(dim=0)
    return _weighted_mean(per_pair, has_high, total)


def _weighted_mean(per_pair: Tensor, weight: Tensor, total: Tensor | None) -> Tensor:
    weight = weight.to(per_pair.dtype)
    return (per_pair * weight).sum() / (weight.sum().clamp(min=1) if total is None else total)
