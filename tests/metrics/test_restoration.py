"""PSNR and SSIM against their formulas, and the table per rate."""

from __future__ import annotations

import math

import pytest
import torch
from torchmetrics.functional.image import peak_signal_noise_ratio

from psnet.metrics import RestorationMetric, overall, psnr, ssim


def test_psnr_against_the_formula_and_another_library():
    torch.manual_seed(0)
    image, reference = torch.rand(3, 3, 16, 12), torch.rand(3, 3, 16, 12)
    found = psnr(image, reference)
    for i in range(3):
        error = (
            sum((a - b) ** 2 for a, b in zip(image[i].flatten(), reference[i].flatten(), strict=True))
            / image[i].numel()
        )
        assert found[i].item() == pytest.approx(10 * math.log10(1 / float(error)), abs=1e-4)
    theirs = peak_signal_noise_ratio(image, reference, 1.0, dim=(1, 2, 3), reduction="none")
    torch.testing.assert_close(found.float(), theirs)


def test_equal_images_have_a_finite_psnr():
    image = torch.rand(1, 3, 16, 12)
    assert psnr(image, image).item() == pytest.approx(20 * math.log10(2 * 255))
    assert ssim(image, image).item() == pytest.approx(1)


def test_ssim_of_constant_images():
    """Without variance SSIM is (2ab + c) / (a^2 + b^2 + c), c = 0.01^2."""
    a, b, c = 0.2, 0.6, 1e-4
    found = ssim(torch.full((1, 3, 24, 24), a), torch.full((1, 3, 24, 24), b))
    assert found.item() == pytest.approx((2 * a * b + c) / (a * a + b * b + c), rel=1e-3)


def test_per_rate_and_overall():
    torch.manual_seed(0)
    high, rate = torch.rand(6, 3, 16, 12), torch.tensor([2.0, 4.0, 2.0, 4.0, 1.0, 2.0])
    restored, bicubic = (high + 0.05 * torch.randn_like(high)).clamp(0, 1), torch.rand_like(high)
    mask = rate > 1
    metric = RestorationMetric()
    for part in (slice(0, 4), slice(4, 6)):
        metric.update(restored[part], bicubic[part], high[part], rate[part], mask[part])
    figures = metric.compute()
    assert [(row.rate, row.count) for row in metric.found] == [(2.0, 3), (4.0, 2)]
    assert metric.found[0].psnr_restored == pytest.approx(psnr(restored, high)[rate == 2].mean().item())
    assert metric.found[1].ssim_bicubic == pytest.approx(ssim(bicubic, high)[rate == 4].mean().item(), abs=1e-6)
    assert figures == overall(metric.found)
    assert figures["psnr_bicubic"] == pytest.approx(psnr(bicubic, high)[mask].mean().item())


def test_restored_is_clamped_as_a_picture_is():
    high = torch.ones(1, 3, 16, 12)
    metric = RestorationMetric(ssim=False)
    metric.update(high + 3, high, high, torch.tensor([2.0]), torch.tensor([True]))
    assert metric.compute()["psnr_restored"] == pytest.approx(20 * math.log10(2 * 255))
    assert math.isnan(metric.found[0].ssim_restored)


def test_nothing_to_compare():
    metric = RestorationMetric()
    image = torch.rand(1, 3, 16, 12)
    metric.update(image, image, image, torch.tensor([1.0]), torch.tensor([False]))
    assert metric.compute() == {}
    assert metric.found == []
