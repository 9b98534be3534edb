"""Restored images against their sharp twins, per rate, beside plain bicubic up-sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.image import structural_similarity_index_measure
from torchmetrics.utilities.data import dim_zero_cat

LEAST_ERROR = (0.5 / 255) ** 2
"""Mean squared error below which images count as equal: half a grey level. It caps PSNR at 54.2 dB, where the mean
over images would otherwise be infinite."""

FIGURES = ("psnr_bicubic", "psnr_restored", "ssim_bicubic", "ssim_restored")


@dataclass(frozen=True)
class RestorationScore:
    """Means over the `count` images of one rate. psnr_*: dB. ssim_*: at most 1, NaN where not taken."""

    rate: float
    count: int
    psnr_bicubic: float
    psnr_restored: float
    ssim_bicubic: float
    ssim_restored: float


def psnr(image: Tensor, reference: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each image, (B,) in dB; images (B, 3, H, W) in [0, 1]."""
    error = (image.double() - reference.double()).square().mean(dim=(1, 2, 3))
    return -10 * torch.log10(error.clamp(min=LEAST_ERROR))


def ssim(image: Tensor, reference: Tensor) -> Tensor:
    """Structural similarity of each image, (B,), with the window of Wang et al. (2004): 11 x 11, sigma 1.5."""
    with torch.autocast(image.device.type, enabled=False):
        value = structural_similarity_index_measure(image, reference, data_range=1.0, reduction="none")
    assert isinstance(value, Tensor)
    return value.reshape(-1)


class RestorationMetric(Metric):
    """PSNR, and SSIM where asked for, of restored and bicubic images against high; per rate in `found` after `compute`.

    Args:
        ssim: take SSIM too. It is slow.
    """

    full_state_update = False

    rate: list[Tensor]
    scores: list[Tensor]

    def __init__(self, ssim: bool = True) -> None:
        super().__init__()
        self.ssim = ssim
        self.found: list[RestorationScore] = []
        self.add_state("rate", default=[], dist_reduce_fx="cat")
        self.add_state("scores", default=[], dist_reduce_fx="cat")

    def update(self, restored: Tensor, bicubic: Tensor, high: Tensor, rate: Tensor, mask: Tensor) -> None:
        """Images (B, 3, H, W) in [0, 1]; restored is clamped to it. rate: (B,). mask: (B,) bool, which ones count."""
        restored, bicubic, high = (x[mask].float() for x in (restored.clamp(0, 1), bicubic, high))
        columns = [psnr(bicubic, high), psnr(restored, high)]
        if self.ssim and len(high):
            columns += [ssim(bicubic, high).double(), ssim(restored, high).double()]
        else:
            columns += [torch.full_like(columns[0], torch.nan)] * 2
        self.rate.append(rate[mask].double())
        self.scores.append(torch.stack(columns, dim=1))

    def compute(self) -> dict[str, float]:
        """Means over all images: psnr_bicubic, psnr_restored, ssim_bicubic, ssim_restored; empty where none counted."""
        rates, scores = dim_zero_cat(self.rate), dim_zero_cat(self.scores)
        self.found = [
            RestorationScore(rate, int((rates == rate).sum()), *scores[rates == rate].mean(0).tolist())
            for rate in sorted(set(rates.tolist()))
        ]
        return overall(self.found) if self.found else {}

    def set_dtype(self, dst_type: object) -> RestorationMetric:
        """Stays as it is: half precision would round decibels."""
        return self


def overall(scores: Sequence[RestorationScore]) -> dict[str, float]:
    """The means over all images, from those of each rate."""
    count = sum(score.count for score in scores)
    return {name: sum(getattr(score, name) * score.count for score in scores) / count for name in FIGURES}
