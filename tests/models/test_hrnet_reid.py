"""HRNet-ReID: published lengths, pooling against a loop, and weights that must fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import nn

from psnet.models import HRNetReID, WeightsError
from psnet.models.hrnet_reid import BranchPool

SMALL = "hrnet_w18_small"


def test_the_published_lengths_of_w32():
    network = HRNetReID(num_classes=7, weights=None).eval()
    with torch.no_grad():
        features = network(torch.rand(1, 3, 256, 128))
    assert [tuple(b.shape) for b in features.branches] == [(1, 2048), (1, 1024), (1, 2048), (1, 1024)]
    assert features.pooled.shape == (1, 6144)
    assert features.neck.shape == (1, 512)
    assert features.logits.shape == (1, 7)
    assert features.descriptor.shape == (1, 6656)
    torch.testing.assert_close(features.descriptor, torch.cat([features.pooled, features.neck], 1))
    assert [tuple(x.shape) for x in features.compared] == [(1, n) for n in (6144, 2048, 1024, 2048, 1024, 7)]


def test_pooling_against_a_loop():
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(2, 3, 8, 4)).astype(np.float32)
    expected = []
    for image in maps:
        vector = []
        for channel in image:
            for row in range(4):
                for column in range(4):
                    cell = channel[row * 2 : row * 2 + 2, column : column + 1]
                    vector.append(cell.mean() + 0.5 * cell.max())
        expected.append(vector)
    found = BranchPool(4, 0.5)(torch.from_numpy(maps))
    np.testing.assert_allclose(found.numpy(), np.array(expected), rtol=1e-5, atol=1e-6)


def pooled_by_loops(maps: np.ndarray, size: int, weight: float) -> list[float]:
    """In the order channel, row, column. Cells of a side that does not divide overlap: floor to ceiling."""
    vector = []
    for channel in maps:
        height, width = channel.shape
        for row in range(size):
            rows = slice(row * height // size, -(-(row + 1) * height // size))
            for column in range(size):
                cell = channel[rows, column * width // size : -(-(column + 1) * width // size)]
                vector.append(cell.mean() + weight * cell.max())
    return vector


class Maps(nn.Module):
    """In the place of a backbone: the same maps of every image."""

    def __init__(self, maps: list[torch.Tensor]) -> None:
        super().__init__()
        self.maps = maps

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        return self.maps


@pytest.mark.parametrize(("sizes", "length"), [((4, 2, 2, 1), 6144), ((4, 3, 2, 1), 7424)])
def test_the_head_of_w32_against_loops(sizes: tuple[int, ...], length: int):
    """From the four maps of a 256 x 128 image to the logits: pooled, FC1, batch norm, no ReLU, FC2."""
    torch.manual_seed(0)
    network = HRNetReID(5, weights=None, pool_sizes=sizes).eval()
    shapes = [(128, 64, 32), (256, 32, 16), (512, 16, 8), (1024, 8, 4)]
    maps = [torch.randn(2, *shape) for shape in shapes]
    network.backbone = Maps(maps)
    nn.init.normal_(network.bn.running_mean)
    nn.init.uniform_(network.bn.running_var, 0.5, 2.0)
    with torch.no_grad():
        found = network(torch.rand(2, 3, 256, 128))

    settings = list(zip(maps, sizes, (0.5, 0.2, 0.2, 0.2), strict=True))
    branches = [np.array([pooled_by_loops(one, s, w) for one in m.numpy()]) for m, s, w in settings]
    pooled = np.concatenate(branches, axis=1)
    head = {name: value.double().numpy() for name, value in network.state_dict().items() if "backbone" not in name}
    fc1 = pooled @ head["fc1.weight"].T + head["fc1.bias"]
    neck = (fc1 - head["bn.running_mean"]) / np.sqrt(head["bn.running_var"] + 1e-5)
    neck = neck * head["bn.weight"] + head["bn.bias"]
    assert pooled.shape == (2, length)
    assert neck.min() < 0  # no ReLU
    for one, expected in zip(found.branches, branches, strict=True):
        np.testing.assert_allclose(one, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.descriptor, np.concatenate([pooled, neck], axis=1), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.logits, neck @ head["fc2.weight"].T + head["fc2.bias"], rtol=1e-3, atol=1e-5)


def test_the_maps_are_those_of_the_classification_network(tmp_path: Path, official: dict[str, torch.Tensor]):
    """Its own stem, stages and incre_modules, on an image normalised by hand."""
    torch.save(official, tmp_path / "hrnet.pth")
    network = HRNetReID(3, SMALL, str(tmp_path / "hrnet.pth")).eval()
    whole: Any = timm.create_model(SMALL, pretrained=False).eval()
    whole.load_state_dict(official)
    image = torch.rand(2, 3, 64, 32)
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    with torch.no_grad():
        stem = whole.act1(whole.bn1(whole.conv1((image - mean) / std)))
        stages = whole.stages(whole.act2(whole.bn2(whole.conv2(stem))))
        expected = [incre(x) for incre, x in zip(whole.incre_modules, stages, strict=True)]
        found = network.backbone(network.normalise(image))
    assert [x.shape[1] for x in found] == [128, 256, 512, 1024]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_the_head_starts_as_published():
    torch.manual_seed(0)
    network = HRNetReID(num_classes=2000, backbone=SMALL, weights=None)
    assert network.fc2.weight.std().item() == pytest.approx(0.001, rel=0.02)
    assert network.bn.weight.mean().item() == pytest.approx(1.0, abs=0.005)
    assert network.bn.weight.std().item() == pytest.approx(0.02, rel=0.15)
    fan_out = network.fc1.out_features
    assert network.fc1.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.02)
    for weight in (network.fc1.weight, network.fc2.weight):
        assert is_normal(weight)
    for bias in (network.fc1.bias, network.bn.bias, network.fc2.bias):
        assert not bias.any()


def is_normal(weight: torch.Tensor) -> bool:
    """Centred, and with a kurtosis of 3; that of equal chances is 1.8."""
    x = weight.detach().flatten().double()
    centred = abs(x.mean()) < 4 * x.std() / len(x) ** 0.5
    return bool(centred) and abs(float((x**4).mean() / x.var() ** 2) - 3) < 4 * (24 / len(x)) ** 0.5


def test_dropout_acts_in_training_only_and_behind_the_neck():
    network = HRNetReID(4, SMALL, None, dropout=0.9)
    image = torch.rand(4, 3, 64, 32)
    network.eval()
    with torch.no_grad():
        first, second = network(image), network(image)
    torch.testing.assert_close(first.logits, second.logits)
    network.dropout.train()
    with torch.no_grad():
        third = network(image)
    torch.testing.assert_close(third.neck, first.neck)
    assert not torch.allclose(third.logits, first.logits)


@pytest.fixture(scope="module")
def official() -> dict[str, torch.Tensor]:
    """What an official checkpoint holds: the classification network."""
    torch.manual_seed(1)
    return timm.create_model(SMALL, pretrained=False).state_dict()


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_official_file_is_loaded_whole(tmp_path: Path, official: dict[str, torch.Tensor], wrapped: bool):
    file = tmp_path / "hrnet.pth"
    content = {"state_dict": {f"module.{k}": v for k, v in official.items()}} if wrapped else official
    torch.save(content, file)
    network = HRNetReID(3, SMALL, str(file))
    loaded = network.backbone.state_dict()
    assert loaded
    for key, value in loaded.items():
        torch.testing.assert_close(value, official[key])


def test_a_checkpoint_of_ours_gives_all_but_the_classifier(tmp_path: Path):
    torch.manual_seed(2)
    trained = HRNetReID(5, SMALL, None)
    trained.bn.running_mean.fill_(0.25)
    file = tmp_path / "last.ckpt"
    sr = {"sr.body.0.weight": torch.zeros(3)}  # what else a checkpoint holds
    torch.save({"state_dict": sr | {f"reid.{k}": v for k, v in trained.state_dict().items()}}, file)
    network = HRNetReID(9, SMALL, str(file))
    assert network.fc2.out_features == 9
    for key, value in network.state_dict().items():
        if not key.startswith("fc2."):
            assert torch.equal(value, trained.state_dict()[key]), key
    with pytest.raises(WeightsError, match=r"last\.ckpt does not fit hrnet_w18_small.*of another shape \['fc1"):
        HRNetReID(9, SMALL, str(file), pool_sizes=(2, 2, 2, 1))


def test_a_file_of_another_network_is_refused(tmp_path: Path, official: dict[str, torch.Tensor]):
    file = tmp_path / "half.pth"
    torch.save(dict(list(official.items())[: len(official) // 2]), file)
    with pytest.raises(WeightsError, match=r"half\.pth does not fit hrnet_w18_small: \d+ of \d+ entries missing"):
        HRNetReID(3, SMALL, str(file))
    other = tmp_path / "other.pth"
    torch.save(timm.create_model("resnet18", pretrained=False).state_dict(), other)
    with pytest.raises(WeightsError, match="unknown"):
        HRNetReID(3, SMALL, str(other))


def test_weights_that_cannot_be_had(tmp_path: Path):
    with pytest.raises(WeightsError, match=r"nowhere\.pth does not exist"):
        HRNetReID(3, SMALL, str(tmp_path / "nowhere.pth"))
    text = tmp_path / "text.pth"
    text.write_text("no weights")
    with pytest.raises(WeightsError, match="not a file of PyTorch weights") as error:
        HRNetReID(3, SMALL, str(text))
    assert len(str(error.value).splitlines()) == 1


def test_without_a_network_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match=r"model\.reid\.weights=PATH\.pth, or start from scratch"):
        HRNetReID(3, SMALL, "imagenet")
