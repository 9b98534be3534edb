"""The three procedures: their equations, and what they leave alone."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from psnet.data.dataset import EvalBatch, PairBatch
from psnet.losses import batch_hard_triplet
from psnet.metrics import psnr
from psnet.models import VDSRCA, HRNetReID
from psnet.precision import AMX_FROM
from psnet.tasks import PSHRNet, ReID, SuperResolution, Task

PEOPLE = 4


def reid(seed: int = 0, dropout: float = 0.0) -> HRNetReID:
    torch.manual_seed(seed)
    return HRNetReID(PEOPLE, "hrnet_w18_small", None, dropout=dropout)


def batch(height: int = 64) -> PairBatch:
    """4 people x 2, half of them low. Images are half as wide as high."""
    random = torch.Generator().manual_seed(0)
    high = F.interpolate(
        torch.rand(8, 3, height // 4, height // 8, generator=random), scale_factor=4.0
    )  # squares with sharp edges
    blurred = F.interpolate(F.avg_pool2d(high, 3, 3), size=(height, height // 2), mode="bilinear")
    is_low = torch.tensor([False, True] * 4)
    low = torch.where(is_low[:, None, None, None], blurred, high)
    label = torch.arange(PEOPLE).repeat_interleave(2)
    return PairBatch(low, high, torch.ones(8, dtype=torch.bool), label, is_low)


def logged(task: Task, **attributes: Any) -> dict[str, torch.Tensor]:
    """Terms that the task logs, by name; for a task outside of a trainer."""
    terms: dict[str, torch.Tensor] = {}
    task.log = lambda name, value, **_: terms.update({name.removeprefix("train/"): value})  # type: ignore[method-assign, assignment]
    for name, value in attributes.items():
        setattr(task, name, value)
    return terms


def l1(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a - b).abs().mean()


def test_the_equation_of_phase_2():
    sr, student, teacher, pairs = VDSRCA(16, 1), reid(1), reid(2), batch()
    task = PSHRNet(copy.deepcopy(sr), copy.deepcopy(student), copy.deepcopy(teacher))
    terms = logged(task)
    loss = task.training_step(pairs, 0)

    restored = sr(pairs.low)
    mine = student(restored)
    seen = teacher.eval()(pairs.high)
    ce = F.cross_entropy(mine.logits, pairs.label, label_smoothing=0.1)
    triplets = sum(batch_hard_triplet(x, pairs.label) for x in (mine.pooled, *mine.branches)) / 5
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    l_sr = l1(restored / std, pairs.high / std)
    l_ps = (
        l1(seen.pooled, mine.pooled)
        + sum(l1(t, s) for t, s in zip(seen.branches, mine.branches, strict=True))
        + l1(seen.logits, mine.logits)
    )
    for name, value in {"ce": ce, "triplet": triplets, "sr": l_sr, "ps": l_ps}.items():
        torch.testing.assert_close(terms[name], value.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(loss, 1.15 * ce + triplets + 0.5 * l_sr + 0.5 * l_ps, rtol=1e-4, atol=1e-4)


def test_without_a_teacher_it_is_id_sr():
    task = PSHRNet(VDSRCA(16, 1), reid())
    terms = logged(task)
    loss = task.training_step(batch(), 0)
    assert set(terms) == {"loss", "ce", "triplet", "sr"}
    torch.testing.assert_close(loss.detach(), 1.15 * terms["ce"] + terms["triplet"] + 0.5 * terms["sr"])


@pytest.mark.parametrize("view", ["high", "low"])
def test_the_equation_of_phase_1(view: str):
    network, pairs = reid(), batch()
    task = ReID(copy.deepcopy(network), view=view)  # type: ignore[arg-type]
    logged(task)
    features = network(getattr(pairs, view))
    expected = F.cross_entropy(features.logits, pairs.label, label_smoothing=0.1)
    expected = expected + sum(batch_hard_triplet(x, pairs.label) for x in features.branches) / 4
    torch.testing.assert_close(task.training_step(pairs, 0), expected, rtol=1e-4, atol=1e-5)


def test_pairs_without_a_twin_have_no_part_in_sr_and_ps():
    pairs = batch()
    half = pairs._replace(has_high=torch.tensor([True, False] * 4))
    nothing_known = half.high.clone()
    nothing_known[1::2] = torch.rand(4, 3, 64, 32)
    found = []
    for high in (half.high, nothing_known):
        task = PSHRNet(VDSRCA(16, 1, start_as_identity=True), reid(1), reid(2))
        terms = logged(task)
        task.training_step(half._replace(high=high), 0)
        found.append((terms["sr"], terms["ps"]))
    torch.testing.assert_close(found[0], found[1])


def test_the_teacher_does_not_move_and_is_nobodys():
    teacher = reid(3, dropout=0.5)
    before = copy.deepcopy(teacher.state_dict())
    task = PSHRNet(VDSRCA(16, 1), reid(4), teacher)
    logged(task)
    own = {id(p) for p in task.parameters()} | {id(p) for group in task.parameter_groups() for p in group["params"]}
    assert not own & {id(p) for p in teacher.parameters()}
    assert not [key for key in task.state_dict() if "teacher" in key]
    optimizer = torch.optim.SGD(task.parameter_groups(), lr=0.1)
    task.train()
    assert not any(module.training for module in teacher.modules())
    for _ in range(2):
        optimizer.zero_grad()
        task.training_step(batch(), 0).backward()
        optimizer.step()
    assert all(p.grad is None for p in teacher.parameters())
    for key, value in teacher.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_an_own_rate_for_the_restorer():
    task = PSHRNet(VDSRCA(16, 1), reid(), sr_lr=0.5)
    first, second = torch.optim.SGD(task.parameter_groups(), lr=0.1).param_groups
    assert (first["lr"], second["lr"]) == (0.1, 0.5)
    assert sum(p.numel() for p in second["params"]) == sum(p.numel() for p in task.sr.parameters())
    both = len(first["params"]) + len(second["params"])
    assert both == len(list(task.parameters()))


@pytest.mark.parametrize("kind", ["ReID", "PSHRNet"])
def test_one_batch_is_overfitted(kind: str):
    torch.manual_seed(0)
    task: Task = ReID(reid(), view="low") if kind == "ReID" else PSHRNet(VDSRCA(16, 1), reid(), reid(1))
    terms = logged(task)
    pairs = batch()
    optimizer = torch.optim.AdamW(task.parameter_groups(), lr=1e-3)
    losses = []
    for _ in range(25):
        loss = task.training_step(pairs, 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    smallest_ce = -(
        0.925 * torch.tensor(0.925).log() + 3 * 0.025 * torch.tensor(0.025).log()
    )  # smoothing 0.1, 4 classes
    assert losses[-1] < 0.6 * losses[0]
    assert terms["ce"] < smallest_ce + 0.15
    assert terms["triplet"] < 0.1


def test_restoration_overfits_one_batch():
    torch.manual_seed(0)
    task = SuperResolution(VDSRCA(16, 2, start_as_identity=True), low_first=False)
    logged(task)
    pairs = batch()
    only_low = pairs._replace(has_high=pairs.is_low)
    optimizer = torch.optim.AdamW(task.parameter_groups(), lr=2e-3)
    losses = []
    for _ in range(100):
        loss = task.training_step(only_low, 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


class _Epochs:
    epochs = 4


@pytest.mark.parametrize(("epoch", "sharp_weight"), [(0, 0.0), (1, 0.25), (3, 0.75)])
def test_sharp_pairs_come_in_gradually(monkeypatch: pytest.MonkeyPatch, epoch: int, sharp_weight: float):
    task = SuperResolution(VDSRCA(16, 1))
    logged(task, recipe=_Epochs())
    monkeypatch.setattr(SuperResolution, "current_epoch", epoch)
    pairs = batch()
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    each = ((task.sr(pairs.low) - pairs.high) / std).abs().mean((1, 2, 3))
    weight = torch.where(pairs.is_low, 1.0, sharp_weight)
    torch.testing.assert_close(task.training_step(pairs, 0), (each * weight).sum() / weight.sum())


def test_the_embedding_is_the_normalised_sum_of_image_and_mirror_image():
    task = PSHRNet(VDSRCA(16, 1), reid()).eval()
    low = batch().low
    with torch.no_grad():
        restored, embedding = task.evaluate(low)
        assert restored is not None
        assert embedding is not None
        torch.testing.assert_close(restored, task.sr(low))
        features = [task.reid(task.sr(x)) for x in (low, low.flip(-1))]
        total = sum(torch.cat([f.pooled, f.neck], 1) for f in features)
        torch.testing.assert_close(embedding, total / total.norm(dim=1, keepdim=True))  # type: ignore[union-attr]
        torch.testing.assert_close(task.evaluate(low.flip(-1))[1], embedding, rtol=1e-4, atol=1e-5)


def test_what_each_task_gives():
    low = batch().low[:2]
    with torch.no_grad():
        restored, embedding = SuperResolution(VDSRCA(16, 1)).eval().evaluate(low)
        assert restored is not None
        assert embedding is None
        restored, embedding = ReID(reid()).eval().evaluate(low)
        assert restored is None
        assert embedding is not None


def test_a_low_image_of_unknown_rate_is_scored_against_its_twin():
    pairs, ones = batch(), torch.ones(8)
    whole = EvalBatch(
        low=pairs.low,
        bicubic=pairs.low,
        high=pairs.high,
        has_high=pairs.has_high,
        pid=pairs.label,
        camid=pairs.label,
        is_low=pairs.is_low,
        rate=ones,  # nobody knows
        is_query=pairs.is_low,
        row=torch.arange(8),
    )
    task = SuperResolution(VDSRCA(16, 1, start_as_identity=True))
    task.test_step(whole, 0)
    task.restoration_test.compute()
    (score,) = task.restoration_test.found
    assert score.count == 4
    assert score.psnr_restored == pytest.approx(float(psnr(pairs.low, pairs.high)[pairs.is_low].mean()), abs=0.01)


def test_an_unknown_view():
    with pytest.raises(ValueError, match=r"model\.view='sharp' must be high \(the teacher\) or low"):
        ReID(reid(), view="sharp")  # type: ignore[arg-type]


def test_networks_keep_gradients_finite_in_half_precision():
    task = PSHRNet(VDSRCA(16, 1), reid(), reid(1))
    logged(task)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = task.training_step(batch(2 * AMX_FROM), 0)
    loss.backward()
    assert loss.dtype == torch.float32
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in task.parameters())
    assert isinstance(task.sr, nn.Module)
