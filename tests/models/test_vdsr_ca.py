"""VDSR-CA against the published counts, and as what it is at its start."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from psnet.models import VDSRCA, vdsr_ca
from psnet.models.vdsr_ca import Block, ChannelAttention

MEAN = torch.tensor([0.485, 0.456, 0.406], dtype=torch.float64).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64).view(1, 3, 1, 1)


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_the_published_size():
    network = VDSRCA()
    assert parameters(network) == 677_448
    thick = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]
    assert len(thick) == 20
    assert all(convolution.bias is None for convolution in thick)


def test_the_count_follows_from_the_layers():
    channels, blocks, squeezed = 8, 3, 2
    attention = channels * squeezed + squeezed + squeezed * channels + channels
    expected = 9 * 3 * channels + blocks * (9 * channels * channels + attention) + 9 * channels * 3
    assert parameters(VDSRCA(channels, blocks, reduction=4)) == expected


def test_without_attention_only_the_convolutions_are_left():
    channels, blocks = 8, 3
    expected = 9 * 3 * channels + blocks * 9 * channels * channels + 9 * channels * 3
    plain = VDSRCA(channels, blocks, attention=False)  # fewer channels than the reduction, which has no part in it
    assert parameters(plain) == expected
    assert parameters(VDSRCA(attention=False)) == 667_008
    assert not [module for module in plain.modules() if isinstance(module, ChannelAttention)]


def test_without_attention_it_is_a_row_of_convolutions():
    torch.manual_seed(0)
    network = VDSRCA(8, 2, attention=False)
    image = torch.rand(1, 3, 6, 5)
    first, second, third, last = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    normalised = network.normalise(image)
    residual = last(third(second(first(normalised).relu()).relu()).relu())
    torch.testing.assert_close(network(image), network.normalise.invert(normalised + residual))


def test_it_is_the_identity_when_its_last_layer_is_zero():
    image = torch.rand(2, 3, 24, 16)
    network = VDSRCA(channels=16, blocks=2)
    assert not torch.allclose(network(image), image, atol=1e-3)
    nn.init.zeros_(network.body[-1].weight)
    torch.testing.assert_close(network(image), image, atol=1e-6, rtol=0)
    torch.testing.assert_close(VDSRCA(16, 2, start_as_identity=True)(image), image, atol=1e-6, rtol=0)


def test_its_residual_is_added_in_normalised_space():
    network = VDSRCA(channels=16, blocks=1)
    image = torch.rand(1, 3, 8, 8)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    normalised = (image - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)
    expected = image + network.body(normalised) * std.view(1, 3, 1, 1)
    torch.testing.assert_close(network(image), expected, atol=1e-5, rtol=1e-5)


def test_weights_start_with_the_published_spread():
    torch.manual_seed(0)
    network = VDSRCA()
    middle = network.body[1].convolution.weight
    assert middle.std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)
    assert network.body[0][0].weight.std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.06)
    assert network.body[-1].weight.std().item() == pytest.approx((2 / (9 * 3)) ** 0.5, rel=0.06)
    squeeze = torch.cat(
        [block.gate[0].weight.flatten() for block in network.modules() if isinstance(block, ChannelAttention)]
    )
    excite = torch.cat(
        [block.gate[2].weight.flatten() for block in network.modules() if isinstance(block, ChannelAttention)]
    )
    assert squeeze.std().item() == pytest.approx((2 / 4) ** 0.5, rel=0.04)  # 1 x 1, to 64 / 16 channels
    assert excite.std().item() == pytest.approx((2 / 64) ** 0.5, rel=0.04)
    fourth = (middle.double() ** 4).mean() / middle.double().var() ** 2
    assert fourth.item() == pytest.approx(3, abs=0.15)  # of a normal distribution; 1.8 of equal chances


def test_the_whole_network_layer_by_layer():
    torch.manual_seed(0)
    network = VDSRCA(channels=8, blocks=2, reduction=4).double()
    image = torch.rand(2, 3, 9, 6, dtype=torch.float64)
    weights = [p.detach() for p in network.parameters()]
    first, last, blocks = weights[0], weights[-1], [weights[1:6], weights[6:11]]
    x = normalised = (image - MEAN) / STD
    x = F.conv2d(x, first, padding=1).clamp(min=0)
    for convolution, squeeze, squeeze_bias, excite, excite_bias in blocks:
        x = F.conv2d(x, convolution, padding=1)
        hidden = (x.mean((2, 3)) @ squeeze[:, :, 0, 0].T + squeeze_bias).clamp(min=0)
        gate = 1 / (1 + torch.exp(-(hidden @ excite[:, :, 0, 0].T + excite_bias)))
        x = (x * gate[:, :, None, None]).clamp(min=0)
    expected = (normalised + F.conv2d(x, last, padding=1)) * STD + MEAN
    torch.testing.assert_close(network(image), expected, rtol=0, atol=1e-6)


def test_the_published_cost():
    """About 21.9 billion multiplications at 256 x 128: each 3 x 3 convolution sees every pixel."""
    with torch.device("meta"):
        network, image = VDSRCA(), torch.empty(1, 3, 256, 128)
    with FlopCounterMode(display=False) as counter:
        network(image)
    thick = 9 * 256 * 128 * (3 * 64 + 18 * 64 * 64 + 64 * 3)
    attention = 18 * 2 * 64 * 4
    assert counter.get_total_flops() == 2 * (thick + attention)
    assert thick == pytest.approx(21.9e9, rel=0.003)


def as_written(network: VDSRCA, images: torch.Tensor) -> torch.Tensor:
    """The same network without anything that makes it faster."""
    maps = normalised = network.normalise(images)
    for layer in network.body:
        if isinstance(layer, Block):
            maps = layer.convolution(maps)
            maps = (maps * layer.attention.gate(maps.mean((2, 3), keepdim=True))).clamp(min=0)
        else:
            maps = layer(maps)
    return network.normalise.invert(normalised + maps)


def gradients(network: VDSRCA, restored: torch.Tensor, images: torch.Tensor) -> list[torch.Tensor]:
    (restored - images.flip(-1)).square().sum().backward()
    found = [images.grad, *(p.grad for p in network.parameters())]
    images.grad = None
    network.zero_grad()
    assert all(gradient is not None for gradient in found)
    return found


@pytest.mark.parametrize("options", [{}, {"checkpointing": True}, {"attention": False}], ids=str)
def test_image_by_image_it_is_the_same_function(monkeypatch: pytest.MonkeyPatch, options: dict[str, bool]):
    """Values and gradients, in double precision: the gate in the kernel, or on the maps."""
    monkeypatch.setattr(vdsr_ca, "LARGE", 0)
    torch.manual_seed(0)
    network = VDSRCA(8, 3, reduction=4, **options).double()
    images = torch.rand(3, 3, 7, 5, dtype=torch.float64, requires_grad=True)
    fast, slow = network(images), as_written(network, images)
    torch.testing.assert_close(fast, slow, rtol=0, atol=1e-12)
    for one, other in zip(gradients(network, fast, images), gradients(network, slow, images), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_only_large_images_are_taken_one_by_one(monkeypatch: pytest.MonkeyPatch):
    network, taken = VDSRCA(16, 1), []
    monkeypatch.setattr(network, "_through", lambda images: taken.append(len(images)) or images)
    network(torch.rand(4, 3, 128, 64))
    network(torch.rand(4, 3, 128, 128))
    assert taken == [4, 1, 1, 1, 1]


def test_checkpointing_gives_the_same_bits_and_keeps_less(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(vdsr_ca, "LARGE", 0)
    images, found, kept = torch.rand(2, 3, 12, 8, requires_grad=True), [], []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        network, saved = VDSRCA(16, 4, checkpointing=checkpointing), []
        with torch.autograd.graph.saved_tensors_hooks(lambda x, saved=saved: saved.append(x.numel()) or x, lambda x: x):
            restored = network(images)
        found.append(gradients(network, restored, images))
        kept.append(sum(saved))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
    assert kept[1] < kept[0] / 10


def test_folded_blocks_keep_one_map_each(monkeypatch: pytest.MonkeyPatch):
    """The next convolution's input, which is the result; as written it would be what the gate scales, too."""
    monkeypatch.setattr(vdsr_ca, "LARGE", 0)
    network, images, saved = VDSRCA(16, 4), torch.rand(1, 3, 40, 20), {}
    size = 16 * 40 * 20
    with torch.autograd.graph.saved_tensors_hooks(lambda x: saved.update({x.data_ptr(): x}) or x, lambda x: x):
        restored = network(images)
    assert sum(x.numel() == size for x in saved.values()) == 1 + 4  # after the first convolution, and after each block
    assert restored.shape == images.shape


