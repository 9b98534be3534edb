"""The mean of a convolution's output against the convolution itself."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from psnet.models.convolution_mean import convolution_mean


@pytest.mark.parametrize("size", [(6, 5), (2, 2), (1, 4), (3, 1), (1, 1)], ids=str)
def test_it_is_the_mean_with_its_gradients(size: tuple[int, int]):
    torch.manual_seed(0)
    maps = torch.randn(2, 4, *size, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 4, 3, 3, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(convolution_mean(maps, weight), F.conv2d(maps, weight, padding=1).mean((2, 3)))
    assert torch.autograd.gradcheck(convolution_mean, (maps, weight))


def test_under_autocast_the_sums_alone_are_rounded():
    """One rounding of each sum to bfloat16, of 8 bits; what follows is in float32, as the weights are."""
    torch.manual_seed(0)
    maps, weight = torch.rand(1, 8, 64, 32).bfloat16(), torch.randn(4, 8, 3, 3)
    with torch.autocast("cpu", torch.bfloat16):
        found = convolution_mean(maps, weight)
    assert found.dtype == torch.float32
    exact = F.conv2d(maps.double(), weight.double(), padding=1).mean((2, 3))
    bound = weight.double().abs().flatten(1).sum(1) * 0.5 * 2**-8  # the means of maps are about 0.5
    assert ((found - exact).abs() < bound * 1.1).all()
