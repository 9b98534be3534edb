"""Each network of conf/net in the tasks that train it: one step moves it, and no parameter is without a part."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from psnet.data.dataset import PairBatch
from psnet.models import VDSRCA, HRNetReID, NAFNet, NoRestoration
from psnet.tasks import PSHRNet, ReID, SuperResolution, Task

BACKBONES = [
    "hrnet_w18_small",
    "resnet18.tv_in1k",
    "resnet50.tv_in1k",
    "convnext_tiny.fb_in1k",
    "mobilenetv3_large_100.ra_in1k",
]
SR_NETWORKS = {
    "none": NoRestoration,
    "vdsr_ca": lambda: VDSRCA(16, 2),
    "vdsr": lambda: VDSRCA(16, 2, attention=False),
    "nafnet": lambda: NAFNet(8),
}


def batch() -> PairBatch:
    """2 people x 2, half of them low."""
    random = torch.Generator().manual_seed(0)
    low, high = torch.rand(2, 4, 3, 64, 32, generator=random)
    is_low = torch.tensor([True, False] * 2)
    return PairBatch(low, high, torch.ones(4, dtype=torch.bool), torch.tensor([0, 0, 1, 1]), is_low)


def reid(backbone: str = "resnet10t") -> HRNetReID:
    return HRNetReID(2, backbone, None)


def step(task: Task, number: int = 1) -> dict[str, torch.Tensor]:
    """Some steps of Adam, which moves a weight however small its gradient; the terms that were logged last."""
    terms: dict[str, torch.Tensor] = {}

    def log(name: str, value: torch.Tensor, **_: Any) -> None:
        terms[name] = value

    task.log = log  # type: ignore[method-assign, assignment]
    optimizer = torch.optim.Adam(task.parameter_groups(), lr=1e-3)
    for _ in range(number):
        optimizer.zero_grad()
        task.train().training_step(batch(), 0).backward()
        optimizer.step()
    return terms


def unmoved(network: nn.Module, before: dict[str, torch.Tensor]) -> list[str]:
    return [name for name, p in network.named_parameters() if torch.equal(p, before[name])]


def weights(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in network.named_parameters()}


@pytest.mark.parametrize("view", ["alone", "pair"])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_step_reaches_every_parameter_of_a_backbone(backbone: str, view: str):
    """DistributedDataParallel waits for a gradient of each. Two steps: the first scales ResNet's residuals by 0.
    Only the bias that batch norm takes away again may stay."""
    torch.manual_seed(0)
    student = reid(backbone)
    sr = VDSRCA(16, 1)
    task: Task = ReID(student) if view == "alone" else PSHRNet(sr, student, reid(backbone), sr_lr=0.01)
    before = weights(student)
    terms = step(task, number=2)
    assert all(torch.isfinite(value) for value in terms.values())
    assert not [name for name, p in task.named_parameters() if p.grad is None]
    assert set(unmoved(student, before)) <= {"fc1.bias"}


@pytest.mark.parametrize("name", SR_NETWORKS)
@pytest.mark.parametrize("sr_lr", [None, 0.01])
def test_a_step_behind_every_super_resolution_network(name: str, sr_lr: float | None):
    torch.manual_seed(0)
    task = PSHRNet(SR_NETWORKS[name](), reid(), reid(), sr_lr=sr_lr)
    before = weights(task.sr)
    terms = step(task)
    assert set(terms) == {"train/loss", "train/ce", "train/triplet", "train/sr", "train/ps"}
    assert all(torch.isfinite(value) for value in terms.values())
    assert not [name for name, p in task.named_parameters() if p.grad is None]
    assert len(unmoved(task.sr, before)) < max(1, len(before))


def test_without_restoration_the_low_image_is_what_is_described():
    task = PSHRNet(NoRestoration(), reid(), sr_lr=0.5).eval()
    low = batch().low
    with torch.no_grad():
        restored, embedding = task.evaluate(low)
        alone = ReID(task.reid).eval().evaluate(low)[1]
    assert restored is None
    torch.testing.assert_close(embedding, alone)
    (group,) = task.parameter_groups()
    assert len(group["params"]) == len(list(task.reid.parameters()))


def test_without_restoration_its_loss_is_that_of_the_low_image():
    terms = step(PSHRNet(NoRestoration(), reid()))
    pairs = batch()
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    torch.testing.assert_close(terms["train/sr"], ((pairs.low - pairs.high) / std).abs().mean())


def test_restoration_alone_needs_a_network():
    with pytest.raises(
        ValueError, match=r"model\.sr=none has nothing to train; give a network, such as net@model\.sr="
    ):
        SuperResolution(NoRestoration())