@pytest.mark.slow
def test_compiled_it_is_the_same_function():
    torch.manual_seed(0)
    plain, compiled = VDSRCA(16, 2), VDSRCA(16, 2, compile=True)
    compiled.load_state_dict(plain.state_dict())
    images = torch.rand(2, 3, 16, 8, requires_grad=True)
    one, other = (gradients(net, net(images), images) for net in (plain, compiled))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0  # it was compiled indeed
    for first, second in zip(one, other, strict=True):
        torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-4)
    again = copy.deepcopy(compiled)
    torch.testing.assert_close(again(images), plain(images), rtol=0, atol=1e-4)


def test_attention_scales_whole_channels_by_a_gate_of_their_means():
    torch.manual_seed(0)
    attention = ChannelAttention(channels=8, reduction=4)
    maps = torch.randn(2, 8, 5, 4)
    gate = attention(maps) / maps
    assert torch.all((gate > 0) & (gate < 1))
    torch.testing.assert_close(gate, gate[:, :, :1, :1].expand_as(gate))
    moved = maps.flip(-1)  # the same means
    torch.testing.assert_close(attention(moved) / moved, gate)


def test_too_few_channels_for_attention():
    with pytest.raises(ValueError, match="channels=8"):
        VDSRCA(channels=8, reduction=16)
