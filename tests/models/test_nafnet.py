"""NAFNet against loops, and as what it is at its start and after a few steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from psnet.models import NAFNet
from psnet.models.nafnet import LayerNorm2d, NAFBlock, SimpleChannelAttention, SimpleGate

Maps = NDArray[np.float64]
"""(C, H, W), of one image."""


def filled(module: nn.Module) -> nn.Module:
    """With random numbers in place of every parameter, so that none can hide behind a 0 or a 1."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0.0, 0.5)
    return module.double()


def numbers(tensor: torch.Tensor) -> NDArray[np.float64]:
    return tensor.detach().numpy()


# The paper's parts, in numpy


def slow_norm(x: Maps, norm: LayerNorm2d) -> Maps:
    out = np.empty_like(x)
    for row in range(x.shape[1]):
        for column in range(x.shape[2]):
            pixel = x[:, row, column]
            unit = (pixel - pixel.mean()) / np.sqrt(pixel.var() + 1e-6)
            out[:, row, column] = unit * numbers(norm.weight) + numbers(norm.bias)
    return out


def slow_gate(x: Maps) -> Maps:
    half = len(x) // 2
    return np.stack([x[c] * x[half + c] for c in range(half)])


def slow_pointwise(x: Maps, convolution: nn.Conv2d) -> Maps:
    weight, bias = numbers(convolution.weight)[:, :, 0, 0], numbers(convolution.bias)  # type: ignore[arg-type]
    return np.stack([sum(weight[o, i] * x[i] for i in range(len(x))) + bias[o] for o in range(len(weight))])


def slow_depthwise(x: Maps, convolution: nn.Conv2d) -> Maps:
    weight, bias = numbers(convolution.weight)[:, 0], numbers(convolution.bias)  # type: ignore[arg-type]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    out = np.empty_like(x)
    for channel, row, column in np.ndindex(x.shape):
        window = padded[channel, row : row + 3, column : column + 3]
        out[channel, row, column] = (window * weight[channel]).sum() + bias[channel]
    return out


def slow_attention(x: Maps, attention: SimpleChannelAttention) -> Maps:
    means = x.mean(axis=(1, 2), keepdims=True)
    return x * slow_pointwise(means, attention.scale[1])  # type: ignore[arg-type]


def slow_block(x: Maps, block: NAFBlock) -> Maps:
    norm, widen, depthwise, _, attention, narrow = block.around
    y = slow_depthwise(slow_pointwise(slow_norm(x, norm), widen), depthwise)
    y = slow_pointwise(slow_attention(slow_gate(y), attention), narrow)
    x = x + numbers(block.beta)[0] * y
    norm, widen, _, narrow = block.mix
    y = slow_pointwise(slow_gate(slow_pointwise(slow_norm(x, norm), widen)), narrow)
    return x + numbers(block.gamma)[0] * y


