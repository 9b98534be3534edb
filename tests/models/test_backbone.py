"""Backbones of timm: those of conf/net and others, their maps, their weights, and which are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from torch import nn

from psnet.models import HRNetReID, WeightsError

CHANNELS = {
    "hrnet_w18_small": (128, 256, 512, 1024),
    "resnet18.tv_in1k": (64, 128, 256, 512),
    "resnet50.tv_in1k": (256, 512, 1024, 2048),
    "convnext_tiny.fb_in1k": (96, 192, 384, 768),
    "mobilenetv3_large_100.ra_in1k": (24, 40, 112, 960),
}
"""Of the maps at strides 4, 8, 16 and 32, as their papers have them."""


@pytest.fixture(scope="module", params=CHANNELS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def network(name: str) -> HRNetReID:
    torch.manual_seed(0)
    return HRNetReID(3, name, None).eval()


@pytest.mark.parametrize("size", [(64, 32), (128, 64)])
@torch.no_grad()
def test_lengths_follow_channels_and_pools(name: str, network: HRNetReID, size: tuple[int, int]):
    first, second, third, fourth = CHANNELS[name]
    features = network(torch.rand(2, 3, *size))
    lengths = [first * 16, second * 4, third * 4, fourth]
    assert [tuple(branch.shape) for branch in features.branches] == [(2, length) for length in lengths]
    assert features.pooled.shape == (2, sum(lengths))
    assert features.neck.shape == (2, 512)
    assert features.logits.shape == (2, 3)


@pytest.mark.parametrize("backbone", ["convnext_atto", "resnet10t"])  # with maps at four and at five strides
def test_pools_of_other_sizes(backbone: str):
    network = HRNetReID(3, backbone, None, pool_sizes=(2, 1, 1, 1))
    channels = network.backbone.feature_info.channels()
    assert network.fc1.in_features == channels[0] * 4 + sum(channels[1:])


@torch.no_grad()
def test_the_classification_networks_weights_give_its_maps(name: str, tmp_path: Path):
    """Those of an official file, whole, against the network that it is of."""
    torch.manual_seed(1)
    whole = timm.create_model(name, pretrained=False)
    stir_statistics(whole)
    torch.save(whole.state_dict(), tmp_path / "official.pth")
    network = HRNetReID(3, name, str(tmp_path / "official.pth")).eval()
    image = torch.rand(1, 3, 64, 32)
    coarsest = network.backbone(image)[-1]
    torch.testing.assert_close(coarsest, coarsest_map(whole.eval(), image), rtol=1e-4, atol=1e-5)


def stir_statistics(network: nn.Module) -> None:
    """Of batch norm, so that a file which brings none of them is found out."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.uniform_(-0.1, 0.1)  # type: ignore[union-attr]
            layer.running_var.uniform_(0.8, 1.2)  # type: ignore[union-attr]


def coarsest_map(whole: nn.Module, image: torch.Tensor) -> torch.Tensor:
    """What the last stage of the classification network hands to its head."""
    if hasattr(whole, "incre_modules"):
        last: nn.Module = whole.incre_modules[-1]  # type: ignore[index, assignment]
    else:
        rows = whole.layer4 if hasattr(whole, "layer4") else getattr(whole, "stages", None) or whole.blocks
        last = rows[-1]  # type: ignore[index, assignment]
    found: list[torch.Tensor] = []
    last.register_forward_hook(lambda module, given, result: found.append(result))
    whole(image)
    return found[-1]


def test_building_one_leaves_it_as_timm_does():
    """The trial image moves no statistic, takes no random number and leaves no mode behind."""
    torch.manual_seed(3)
    network = HRNetReID(3, "resnet10t", None)
    torch.manual_seed(3)
    plain = timm.create_model("resnet10t", features_only=True, out_indices=(-4, -3, -2, -1))
    assert all(module.training for module in network.modules())
    for key, value in plain.state_dict().items():
        assert torch.equal(network.backbone.state_dict()[key], value), key
    assert torch.equal(network.fc1.weight, fresh_weights(network.fc1))


def fresh_weights(layer: nn.Linear) -> torch.Tensor:
    """As the head draws them right after the backbone: both layers by torch's rule first, then this one by its own."""
    again = nn.Linear(layer.in_features, layer.out_features)
    nn.Linear(layer.out_features, 3)
    return nn.init.kaiming_normal_(again.weight.detach(), mode="fan_out")


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        ("vit_tiny_patch16_224", r"has maps at strides \[16, 16, 16, 16\]; take one with \[4, 8, 16, 32\]"),
        (
            "swin_tiny_patch4_window7_224",
            r"does not take an image of 64 x 32 \(Input height .*; take one for images of",
        ),
        ("mambaout_femto", r"gives maps of \[\(16, 8, 48\), .* \[\(48, 16, 8\), .*; take one with channels first"),
    ],
    ids=lambda text: text.split("_")[0],
)
def test_backbones_that_do_not_fit(backbone: str, message: str):
    with pytest.raises(ValueError, match=rf"backbone='{backbone}' {message}"):
        HRNetReID(3, backbone, None)


def test_weights_for_images_normalised_otherwise():
    with pytest.raises(
        WeightsError, match=r"tf_mobilenetv3_large_100\.in1k .* mean \(0\.5, 0\.5, 0\.5\) .*weights=null"
    ):
        HRNetReID(3, "tf_mobilenetv3_large_100.in1k", "imagenet")


@pytest.mark.parametrize("backbone", [name for name in CHANNELS if name != "hrnet_w18_small"])
def test_configured_weights_are_there_and_for_our_images(backbone: str):
    """By timm's own list; they are not fetched."""
    known = timm.get_pretrained_cfg(backbone)
    assert known is not None
    assert known.has_weights
    with pytest.raises(WeightsError, match="could not be fetched"):  # tests have no network
        HRNetReID(3, backbone, "imagenet")