def images(channels: int) -> torch.Tensor:
    """Of means and spreads that differ by pixel; the first is constant over its channels at one of them."""
    x = torch.randn(2, channels, 5, 4, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    x = x * torch.arange(1, 21).view(5, 4) + 3
    x[0, :, 0, 0] = 7.0
    return x


def test_layer_norm_against_a_loop():
    norm = filled(LayerNorm2d(6))
    x = images(6)
    expected = np.stack([slow_norm(image, norm) for image in numbers(x)])  # type: ignore[arg-type]
    np.testing.assert_allclose(numbers(norm(x)), expected, rtol=1e-9, atol=1e-9)


def test_layer_norm_starts_as_normalisation_alone():
    x = LayerNorm2d(64)(torch.randn(1, 64, 3, 2) * 5 + 2)
    torch.testing.assert_close(x.mean(1), torch.zeros(1, 3, 2), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.var(1, correction=0), torch.ones(1, 3, 2), atol=1e-4, rtol=0)


def test_the_gate_against_a_loop():
    x = images(6)
    np.testing.assert_array_equal(numbers(SimpleGate()(x)), np.stack([slow_gate(image) for image in numbers(x)]))


def test_a_block_against_loops():
    block = filled(NAFBlock(4))
    x = images(4)
    expected = np.stack([slow_block(image, block) for image in numbers(x)])  # type: ignore[arg-type]
    np.testing.assert_allclose(numbers(block(x)), expected, rtol=1e-9, atol=1e-9)
    assert not np.allclose(expected, numbers(x))


def test_a_block_starts_as_the_identity():
    x = images(4).float()
    assert torch.equal(NAFBlock(4)(x), x)


# The whole


def block_parameters(c: int) -> int:
    around = 2 * c + (2 * c * c + 2 * c) + (2 * c * 9 + 2 * c) + (c * c + c) + (c * c + c)
    mix = 2 * c + (2 * c * c + 2 * c) + (c * c + c)
    return around + mix + 2 * c  # beta and gamma


def test_the_count_follows_from_the_layers():
    w, (e1, e2), middle, (d1, d2) = 8, (1, 2), 3, (2, 1)
    ends = (9 * 3 * w + w) + (9 * w * 3 + 3)
    blocks = (e1 + d1) * block_parameters(w) + (e2 + d2) * block_parameters(2 * w) + middle * block_parameters(4 * w)
    downs = sum(4 * c * 2 * c + 2 * c for c in (w, 2 * w))
    ups = sum(2 * c * 4 * c for c in (w, 2 * w))
    network = NAFNet(w, (e1, e2), middle, (d1, d2))
    assert sum(p.numel() for p in network.parameters()) == ends + blocks + downs + ups


def test_both_ends_of_the_u_meet():
    """A constant from the first convolution, through one level without blocks: skip and way up are added."""
    network = NAFNet(1, [0], 0, [0])
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.first.bias.fill_(2.0)  # type: ignore[union-attr]
        network.downs[0].bias.fill_(1.0)  # type: ignore[union-attr, operator]
        network.ups[0][0].weight.fill_(1.5)  # type: ignore[index, union-attr]
        network.last.weight[:, :, 1, 1] = 1.0
    image = torch.rand(1, 3, 4, 6)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    # down: 2 channels of 1; up: their sum times 1.5 is 3; and the skip's 2
    torch.testing.assert_close(network(image), image + 5.0 * std, atol=1e-5, rtol=0)


def test_it_starts_as_the_identity_where_asked_to():
    image = torch.rand(2, 3, 16, 8)
    torch.testing.assert_close(NAFNet(8, start_as_identity=True)(image), image, atol=1e-6, rtol=0)
    assert not torch.allclose(NAFNet(8)(image), image, atol=1e-3)


@pytest.mark.parametrize("start_as_identity", [False, True])
def test_every_parameter_learns_sooner_or_later(start_as_identity: bool):
    """What starts at zero holds back what is behind it, for some steps."""
    torch.manual_seed(0)
    network = NAFNet(4, start_as_identity=start_as_identity)
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    low, high = torch.rand(2, 2, 3, 8, 8)
    for _ in range(4):
        optimizer.zero_grad()
        F.mse_loss(network(low), high).backward()
        optimizer.step()
    assert not [name for name, p in network.named_parameters() if torch.equal(p, before[name])]


def test_a_few_steps_restore_more_than_the_resized_image():
    torch.manual_seed(0)
    high = F.interpolate(torch.rand(4, 3, 8, 4), scale_factor=4.0)  # squares with sharp edges
    low = F.interpolate(F.avg_pool2d(high, 2), scale_factor=2.0, mode="bilinear")
    network = NAFNet(16, start_as_identity=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    for _ in range(30):
        loss = F.l1_loss(network(low), high)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert F.l1_loss(network(low), high) < 0.8 * F.l1_loss(low, high)


@pytest.mark.parametrize("size", [(62, 32), (64, 30), (2, 4)])
def test_a_size_that_cannot_be_halved_twice(size: tuple[int, int]):
    with pytest.raises(ValueError, match=rf"image of {size[0]} x {size[1]}: NAFNet takes multiples of 4"):
        NAFNet(4)(torch.rand(1, 3, *size))
    assert NAFNet(4)(torch.rand(1, 3, 4, 12)).shape == (1, 3, 4, 12)


def test_ways_of_different_depths():
    with pytest.raises(ValueError, match=r"encoder_blocks=\[1, 1\] and decoder_blocks=\[1\] are of different depths"):
        NAFNet(4, (1, 1), 1, (1,))


def test_half_precision_gives_nearly_the_same():
    network = filled(NAFNet(8)).float().eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(("beta", "gamma")) or name.startswith("last"):
                parameter.mul_(0.1)
    image = torch.rand(2, 3, 16, 8)
    expected = network(image)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = network(image)
    assert found.dtype == torch.float32
    residual = (expected - image).abs().max()
    assert (found - expected).abs().max() < 0.05 * residual


def test_it_exports_with_any_batch():
    network = NAFNet(8).eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    exported = torch.export.export(network, (torch.rand(2, 3, 16, 8),), dynamic_shapes=({0: batch},)).module()
    for size in (1, 5):
        image = torch.rand(size, 3, 16, 8)
        torch.testing.assert_close(exported(image), network(image))
